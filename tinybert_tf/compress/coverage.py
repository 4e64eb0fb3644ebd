"""What a smaller vocabulary changes, in numbers."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.table import Table

from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.wordpiece import WordPiece
from tinybert_tf.text.words import longest_pieces, split_words

# Bytes of the scale that quantization to 4 bits stores for each row.
_INT4_SCALE = 4


@dataclass(frozen=True)
class TextCoverage:
    """How texts tokenize before and after; all texts whole, as if none were cut.

    Attributes:
        texts: int. Number of texts.
        words: int. Number of words.
        tokens_before: int. Their pieces with the old vocabulary; an `[UNK]` is one.
        tokens_after: int. Their pieces with the new one.
        unchanged_texts: float. Share of the texts whose every token is the same.
        unchanged_tokens: float. Share of the old tokens whose word splits as before.
        unknown_before: float. Share of the words that are `[UNK]` with the old vocabulary.
        unknown_after: float. The same with the new one.
    """

    texts: int
    words: int
    tokens_before: int
    tokens_after: int
    unchanged_texts: float
    unchanged_tokens: float
    unknown_before: float
    unknown_after: float

    @property
    def pieces_per_word_before(self) -> float:
        """Mean number of pieces of a word with the old vocabulary."""
        return self.tokens_before / max(self.words, 1)

    @property
    def pieces_per_word_after(self) -> float:
        """Mean number of pieces of a word with the new vocabulary."""
        return self.tokens_after / max(self.words, 1)

    def to_dict(self) -> dict:
        """Returns everything as JSON values."""
        return {
            **asdict(self),
            "pieces_per_word_before": self.pieces_per_word_before,
            "pieces_per_word_after": self.pieces_per_word_after,
        }


@dataclass(frozen=True)
class VocabularyCoverage:
    """The size of two vocabularies, and what the smaller one does to texts.

    Attributes:
        size_before: int. Tokens of the old vocabulary.
        size_after: int. Tokens of the new one.
        hidden_dim: int. Width of the word table.
        corpus: `TextCoverage` of the texts that the tokens were chosen for.
        dev: `TextCoverage` of held-out texts, or `None`.
    """

    size_before: int
    size_after: int
    hidden_dim: int
    corpus: TextCoverage
    dev: TextCoverage | None = None

    def table_bytes(self, dtype: str = "float32") -> tuple[int, int]:
        """Returns the size of the word table before and after.

        Args:
            dtype: string. `"float32"`, or `"int4"`: two values a byte and a float32 scale a row.
        """
        row = 4 * self.hidden_dim
        if dtype == "int4":
            row = (self.hidden_dim + 1) // 2 + _INT4_SCALE
        return self.size_before * row, self.size_after * row

    def to_dict(self) -> dict:
        """Returns everything as JSON values."""
        sizes = {
            f"{dtype}_bytes_{when}": size
            for dtype in ("float32", "int4")
            for when, size in zip(("before", "after"), self.table_bytes(dtype), strict=True)
        }
        parts = {"corpus": self.corpus.to_dict(), "dev": self.dev and self.dev.to_dict()}
        counts = {"size_before": self.size_before, "size_after": self.size_after}
        return {**counts, "hidden_dim": self.hidden_dim, **sizes, **parts}

    def to_text(self) -> str:
        """Returns a Markdown table whose columns are aligned for reading."""
        rows = [("vocabulary", "before", "after"), *self._rows()]
        first, *others = (max(len(row[column]) for row in rows) for column in range(3))
        lines = [
            f"| {row[0]:<{first}} | {row[1]:>{others[0]}} | {row[2]:>{others[1]}} |" for row in rows
        ]
        rule = f"|{'-' * (first + 2)}|{'-' * (others[0] + 1)}:|{'-' * (others[1] + 1)}:|"
        return "\n".join([lines[0], rule, *lines[1:]])

    def rich_table(self) -> Table:
        """Returns a table for the terminal."""
        table = Table("vocabulary")
        for heading in ("before", "after"):
            table.add_column(heading, justify="right")
        previous = None
        for name, *values in self._rows():
            group = name.partition(":")[0]
            if previous is not None and group != previous and ":" in name:
                table.add_section()
            previous = group
            table.add_row(name, *values)
        return table

    def __rich__(self) -> Table:
        return self.rich_table()

    def __str__(self) -> str:
        return self.to_text()

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = [("tokens", f"{self.size_before:,}", f"{self.size_after:,}")]
        for dtype in ("float32", "int4"):
            before, after = self.table_bytes(dtype)
            rows.append((f"word table in {dtype}", _megabytes(before), _megabytes(after)))
        for name, part in (("corpus", self.corpus), ("dev", self.dev)):
            if part is not None:
                rows += [(f"{name}: {what}", before, after) for what, before, after in _lines(part)]
        return rows


def measure_coverage(
    before: WordPiece,
    after: WordPiece,
    hidden_dim: int,
    texts: Iterable[str],
    dev_texts: Iterable[str] | None = None,
) -> VocabularyCoverage:
    """Compares two vocabularies of one tokenizer.

    Args:
        before: `WordPiece`. The old vocabulary.
        after: `WordPiece`. The new one, with the same settings.
        hidden_dim: int. Width of the word table.
        texts: list of strings. The corpus.
        dev_texts: list of strings. Held-out texts. Defaults to `None`.

    Raises:
        TinyBertError: If texts are no lists of strings.
    """
    return VocabularyCoverage(
        size_before=before.vocabulary_size,
        size_after=after.vocabulary_size,
        hidden_dim=hidden_dim,
        corpus=_measure(before, after, check_strings(texts, "texts")),
        dev=None
        if dev_texts is None
        else _measure(before, after, check_strings(dev_texts, "dev_texts")),
    )


def _measure(before: WordPiece, after: WordPiece, texts: list[str]) -> TextCoverage:
    vocabularies = [frozenset(wordpiece.vocabulary) for wordpiece in (before, after)]
    splits: dict[str, tuple] = {}
    words = old_tokens = new_tokens = unchanged = unchanged_texts = old_unknown = new_unknown = 0
    for text in texts:
        same_text = True
        for word in split_words(before, text):
            if word not in splits:
                old, new = (_tokens(word, known, before) for known in vocabularies)
                splits[word] = (len(old), len(new), old == new, "[UNK]" in old, "[UNK]" in new)
            old, new, same, old_missing, new_missing = splits[word]
            words += 1
            old_tokens += old
            new_tokens += new
            unchanged += old if same else 0
            old_unknown += old_missing
            new_unknown += new_missing
            same_text &= same
        unchanged_texts += same_text
    return TextCoverage(
        texts=len(texts),
        words=words,
        tokens_before=old_tokens,
        tokens_after=new_tokens,
        unchanged_texts=unchanged_texts / max(len(texts), 1),
        unchanged_tokens=unchanged / max(old_tokens, 1),
        unknown_before=old_unknown / max(words, 1),
        unknown_after=new_unknown / max(words, 1),
    )


def _tokens(word: str, vocabulary: frozenset[str], wordpiece: WordPiece) -> list[str]:
    pieces, whole = longest_pieces(word, vocabulary, wordpiece.max_input_chars_per_word)
    return pieces if whole else ["[UNK]"]


def _lines(part: TextCoverage) -> list[tuple[str, str, str]]:
    """What is said of texts; shares of what stayed have one value only."""
    pieces = part.pieces_per_word_before, part.pieces_per_word_after
    unknown = part.unknown_before, part.unknown_after
    return [
        ("tokens", f"{part.tokens_before:,}", f"{part.tokens_after:,}"),
        ("pieces a word", *(f"{value:.3f}" for value in pieces)),
        ("words that are [UNK]", *(_percent(value) for value in unknown)),
        ("tokens split as before", "", _percent(part.unchanged_tokens)),
        ("texts split as before", "", _percent(part.unchanged_texts)),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"
