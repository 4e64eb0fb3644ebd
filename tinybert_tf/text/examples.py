"""Labeled texts as read from a file, and the checks that training needs of their labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tinybert_tf.errors import TinyBertError

# Names that a message spells out before it counts the rest.
LISTED = 10

Labels = Sequence[str] | Sequence[Sequence[str]]


@dataclass
class Examples:
    """Texts with their labels, row by row.

    Attributes:
        texts: list of strings.
        labels: list of strings; list of lists of strings for multi-label data; None if the file
            holds no labels.
        pairs: list of strings, the second texts, or None.
        source: string. The file or data set, for messages.
        lines: list of ints. Where each row starts: the line of the file, from 1, or the row of
            the data set, from 0.
    """

    texts: list[str]
    labels: list[str] | list[list[str]] | None = None
    pairs: list[str] | None = None
    source: str = ""
    lines: list[int] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.texts)

    def place(self, row: int) -> str:
        """Returns `"file:line"` of a row, for messages."""
        if row < len(self.lines):
            return f"{self.source}:{self.lines[row]}"
        return f"row {row} of {self.source}" if self.source else f"row {row}"


def check_classes(labels: Examples | Labels) -> list[str]:
    """Returns the distinct labels in their canonical order, by number if all are integers.

    Args:
        labels: `Examples`, or list of strings (or of lists of strings).

    Raises:
        TinyBertError: If there are no labels or fewer than two distinct ones (one, where rows are
            lists of labels).
    """
    examples = _as_examples(labels)
    if not examples.labels:
        raise TinyBertError(
            f"Labeled examples are expected. Received: {examples.source or 'labels'} without labels"
        )
    counts = Counter(name for row in examples.labels for name in _names(row))
    # A single yes-or-no label is a sound multi-label task.
    minimum = 2 if isinstance(examples.labels[0], str) else 1
    if len(counts) < minimum:
        where = f"{examples.source}: " if examples.source else ""
        raise TinyBertError(
            f"{where}At least {minimum} distinct label(s) are expected in {len(examples.labels)} "
            f"rows. Received: {', '.join(map(repr, counts)) or 'none'}"
        )
    return sort_labels(counts)


def check_label_sets(train: Examples | Labels, dev: Examples | Labels) -> list[str]:
    """Checks that every label of `dev` occurs in `train`, and returns the labels of `train`.

    Raises:
        TinyBertError: If `dev` holds labels that `train` lacks (named, with the first row of
            each), or `check_classes(train)` fails.
    """
    known = check_classes(train)
    dev = _as_examples(dev)
    unknown: dict[str, int] = {}
    for row, labels in enumerate(dev.labels or []):
        for name in _names(labels):
            if name not in known and name not in unknown:
                unknown[name] = row
    if unknown:
        found = ", ".join(
            f"{name!r} at {dev.place(row)}" for name, row in list(unknown.items())[:LISTED]
        )
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        raise TinyBertError(
            f"Labels of the development data are expected to occur in the training data: "
            f"{listed(known)}. Received: {found}{more}"
        )
    return known


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Returns distinct labels sorted, by number if all of them are integers."""
    labels = sorted(set(labels))
    if all(label.removeprefix("-").isdecimal() for label in labels):
        labels.sort(key=int)
    return labels


def listed(names: Iterable[str]) -> str:
    """Returns the first ten names, quoted, with the number of those left out."""
    names = list(names)
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(map(repr, names[:LISTED])) + rest


def _as_examples(labels: Examples | Labels) -> Examples:
    if isinstance(labels, Examples):
        return labels
    labels = [str(row) if not isinstance(row, (list, tuple)) else list(row) for row in labels]
    return Examples(texts=[""] * len(labels), labels=labels)


def _names(row: str | Sequence[str]) -> Sequence[str]:
    return [row] if isinstance(row, str) else row
