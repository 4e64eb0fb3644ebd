"""Scores of a classifier's answers by which texts of no known class are found.

A classifier answers every text with one of its classes. How sure it is tells many texts of other
subjects from those it was trained on; no training is needed.

- `"probability"`: the largest probability (Hendrycks and Gimpel 2017, "A Baseline for Detecting
  Misclassified and Out-of-Distribution Examples in Neural Networks"). Out of scope is low.
- `"entropy"`: of the probabilities, in nats. Out of scope is high.
- `"energy"`: -T logsumexp(logits / T) (Liu et al. 2020, "Energy-based Out-of-distribution
  Detection", equation 4). Out of scope is high. It needs logits: a softmax has subtracted what it
  measures, so an exported file, which puts out probabilities, cannot compute it.
"""

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.checks import SUM_TOLERANCE, check_probabilities

SCORES = ("probability", "entropy", "energy")
# What a file of probabilities can compute.
FILE_SCORES = ("probability", "entropy")
# Whether a high score means out of scope (1) or in scope (-1), and the range of the score.
SIGNS = {"probability": -1, "entropy": 1, "energy": 1}
RANGES = {
    "probability": (0, 1),
    "entropy": (0, np.inf),
    "energy": (-np.inf, np.inf),
}


def out_of_scope_scores(outputs, score: str = "probability", temperature: float = 1.0):
    """Scores a model's answers.

    Args:
        outputs: array-like `(n, classes)`. Probabilities; for `"energy"` logits.
        score: string. See the module. Defaults to `"probability"`.
        temperature: float. T of the energy. Defaults to `1.0`.

    Returns:
        Float64 array `(n,)`; NaN where a row is not finite.

    Raises:
        TinyBertError: If the score is unknown, or the rows are not what it needs.
    """
    check_score(score)
    check_temperature(temperature)
    rows = np.asarray(outputs, "float64")
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise TinyBertError(
            f"Expected outputs of shape (n, classes), two classes or more. "
            f"Received: outputs.shape={rows.shape}"
        )
    finite = np.isfinite(rows).all(axis=1)
    found = np.full(len(rows), np.nan)
    if finite.any():
        found[finite] = _finite_scores(rows[finite], score, temperature)
    return found


def check_score(score: str) -> None:
    """Refuses a score that is not among `SCORES`."""
    if score not in SCORES:
        raise TinyBertError(f"Expected a score out of {SCORES}. Received: score={score!r}")


def check_temperature(temperature: float) -> None:
    """Refuses a temperature that is not a positive number."""
    if not (is_number(temperature) and temperature > 0):
        raise TinyBertError(
            f"Expected a positive temperature. Received: temperature={temperature!r}"
        )


def is_number(value) -> bool:
    """Whether a value is a finite Python number (float64 is one)."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and bool(np.isfinite(value))


def _finite_scores(rows: np.ndarray, score: str, temperature: float) -> np.ndarray:
    if score == "energy":
        likely = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE)
        if likely.all():
            raise TinyBertError(
                "Expected logits: the energy cannot be computed from probabilities, nor from the "
                f"output of an exported file; take one of {FILE_SCORES}. "
                "Received: score='energy', rows that sum to one"
            )
        largest = rows.max(axis=1, keepdims=True)
        sums = np.exp((rows - largest) / temperature).sum(axis=1)
        return -largest[:, 0] - temperature * np.log(sums)
    rows = check_probabilities(rows)
    if score == "probability":
        return rows.max(axis=1)
    return -(rows * np.log(np.where(rows > 0, rows, 1))).sum(axis=1)
