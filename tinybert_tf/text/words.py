"""Words as WordPiece sees them: counted, and split into pieces one by one."""

from collections import Counter
from collections.abc import Container, Iterable

from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.wordpiece import WordPiece


def split_words(wordpiece: WordPiece, text: str) -> list[str]:
    """Cuts a text into the words that are split into pieces one by one.

    They are cleaned, lowercased and stripped of accents as the tokenizer does it. The literal
    special tokens, such as `"[SEP]"` in a text, are no words and left out.

    Args:
        wordpiece: `WordPiece`.
        text: string.
    """
    return wordpiece.words(text)


def count_words(wordpiece: WordPiece, texts: Iterable[str]) -> Counter[str]:
    """Counts the words of texts; see `split_words`.

    Raises:
        TinyBertError: If `texts` is no list of strings.
    """
    counts: Counter[str] = Counter()
    for text in check_strings(texts, "texts"):
        counts.update(split_words(wordpiece, text))
    return counts


def longest_pieces(
    word: str, vocabulary: Container[str], max_chars: int = 100
) -> tuple[list[str], bool]:
    """Splits a word greedily into its longest pieces.

    Args:
        word: string.
        vocabulary: set (or dict) of strings.
        max_chars: int. Longer words are not split. Defaults to `100`.

    Returns:
        The pieces, and whether they make up the whole word. If not, the tokenizer answers
        `[UNK]`, and the pieces are those on the way to the place where none fits.
    """
    pieces: list[str] = []
    if len(word) > max_chars:
        return pieces, False
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            piece = prefix + word[start:end]
            if piece in vocabulary:
                break
        else:
            return pieces, False
        pieces.append(piece)
        start = end
    return pieces, True
