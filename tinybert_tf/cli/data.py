"""Tables as the training commands need them: train, dev and the label names."""

from dataclasses import dataclass, replace

from tinybert_tf.errors import TinyBertError
from tinybert_tf.runs import digest
from tinybert_tf.text.examples import Examples, check_classes, check_label_sets, listed
from tinybert_tf.text.readers import read_examples


@dataclass
class Split:
    """Training and development data.

    Attributes:
        train: `Examples`.
        dev: `Examples`, or `None`.
    """

    train: Examples
    dev: Examples | None

    def describe(self) -> dict:
        """What identifies the data in a run's settings: the content, wherever the files lie."""
        return {
            "train_rows": len(self.train),
            "dev_rows": 0 if self.dev is None else len(self.dev),
            "data": digest(*(_content(part) for part in (self.train, self.dev) if part)),
        }

    @property
    def validation_data(self) -> tuple | None:
        """The pair (texts, labels) that training evaluates on."""
        if self.dev is None or self.dev.labels is None:
            return None
        return inputs(self.dev), self.dev.labels


def read_split(
    train: str,
    dev: str | None,
    dev_share: float,
    seed: int,
    columns: dict,
    multi_label: bool,
    require_labels: bool = True,
) -> Split:
    """Reads the training data, and the development data or a share held out for it.

    Args:
        train: path or `hf:NAME`.
        dev: path or `hf:NAME`, or `None`.
        dev_share: float. Share to hold out when `dev` is `None`; 0 for none.
        seed: int. Of the held-out share.
        columns: dict. Arguments `text`, `label` and `text_pair` of `read_examples`.
        multi_label: bool.
        require_labels: bool. Whether unlabelled training data are refused. Defaults to `True`.

    Raises:
        TinyBertError: If a table is malformed, holds a single class, the labels of dev are not
            those of train, or there is too little to hold out.
    """
    examples = read_examples(
        train, multi_label=multi_label, require_labels=require_labels, **columns
    )
    if require_labels:
        check_classes(examples)
    if dev is not None:
        found = read_examples(dev, multi_label=multi_label, **columns)
        if examples.labels is not None:
            check_label_sets(examples, found)
        return Split(examples, found)
    if dev_share == 0 or examples.labels is None:
        return Split(examples, None)
    held_out = set(held_out_rows(examples.labels, dev_share, seed))
    rows = range(len(examples))
    return Split(
        take(examples, [row for row in rows if row not in held_out]),
        take(examples, [row for row in rows if row in held_out]),
    )


def check_known(examples: Examples, labels: list[str]) -> None:
    """Checks that all labels of a table are a model's.

    Raises:
        TinyBertError: If one is not; it names the label, its place and the known ones.
    """
    known = set(labels)
    for row, own in enumerate(examples.labels or []):
        for name in [own] if isinstance(own, str) else own:
            if name not in known:
                raise TinyBertError(
                    f"Expected labels that the model knows: {listed(labels)}. "
                    f"Received: {name!r} at {examples.place(row)}"
                )


def held_out_rows(labels: list, share: float, seed: int) -> list[int]:
    """Chooses rows such that each class gives its share and keeps at least one row.

    Args:
        labels: list of strings; lists of strings count as one class, whatever they hold.
        share: float. Between 0 and 1.
        seed: int.

    Raises:
        TinyBertError: If no class has a row to spare.
    """
    import numpy as np

    by_class: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        by_class.setdefault(label if isinstance(label, str) else "", []).append(row)
    generator = np.random.default_rng(seed)
    chosen = []
    for name in sorted(by_class):
        rows = by_class[name]
        count = min(round(share * len(rows)), len(rows) - 1)
        chosen += generator.permutation(rows)[:count].tolist()
    if not chosen:
        raise TinyBertError(
            "Expected enough rows to hold some out for development; pass --dev, a larger "
            f"--dev-share, or --dev-share 0 to train without. Received: {len(labels)} rows in "
            f"{len(by_class)} classes, dev_share={share}"
        )
    return sorted(chosen)


def take(examples: Examples, rows: list[int]) -> Examples:
    """Returns some rows of a table."""

    def column(values):
        return None if values is None else [values[row] for row in rows]

    return replace(
        examples,
        texts=column(examples.texts),
        labels=column(examples.labels),
        pairs=column(examples.pairs),
        lines=column(examples.lines),
    )


def inputs(examples: Examples):
    """What a classifier reads: a list of texts, or a tuple of two lists for pairs."""
    return examples.texts if examples.pairs is None else (examples.texts, examples.pairs)


def _content(examples: Examples) -> list:
    return [examples.texts, examples.pairs, examples.labels]
