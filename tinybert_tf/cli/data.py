"""Data as the training commands need them: train, and dev or a share held out for it."""

from dataclasses import asdict, dataclass

from tinybert_tf.cli.tasks import Task, TaskData
from tinybert_tf.errors import TinyBertError
from tinybert_tf.runs import digest


@dataclass
class Split:
    """Training and development data.

    Attributes:
        task: `Task`.
        train: `TaskData`.
        dev: `TaskData`, or `None`.
    """

    task: Task
    train: TaskData
    dev: TaskData | None

    def describe(self) -> dict:
        """What identifies the data in a run's settings: the content, wherever the files lie."""
        found = {} if self.task.name == "classification" else {"task": self.task.name}
        return {
            **found,
            "train_rows": len(self.train),
            "dev_rows": 0 if self.dev is None else len(self.dev),
            "data": digest(*(_content(part) for part in (self.train, self.dev) if part)),
        }

    @property
    def validation_data(self) -> tuple | None:
        """The pair (inputs, labels) that training evaluates on."""
        if self.dev is None or self.dev.labels is None or self.task.name == "embedding":
            return None
        return self.dev.inputs, self.dev.labels


def read_split(
    task: Task,
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
        task: `Task`.
        train: path or `hf:NAME`.
        dev: path or `hf:NAME`, or `None`.
        dev_share: float. Share to hold out when `dev` is `None`; 0 for none.
        seed: int. Of the held-out share.
        columns: dict. Arguments `text`, `label` and `text_pair` of `read_examples`.
        multi_label: bool.
        require_labels: bool. Whether unlabelled training data are refused. Defaults to `True`.

    Raises:
        TinyBertError: If a file is malformed, holds a single class, or there is too little to hold
            out; or if the package is missing that scores translations or summaries.
    """
    if task.generates and (dev is not None or dev_share):
        from tinybert_tf.evaluate.translation import check_scorer

        check_scorer(task.name)
    found = task.read(train, columns, multi_label, require_labels)
    if require_labels:
        task.check(found, None)
    if dev is not None:
        return Split(task, found, task.read(dev, columns, multi_label, True))
    if dev_share == 0 or found.labels is None or task.name == "embedding":
        return Split(task, found, None)
    held_out = set(_held_out(found, dev_share, seed))
    rows = range(len(found))
    return Split(
        task,
        found.take([row for row in rows if row not in held_out]),
        found.take([row for row in rows if row in held_out]),
    )


def _held_out(data: TaskData, share: float, seed: int) -> list[int]:
    """Rows for development: of each class, of all rows, or of groups as a whole."""
    if data.groups is None:
        return held_out_rows(data.labels, share, seed)
    names = list(dict.fromkeys(data.groups))
    chosen = {names[index] for index in held_out_rows([[]] * len(names), share, seed)}
    return [row for row, group in enumerate(data.groups) if group in chosen]


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


def _content(data: TaskData) -> list:
    labels = data.labels
    if data.groups is not None and not (labels and isinstance(labels[0], str)):  # answers
        labels = [[asdict(answer) for answer in row] for row in labels or []]
    first, second = (*data.parts, None)[:2]
    return [first, second, labels]
