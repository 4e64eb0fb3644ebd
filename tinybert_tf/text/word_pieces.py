"""Words and their pieces: which piece speaks for which word, and windows over long sentences."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import PreTokenizedString, normalizers, pre_tokenizers

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.wordpiece import WordPiece

_NORMALIZER = normalizers.BertNormalizer(
    clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
)
_PRE_TOKENIZER = pre_tokenizers.BertPreTokenizer()
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class EncodedWords:
    """Sentences, or windows of them, as pieces that know their words.

    Attributes:
        token_ids: list of int32 arrays of shape `(length,)`, `[CLS]` and `[SEP]` included.
        first_pieces: list of int32 arrays. The positions in `token_ids` of the first pieces of the
            words that this window speaks for.
        words: list of int32 arrays of the same shapes. Which words of the sentence they are.
        row: int32 array `(windows,)`. Which sentence each window is of.
        word_counts: list of ints. All words of each sentence.
    """

    token_ids: list[np.ndarray]
    first_pieces: list[np.ndarray]
    words: list[np.ndarray]
    row: np.ndarray
    word_counts: list[int]

    def __len__(self) -> int:
        return len(self.token_ids)


# === Words to pieces ===


def encode_words(
    wordpiece: WordPiece, sentences: Sequence[Sequence[str]], max_length: int = 128
) -> EncodedWords:
    """Turns sentences of words into ids, each word split into pieces by itself.

    A word without any piece, such as a lone control character, becomes `[UNK]`: every word that
    fits has a first piece.

    Args:
        wordpiece: `WordPiece`.
        sentences: list of lists of strings.
        max_length: int. Longer sentences are cut at the end. Defaults to `128`.

    Returns:
        An `EncodedWords` with one entry a sentence, not padded.

    Raises:
        TinyBertError: If a sentence is no list of strings, or `max_length` is less than 3.
    """
    room = _room(max_length)
    rows = _pieces_of(wordpiece, sentences)
    encoded = [_encode(wordpiece, pieces, room) for pieces in rows]
    return EncodedWords(
        [ids for ids, _ in encoded],
        [firsts for _, firsts in encoded],
        [np.arange(len(firsts), dtype="int32") for _, firsts in encoded],
        np.arange(len(rows), dtype="int32"),
        [len(pieces) for pieces in rows],
    )


def encode_windows(
    wordpiece: WordPiece,
    sentences: Sequence[Sequence[str]],
    max_length: int = 128,
    overlap: int = 32,
) -> EncodedWords:
    """As `encode_words`, but sentences that are too long become overlapping windows.

    Each word is spoken for by the one window in which it has most context.

    Args:
        wordpiece: `WordPiece`.
        sentences: list of lists of strings.
        max_length: int. The longest window. Defaults to `128`.
        overlap: int. Words that neighbours share at most. Defaults to `32`.

    Raises:
        TinyBertError: As `encode_words`.
    """
    room = _room(max_length)
    columns: list[list] = [[], [], [], []]
    rows = _pieces_of(wordpiece, sentences)
    for row, pieces in enumerate(rows):
        windows = cut_windows([len(ids) for ids in pieces], max_length, overlap)
        chosen = np.array(choose_window(windows), "int64")
        for index, (start, end) in enumerate(windows or [(0, 0)]):
            ids, firsts = _encode(wordpiece, pieces[start:end], room)
            words = np.flatnonzero(chosen == index).astype("int32")
            found = ids, firsts[words - start], words, row
            for column, value in zip(columns, found, strict=True):
                column.append(value)
    *lists, row = columns
    return EncodedWords(*lists, np.array(row, "int32"), [len(pieces) for pieces in rows])


def _encode(
    wordpiece: WordPiece, pieces: list[list[int]], room: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the words that fit, and the positions of their first pieces."""
    counts = [len(ids) for ids in pieces]
    firsts = np.cumsum([1, *counts[:-1]], dtype="int32") if counts else np.zeros(0, "int32")
    ids = [token_id for word in pieces for token_id in word][:room]
    ids = np.array([wordpiece.cls_id, *ids, wordpiece.sep_id], "int32")
    return ids, firsts[firsts <= room]


def as_words(sentences: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """Sentences as lists of words; strings are cut by `split_words`.

    Raises:
        TinyBertError: If there is one string instead of a list.
    """
    if isinstance(sentences, str):
        raise TinyBertError(f"Expected a list of sentences. Received: one string, {sentences!r}")
    return [split_words(row)[0] if isinstance(row, str) else list(row) for row in sentences]


def count_pieces(wordpiece: WordPiece, sentences: Sequence[Sequence[str]]) -> list[list[int]]:
    """Returns the number of pieces of each word of each sentence, as `encode_words` makes them.

    Raises:
        TinyBertError: If a sentence is no list of strings.
    """
    return [[len(ids) for ids in pieces] for pieces in _pieces_of(wordpiece, sentences)]


def _pieces_of(wordpiece: WordPiece, sentences: Sequence[Sequence[str]]) -> list[list[list[int]]]:
    """Returns the ids of each word of each sentence; equal words are tokenized once."""
    sentences = [check_strings(words, f"sentences[{i}]") for i, words in enumerate(sentences)]
    words = list(dict.fromkeys(word for sentence in sentences for word in sentence))
    pieces = {
        word: ids or [wordpiece.unk_id]
        for word, ids in zip(words, wordpiece.piece_ids(words), strict=True)
    }
    return [[pieces[word] for word in sentence] for sentence in sentences]


def _room(max_length: int) -> int:
    """Returns the number of pieces between `[CLS]` and `[SEP]`."""
    if isinstance(max_length, bool) or not isinstance(max_length, (int, np.integer)):
        raise TinyBertError(
            f"`max_length` is expected to be an integer. Received: max_length={max_length!r}"
        )
    if max_length < 3:
        raise TinyBertError(
            "`max_length` is expected to be at least 3: the special tokens and one piece. "
            f"Received: max_length={max_length}"
        )
    return int(max_length) - 2


# === Text to words ===


def split_words(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Cuts a text as BERT does: at white space, around punctuation and each Chinese character.

    Words are left as they stand in the text, with case, accents and characters that the tokenizer
    drops. A combining mark stays with the character before it.

    Args:
        text: string.

    Returns:
        The words, and `(start, end)` of each: `text[start:end]` is the word.

    Raises:
        TinyBertError: If `text` is no string.
    """
    (text,) = check_strings([text], "text")
    # U+FFFD, which the cleaning removes as well, keeps the offsets.
    splits = PreTokenizedString(_SURROGATE.sub("\ufffd", text))
    splits.normalize(_NORMALIZER.normalize)
    _PRE_TOKENIZER.pre_tokenize(splits)
    offsets: list[tuple[int, int]] = []
    for word, (start, end), _ in splits.get_splits("original", "char"):
        if offsets and offsets[-1][1] == start and _is_marks(word):
            start = offsets.pop()[0]
        offsets.append((start, end))
    return [text[start:end] for start, end in offsets], offsets


def _is_marks(word: str) -> bool:
    return all(unicodedata.category(character) == "Mn" for character in word)


# === Windows ===


def cut_windows(
    piece_counts: Sequence[int], max_length: int, overlap: int = 32
) -> list[tuple[int, int]]:
    """Cuts a sentence into overlapping windows that fit the model.

    Each window is as long as `max_length` allows and reaches further than the one before. A word
    with more pieces than fit stands in a window of its own, or is cut there.

    Args:
        piece_counts: list of ints. The number of pieces of each word; see `count_pieces`.
        max_length: int. The model's length, `[CLS]` and `[SEP]` included.
        overlap: int. Words that neighbours share at most; never more than half a window.
            Defaults to `32`.

    Returns:
        `(start word, end word)` of each window, end exclusive. None for no words.

    Raises:
        TinyBertError: If `max_length` is less than 3, `overlap` is negative, or a count is not
            positive.
    """
    room = _room(max_length)
    if overlap < 0:
        raise TinyBertError(f"`overlap` is expected to be 0 or more. Received: overlap={overlap}")
    if any(count < 1 for count in piece_counts):
        raise TinyBertError(
            f"Positive numbers of pieces are expected. Received: {min(piece_counts)}"
        )
    ends = np.concatenate([[0], np.cumsum(piece_counts, dtype="int64")])
    windows: list[tuple[int, int]] = []
    start = end = 0
    while end < len(piece_counts):
        # Start late enough that word `end` fits too.
        while start < end and ends[end + 1] - ends[start] > room:
            start += 1
        end = max(int(np.searchsorted(ends, ends[start] + room, side="right")) - 1, end + 1)
        windows.append((start, end))
        start = end - min(overlap, (end - start) // 2)
    return windows


def choose_window(windows: Sequence[tuple[int, int]]) -> list[int]:
    """Returns for each word the index of the window in which it has most context.

    Context is the number of words to the nearer end of the window. Of equals the first is chosen.

    Args:
        windows: list of pairs of ints, as `cut_windows` returns them.
    """
    num_words = windows[-1][1] if windows else 0
    chosen, best = [0] * num_words, [-1] * num_words
    for index, (start, end) in enumerate(windows):
        for word in range(start, end):
            context = min(word - start, end - 1 - word)
            if context > best[word]:
                chosen[word], best[word] = index, context
    return chosen
