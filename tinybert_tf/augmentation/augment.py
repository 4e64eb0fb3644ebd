"""Copies of texts in which some words are replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinybert_tf.augmentation.candidates import NONE, Candidates, frequent_words
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.words import split_words

# Texts whose candidates are found together.
_CHUNK = 512


@dataclass(frozen=True)
class Augmented:
    """What `augment` returns.

    Attributes:
        texts: list of strings, or a tuple of two such lists. Every original, then its copies.
        sources: int array. The row of the original that each text came from; repeat labels with
            `[labels[row] for row in augmented.sources]`.
        unchanged: int. Originals without a copy: they had no word to replace.
    """

    texts: list[str] | tuple[list[str], list[str]]
    sources: np.ndarray
    unchanged: int = 0

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class AugmentedWords:
    """What `augment_words` returns: rows of words, their sources, and rows without a copy."""

    rows: list[list[str]]
    sources: np.ndarray
    unchanged: int = 0


def augment(
    texts,
    candidates: Candidates,
    copies: int = 20,
    replace: float = 0.4,
    frequent: int = 50,
    keep: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Augmented:
    """Makes copies of texts in which some words are replaced (Jiao et al. 2020, algorithm 1).

    Each word is replaced with probability `replace` by one of its K candidates, drawn uniformly.
    Copies that equal their original or each other are dropped, so that there may be fewer than
    `copies`. Texts come out as the tokenizer's words, joined with blanks: they tokenize as before.

    Args:
        texts: list of strings, or a tuple of two such lists for sentence pairs, whose two sides
            are both kept with their partner.
        candidates: `Candidates`.
        copies: int. Copies of each text, N_a. Defaults to `20`.
        replace: float. p_t. Defaults to `0.4`.
        frequent: int. The most frequent words of `texts` that are never replaced, in place of a
            list of stop words; at most a tenth of its different words. Defaults to `50`.
        keep: list of strings. Further words that are never replaced. Defaults to none.
        seed: int. The result depends on it and on each text alone. Defaults to `0`.
        progress: function of (texts done, texts in all). Defaults to `None`.

    Returns:
        Augmented.

    Raises:
        TinyBertError: If there are no texts or an argument is out of range.

    Example:
    ```python
    more = tb.augment(train_texts, tb.Candidates(masked_lm, cache="cache"), copies=10)
    tb.distill(teacher, student, more.texts)
    ```
    """
    parts = texts if isinstance(texts, tuple) else (texts,)
    parts = [check_strings(part, "texts") for part in parts]
    if not parts[0] or len({len(part) for part in parts}) > 1:
        raise TinyBertError(
            "Expected texts, and as many second as first ones. "
            f"Received: {' and '.join(str(len(part)) for part in parts)} texts"
        )
    split = [[split_words(candidates.wordpiece, text) for text in part] for part in parts]
    # A pair is one row of words with a seam: both sides are drawn together.
    rows = [[word for side in pair for word in side] for pair in zip(*split, strict=True)]
    found = _augment_rows(
        rows,
        candidates,
        copies,
        replace,
        frequent_words(rows, frequent) | set(keep),
        None,
        seed,
        progress,
        sides=list(zip(*split, strict=True)),
    )
    joined = [[] for _ in parts]
    for words, source in zip(found.rows, found.sources, strict=True):
        start = 0
        for side, texts_of_side in zip(split, joined, strict=True):
            end = start + len(side[source])
            texts_of_side.append(" ".join(words[start:end]))
            start = end
    for made, originals in zip(joined, parts, strict=True):
        _put_originals(made, originals, found.sources)
    return Augmented(
        joined[0] if len(parts) == 1 else tuple(joined), found.sources, found.unchanged
    )


def augment_words(
    rows: Sequence[Sequence[str]],
    candidates: Candidates,
    protected: Sequence[Sequence[bool]] | None = None,
    copies: int = 20,
    replace: float = 0.4,
    frequent: int = 50,
    keep: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> AugmentedWords:
    """As `augment`, for rows of words, such as tagged sentences.

    A word is replaced by one word, so that tags stay where they are.

    Args:
        rows: list of lists of words.
        candidates: `Candidates`.
        protected: list of lists of bools. Words that are never replaced, such as entities.
            Defaults to `None`: none.
        copies: int. Defaults to `20`.
        replace: float. Defaults to `0.4`.
        frequent: int. See `augment`. Defaults to `50`.
        keep: list of strings. See `augment`. Defaults to none.
        seed: int. Defaults to `0`.
        progress: function of (rows done, rows in all). Defaults to `None`.

    Raises:
        TinyBertError: If marks and words do not agree in number.
    """
    rows = [list(words) for words in rows]
    if protected is not None:
        for index, (words, marks) in enumerate(zip(rows, protected, strict=True)):
            if len(words) != len(marks):
                raise TinyBertError(
                    "Expected one mark a word. Received: "
                    f"row {index} with {len(words)} words and {len(marks)} marks"
                )
    kept = frequent_words(rows, frequent) | set(keep)
    return _augment_rows(rows, candidates, copies, replace, kept, protected, seed, progress)


def _augment_rows(
    rows, candidates, copies, replace, kept, protected, seed, progress, sides=None
) -> AugmentedWords:
    if copies < 1 or not 0 < replace <= 1:
        raise TinyBertError(
            "Expected at least one copy and a share to replace above 0, at most 1. "
            f"Received: copies={copies}, replace={replace}"
        )
    vocabulary = candidates.wordpiece.vocabulary
    out, sources, unchanged = [], [], 0
    for start in range(0, len(rows), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(rows)))
        found = _find(candidates, rows, sides, chunk)
        for index, options in zip(chunk, found, strict=True):
            words = rows[index]
            marks = None if protected is None else protected[index]
            places = [
                place
                for place, word in enumerate(words)
                if options[place, 0] != NONE
                and word not in kept
                and any(character.isalpha() for character in word)
                and not (marks is not None and marks[place])
            ]
            copied = _copies(words, places, options, vocabulary, copies, replace, [seed, index])
            unchanged += not copied
            out += [words, *copied]
            sources += [index] * (1 + len(copied))
        if progress is not None:
            progress(chunk.stop, len(rows))
    return AugmentedWords(out, np.array(sources), unchanged)


def _find(candidates, rows, sides, chunk) -> list[np.ndarray]:
    """Candidates of some rows; the sides of a pair are texts of their own to the model."""
    if sides is None:
        return candidates.find([rows[index] for index in chunk])
    flat = candidates.find([side for index in chunk for side in sides[index]])
    width = len(sides[0])
    return [np.concatenate(flat[k : k + width]) for k in range(0, len(flat), width)]


def _copies(words, places, options, vocabulary, copies, replace, seed) -> list[list[str]]:
    """Different copies of a row, none equal to it."""
    if not places:
        return []
    generator = np.random.default_rng(seed)
    seen, made = {tuple(words)}, []
    for _ in range(copies):
        copy = list(words)
        for place in places:
            if generator.random() < replace:
                known = options[place][options[place] != NONE]
                copy[place] = vocabulary[generator.choice(known)]
        if tuple(copy) not in seen:
            seen.add(tuple(copy))
            made.append(copy)
    return made


def _put_originals(texts: list[str], originals: list[str], sources: np.ndarray) -> None:
    """Puts each original back as it was written: it is the first of its group."""
    for place in np.flatnonzero(np.diff(sources, prepend=-1)):
        texts[place] = originals[sources[place]]
