"""How well scores agree with gold scores."""

from dataclasses import asdict, dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class RegressionReport:
    """Agreement of scores with gold scores.

    Attributes:
        num_examples: int.
        pearson: float. Linear correlation, -1 to 1; 0 where one side is constant.
        spearman: float. Correlation of the ranks, ties averaged: STS-B's measure.
        mean_squared_error: float. In squared units of the scores.
        mean_absolute_error: float. In units of the scores.
    """

    num_examples: int
    pearson: float
    spearman: float
    mean_squared_error: float
    mean_absolute_error: float

    def to_dict(self) -> dict:
        """Everything as a dict that JSON can hold."""
        return asdict(self)

    def summary(self) -> dict[str, float]:
        """The figures by name, without the number of examples."""
        values = asdict(self)
        values.pop("num_examples")
        return values

    def to_text(self, digits: int = 3) -> str:
        """One line for a terminal."""
        shown = ", ".join(
            f"{name.replace('_', ' ')} {value:.{digits}f}" for name, value in self.summary().items()
        )
        return f"{shown} on {self.num_examples} examples"

    def __str__(self) -> str:
        return self.to_text()


def evaluate_scores(scores, labels) -> RegressionReport:
    """Compares scores with gold scores.

    Args:
        scores: float array `(n,)` or `(n, 1)`.
        labels: float array of the same length.

    Raises:
        TinyBertError: If there are fewer than two, their numbers differ, or one is not finite.
    """
    scores, labels = (np.asarray(x, "float64").reshape(-1) for x in (scores, labels))
    if len(scores) != len(labels) or len(scores) < 2:
        raise TinyBertError(
            "Expected as many scores as gold scores, at least two. "
            f"Received: {len(scores)} and {len(labels)}"
        )
    if not (np.isfinite(scores).all() and np.isfinite(labels).all()):
        raise TinyBertError("Expected finite scores. Received: NaN or infinity among them")
    return RegressionReport(
        num_examples=len(scores),
        pearson=_correlation(scores, labels),
        spearman=_correlation(_ranks(scores), _ranks(labels)),
        mean_squared_error=float(np.mean((scores - labels) ** 2)),
        mean_absolute_error=float(np.mean(np.abs(scores - labels))),
    )


def evaluate_regressor(model, texts, labels) -> RegressionReport:
    """Runs a regression (num_classes=1), or its exported file, on texts with gold scores.

    Args:
        model: object with `predict_scores(texts)`: a `TinyBertTextClassifier` with num_classes=1
            or the `TFLiteClassifier` of its file.
        texts: list of strings, or a tuple of two such lists for sentence pairs.
        labels: list of floats.
    """
    return evaluate_scores(model.predict_scores(texts), labels)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, the mean rank where values are equal."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[group]
