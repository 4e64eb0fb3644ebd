"""BERT's WordPiece tokenizer: the same tokens as transformers' `BertTokenizer`, without it."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tokenizers import decoders

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.bert_rules import BertRules
from tinybert_tf.text.encoded import Encoded, longest_first
from tinybert_tf.text.mediapipe_rules import MediaPipeRules
from tinybert_tf.text.strings import check_strings, valid_text
from tinybert_tf.text.vocabulary import (
    SPECIAL_TOKENS,
    check_vocabulary,
    read_folder_settings,
    read_vocabulary,
    write_folder,
)

RULES = ("bert", "mediapipe")
_DECODER = decoders.WordPiece(prefix="##")
_DEFAULTS = {
    "lowercase": True,
    "strip_accents": None,
    "tokenize_chinese_chars": True,
    "max_input_chars_per_word": 100,
}
# Texts handed to the Rust code at a time: bounds the memory that full encodings take.
_TEXTS_PER_CALL = 2048
# A pair of surrogates, or any other code point.
_CHARACTER = re.compile(r"[\ud800-\udbff][\udc00-\udfff]|.", re.DOTALL)


class WordPiece:
    """Splits text into the word pieces of a BERT vocabulary.

    Tokens are identical to those of transformers' `BertTokenizer`: text is cleaned (control
    characters out, white space to spaces), Chinese characters are split, text is lowercased and
    stripped of accents if asked, cut at white space and punctuation, and each word is replaced by
    its greedy longest pieces, or by `[UNK]` as a whole. The literal special tokens, such as
    `"[SEP]"` in a text, become the special token, also as there. Code points that are no valid
    text (lone surrogates) count as U+FFFD, which the cleaning removes.

    MediaPipe's TextClassifier cuts texts otherwise (accents, capitals beyond ASCII, white space:
    see `mediapipe_rules`). A model that goes into it is best trained with `rules="mediapipe"`.

    Objects are immutable, so that threads may share one.

    Args:
        vocabulary: list of strings, or path. The tokens in the order of their ids, or a
            `vocab.txt` with one token a line.
        lowercase: bool. Whether text is lowercased. Defaults to `True`.
        strip_accents: bool or None. Whether accents are removed; `None` does as `lowercase`.
            Defaults to `None`.
        tokenize_chinese_chars: bool. Whether each Chinese character is a word. Defaults to
            `True`.
        max_input_chars_per_word: int. Longer words become `[UNK]`. Defaults to `100`.
        rules: string. `"bert"`, or `"mediapipe"`, which has no further settings. Defaults to
            `"bert"`.

    Raises:
        TinyBertError: If the vocabulary is empty, lacks a special token or repeats a token; if
            `rules` are unknown, or MediaPipe's are given with another setting.

    Example:
        >>> wordpiece = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing"])
        >>> wordpiece.tokenize("Playing!")
        ['play', '##ing', '[UNK]']
        >>> wordpiece.encode(["Playing!"]).token_ids[0].tolist()
        [2, 5, 6, 1, 3]
    """

    def __init__(
        self,
        vocabulary: Sequence[str] | str | os.PathLike,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        max_input_chars_per_word: int = 100,
        rules: str = "bert",
    ):
        if isinstance(vocabulary, (str, os.PathLike)):
            vocabulary = read_vocabulary(vocabulary)
        self.vocabulary: list[str] = list(vocabulary)
        self.lowercase = bool(lowercase)
        self.strip_accents = strip_accents
        self.tokenize_chinese_chars = bool(tokenize_chinese_chars)
        self.max_input_chars_per_word = int(max_input_chars_per_word)

        self._ids = check_vocabulary(self.vocabulary)
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = (
            self._ids[token] for token in SPECIAL_TOKENS
        )
        self.rules = rules
        self._rules = self._find_rules()

    @classmethod
    def from_folder(cls, folder: str | os.PathLike, **overrides) -> "WordPiece":
        """Reads the tokenizer of a Hugging Face (or official TinyBERT) checkpoint folder.

        The vocabulary is `vocab.txt`, else the one in `tokenizer.json`. Settings come, first
        found first, from `overrides`, `tokenizer_config.json`, the normalizer in
        `tokenizer.json`, and `BertTokenizer`'s defaults (lowercase): a cased checkpoint that
        ships nothing but `vocab.txt` needs `lowercase=False` here as it does there.

        Args:
            folder: path. The checkpoint folder.
            **overrides: Constructor arguments that replace the folder's settings.

        Raises:
            TinyBertError: If there is no vocabulary, or the tokenizer is not BERT's WordPiece.
        """
        vocabulary, settings = read_folder_settings(folder)
        return cls(vocabulary, **{**settings, **overrides})

    def _find_rules(self) -> BertRules | MediaPipeRules:
        settings = {name: value for name, value in self.get_config().items() if name != "rules"}
        if self.rules == "bert":
            return BertRules(self._ids, **settings)
        if self.rules != "mediapipe":
            raise TinyBertError(
                f"Expected rules out of {', '.join(RULES)}. Received: rules={self.rules!r}"
            )
        other = {name: value for name, value in settings.items() if value != _DEFAULTS[name]}
        if other:
            raise TinyBertError(
                "Expected MediaPipe's rules without other settings: it lower-cases ASCII, keeps "
                f"accents and splits Chinese characters, whatever a file says. Received: {other}"
            )
        return MediaPipeRules(self._ids, self.unk_id)

    # === Text to ids ===

    def encode(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None = None,
        max_length: int = 128,
    ) -> Encoded:
        """Turns texts, or pairs of texts, into ids with `[CLS]` and `[SEP]` in place.

        Args:
            texts: list of strings. Row by row, `[CLS] text [SEP]`.
            pairs: list of strings or None. The second texts, `[CLS] text [SEP] pair [SEP]`.
                Defaults to `None`.
            max_length: int. Longer rows are cut at the end; of a pair the longer text first, as
                transformers' `longest_first`. Defaults to `128`.

        Returns:
            An `Encoded` with one entry a row, not padded.

        Raises:
            TinyBertError: If a row is not a string, the numbers of texts and pairs differ, or
                `max_length` leaves no room for one token of each text.
        """
        texts = check_strings(texts, "texts")
        minimum = 3 if pairs is None else 5
        if isinstance(max_length, bool) or not isinstance(max_length, (int, np.integer)):
            raise TinyBertError(
                f"`max_length` is expected to be an integer. Received: max_length={max_length!r}"
            )
        if max_length < minimum:
            raise TinyBertError(
                f"`max_length` is expected to be at least {minimum}: the special tokens and one "
                f"token of each text. Received: max_length={max_length}"
            )
        if pairs is None:
            ids = self._encode_single(texts, max_length)
            return Encoded(ids, [np.zeros(len(row), "int32") for row in ids])
        pairs = check_strings(pairs, "pairs")
        if len(pairs) != len(texts):
            raise TinyBertError(
                "`texts` and `pairs` are expected to have the same number of rows. "
                f"Received: {len(texts)} texts and {len(pairs)} pairs"
            )
        return self._encode_pairs(texts, pairs, max_length)

    def _encode_single(self, texts: list[str], max_length: int) -> list[np.ndarray]:
        return [
            np.array([self.cls_id, *ids[: max_length - 2], self.sep_id], "int32")
            for ids in self._ids_of(texts)
        ]

    def _encode_pairs(self, texts: list[str], pairs: list[str], max_length: int) -> Encoded:
        token_ids, segment_ids = [], []
        for first, second in zip(self._ids_of(texts), self._ids_of(pairs), strict=True):
            keep_first, keep_second = longest_first(len(first), len(second), max_length - 3)
            first, second = first[:keep_first], second[:keep_second]
            token_ids.append(
                np.array([self.cls_id, *first, self.sep_id, *second, self.sep_id], "int32")
            )
            segment_ids.append(
                np.repeat(np.array([0, 1], "int32"), [len(first) + 2, len(second) + 1])
            )
        return Encoded(token_ids, segment_ids)

    def _ids_of(self, texts: list[str]) -> Iterator[list[int]]:
        """Yields each text's ids, whole and without special tokens."""
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            chunk = [valid_text(text) for text in texts[start : start + _TEXTS_PER_CALL]]
            yield from self._rules.ids(chunk)

    def encode_offsets(self, texts: Iterable[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields each text's ids, whole and without special tokens, and where they stand.

        Args:
            texts: list of strings.

        Yields:
            int32 arrays `(length,)`, the ids, and `(length, 2)`: the first character of each piece
            in the text as given, and the one after its last.

        Raises:
            TinyBertError: If a row is not a string.
        """
        texts = check_strings(texts, "texts")
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            chunk = texts[start : start + _TEXTS_PER_CALL]
            valid = [valid_text(text) for text in chunk]
            for text, joined, (ids, places) in zip(
                chunk, valid, self._rules.pieces(valid), strict=True
            ):
                offsets = np.array(places, "int32").reshape(-1, 2)
                if len(joined) < len(text):
                    firsts = [match.start() for match in re.finditer(_CHARACTER, text)]
                    offsets = np.array([*firsts, len(text)], "int32")[offsets]
                yield np.array(ids, "int32"), offsets

    def piece_ids(self, texts: Iterable[str]) -> list[list[int]]:
        """Returns each text's ids, whole and without `[CLS]` and `[SEP]`.

        Raises:
            TinyBertError: If `texts` is no list of strings.
        """
        return list(self._ids_of(check_strings(texts, "texts")))

    def tokenize(self, text: str) -> list[str]:
        """Returns the word pieces of one text, without `[CLS]` and `[SEP]`.

        Raises:
            TinyBertError: If `text` is not a string.
        """
        (text,) = check_strings([text], "text")
        return [self.vocabulary[token_id] for token_id in next(self._ids_of([text]))]

    def words(self, text: str) -> list[str]:
        """Returns the words, normalized, that are split into pieces one by one; no specials."""
        return self._rules.words(valid_text(text))

    # === Ids to text ===

    def decode(self, ids: Sequence[int]) -> str:
        """Joins ids to readable text; special tokens are left out.

        Raises:
            TinyBertError: If an id lies outside the vocabulary.
        """
        ids = [int(token_id) for token_id in ids]
        if ids and not 0 <= min(ids) <= max(ids) < self.vocabulary_size:
            raise TinyBertError(
                f"Ids are expected to lie between 0 and {self.vocabulary_size - 1}. "
                f"Received: ids from {min(ids)} to {max(ids)}"
            )
        tokens = (self.vocabulary[token_id] for token_id in ids)
        return _DECODER.decode([token for token in tokens if token not in SPECIAL_TOKENS])

    # === Vocabulary ===

    @property
    def vocabulary_size(self) -> int:
        """The number of tokens."""
        return len(self.vocabulary)

    def token_to_id(self, token: str) -> int:
        """Returns the id of a token, or that of `[UNK]` when the vocabulary lacks it."""
        return self._ids.get(token, self.unk_id)

    # === Config ===

    def get_config(self) -> dict:
        """Returns the constructor arguments, without the vocabulary."""
        return {
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
            "max_input_chars_per_word": self.max_input_chars_per_word,
            **({} if self.rules == "bert" else {"rules": self.rules}),
        }

    def save(self, folder: str | os.PathLike) -> None:
        """Writes `vocab.txt` and `tokenizer_config.json`, which transformers loads.

        Raises:
            TinyBertError: If the folder cannot be written.
        """
        write_folder(folder, self.vocabulary, self.get_config())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WordPiece):
            return NotImplemented
        return self.vocabulary == other.vocabulary and self.get_config() == other.get_config()

    __hash__ = None

    def __repr__(self) -> str:
        return f"<WordPiece vocabulary_size={self.vocabulary_size} lowercase={self.lowercase}>"
