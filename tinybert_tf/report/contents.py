"""What a report is made of. The caller measures; the report draws."""

from dataclasses import dataclass, field

import numpy as np

from tinybert_tf.evaluate.tasks import MAIN_SCORES
from tinybert_tf.report.attention import AttentionMaps


@dataclass(frozen=True)
class ModelFigures:
    """One row of the table of models and files.

    Args:
        name: string. What people call it.
        form: string. What it is: `"Keras"`, or target and numbers of a file. Defaults to `""`.
        scores: dict of data name to the task's main score. Defaults to none.
        parameters: int. Defaults to `None`: unknown.
        size_bytes: int. Of the file. Defaults to `None`: unknown.
        latency_ms: float. Median of one call. Defaults to `None`: unknown.
        measured: bool. Whether it was measured for this report; else the run recorded it.
            Defaults to `False`.
    """

    name: str
    form: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    parameters: int | None = None
    size_bytes: int | None = None
    latency_ms: float | None = None
    measured: bool = False


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """The data that a report judges the model on.

    Args:
        source: string. The file, for the reader.
        texts: list of strings; of pairs the first, of words joined.
        pairs: list of strings, or `None`.
        labels: list: class names, lists of them, scores or what the task has.
        lengths: list of ints. Tokens of each row, [CLS] and [SEP] included, before cutting.
        max_length: int. The model's longest input.
        class_names: list of strings. Classes to count; empty where labels are no classes.
    """

    source: str
    texts: list[str]
    pairs: list[str] | None
    labels: list
    lengths: list[int]
    max_length: int
    class_names: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence whose attention is shown.

    Args:
        text: string.
        maps: dict of the model's name to its `AttentionMaps`.
        note: string. Why it was chosen. Defaults to `""`.
    """

    text: str
    maps: dict[str, AttentionMaps]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a page shows.

    Args:
        name: string. Name of the run.
        config: dict. config.json of the run.
        metrics: dict. metrics.json of the run.
        kind: string. Key of `MAIN_SCORES`.
        history: dict, as `read_history` returns it.
        models: list of `ModelFigures`.
        data: `LabelledTexts`. Defaults to `None`: not given.
        outputs: array. The model's outputs on the data: probabilities or scores. Defaults to
            `None`.
        scores: report of the model on the data, such as `ClassificationReport`. Defaults to
            `None`.
        sentences: list of `Sentence`. Defaults to none.
        has_teacher: bool. Whether a teacher was given. Defaults to `False`.
    """

    name: str
    config: dict
    metrics: dict
    kind: str
    history: dict
    models: list[ModelFigures]
    data: LabelledTexts | None = None
    outputs: np.ndarray | None = None
    scores: object | None = None
    sentences: list[Sentence] = field(default_factory=list)
    has_teacher: bool = False

    @property
    def is_classification(self) -> bool:
        """Whether outputs are probabilities of classes."""
        return self.kind in ("classes", "labels")

    @property
    def score_name(self) -> str:
        """What the main score is called."""
        return MAIN_SCORES[self.kind][1]


# What the model of a run is called, by the command that made it.
OWN_NAMES = {
    "finetune": "fine-tuned model",
    "distill": "student",
    "quantize": "quantized student",
    "demo": "quantized student",
}


def recorded_figures(config: dict, metrics: dict, kind: str) -> list[ModelFigures]:
    """The rows that a run itself recorded, its own model first.

    Args:
        config: dict. config.json of the run.
        metrics: dict. metrics.json of the run.
        kind: string. Key of `MAIN_SCORES`.
    """
    own = OWN_NAMES.get(config["command"], "model")
    attribute = MAIN_SCORES[kind][0]

    def scores(key: str) -> dict[str, float]:
        value = (metrics.get(key) or {}).get(attribute)
        return {} if value is None else {"dev": value}

    rows = [ModelFigures(own, "Keras", scores("dev"), metrics.get("parameters"))]
    if metrics.get("float_dev"):
        rows.append(ModelFigures("float student", "Keras", scores("float_dev")))
    if metrics.get("teacher_dev") or metrics.get("teacher_parameters"):
        count = metrics.get("teacher_parameters")
        rows.append(ModelFigures("teacher", "Keras", scores("teacher_dev"), count))
    for row in metrics.get("rows", []):
        form = f"{row['target']}, trained" if row.get("trained") else row["target"]
        rows.append(
            ModelFigures(
                row["model"],
                f"file, {form}",
                {name: row[f"{name}_accuracy"] for name in ("dev", "test")},
                row["parameters"],
                round(1e6 * row["size_mb"]),
                row["latency_ms"],
            )
        )
    return rows
