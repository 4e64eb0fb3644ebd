"""Texts of no known class: a threshold of a score, chosen on dev, and how well it works."""

from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.out_of_scope_report import OutOfScopeReport, measures_of
from tinybert_tf.evaluate.scope_scores import (
    RANGES,
    SIGNS,
    check_score,
    check_temperature,
    is_number,
    out_of_scope_scores,
)

OBJECTIVES = ("balanced", "recall_at", "kept_at")


@dataclass(frozen=True)
class OutOfScopeThreshold:
    """From which score on a text belongs to no known class; `choose_threshold` makes it.

    Args:
        score: string. `"probability"`, `"entropy"` or `"energy"`.
        threshold: float. Out of scope are a probability below it, an entropy or energy above it.
        temperature: float. T of the energy. Defaults to `1.0`.
        measured: OutOfScopeReport on the data that it was chosen on. Defaults to `None`.

    Raises:
        TinyBertError: If the score is unknown, the threshold not finite or T not positive.

    Example:
        >>> OutOfScopeThreshold("probability", 0.5).rule
        'probability < 0.5'
    """

    score: str
    threshold: float
    temperature: float = 1.0
    measured: OutOfScopeReport | None = None

    def __post_init__(self):
        check_score(self.score)
        check_temperature(self.temperature)
        if not is_number(self.threshold):
            raise TinyBertError(f"Expected a finite float. Received: threshold={self.threshold!r}")

    @property
    def rule(self) -> str:
        """What makes a text out of scope, in words."""
        return f"{self.score} {'<' if SIGNS[self.score] < 0 else '>'} {self.threshold:.4g}"

    def scores(self, outputs) -> np.ndarray:
        """`out_of_scope_scores` with this threshold's score and temperature."""
        return out_of_scope_scores(outputs, self.score, self.temperature)

    def summary(self) -> dict[str, float]:
        """Returns the threshold and what was measured, by name."""
        measured = {} if self.measured is None else self.measured.summary()
        return {"threshold": self.threshold, **measured}

    def to_dict(self) -> dict:
        """Returns everything as a dict that JSON can hold; `from_dict` reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "OutOfScopeThreshold":
        """Returns the threshold that `to_dict` wrote.

        Raises:
            TinyBertError: If a field is missing, unknown or of no use.
        """
        try:
            measured = values.get("measured")
            report = None if measured is None else OutOfScopeReport(**measured)
            return cls(**{**values, "measured": report})
        except (AttributeError, TypeError) as error:
            raise TinyBertError(
                f"Expected the fields of an OutOfScopeThreshold. Received: {values!r} ({error})"
            ) from error

    def __rich__(self) -> Table | str:
        title = f"Out of scope: {self.rule}"
        return title if self.measured is None else self.measured.rich_table(title)


def detect(scores, threshold: OutOfScopeThreshold) -> np.ndarray:
    """Whether each text is out of scope.

    A score that equals the threshold is in scope; NaN, which no class explains, is out of scope.

    Args:
        scores: array-like `(n,)`. Of the threshold's kind; see `OutOfScopeThreshold.scores`.
        threshold: OutOfScopeThreshold.

    Returns:
        Bool array `(n,)`.
    """
    sign = SIGNS[threshold.score]
    return ~(sign * np.asarray(scores, "float64") <= sign * threshold.threshold)


def choose_threshold(
    in_scope_scores,
    out_of_scope_scores,
    score: str,
    correct=None,
    objective: str = "balanced",
    target: float = 0.95,
    temperature: float = 1.0,
) -> OutOfScopeThreshold:
    """Chooses the threshold that serves the objective best on dev data.

    Tried are the middles between neighbouring scores, and both ends. Of thresholds that serve
    equally well, the one that refuses fewest texts is taken: where all scores are equal, one that
    refuses none.

    Args:
        in_scope_scores: array-like `(n,)`. Scores of texts of the known classes.
        out_of_scope_scores: array-like `(m,)`. Scores of other texts.
        score: string. What the scores are; see `out_of_scope_scores`.
        correct: bool array `(n,)`. Whether the classifier is right on the in-scope texts. Those
            it gets wrong are then no loss when refused, and do not count. Defaults to `None`:
            all count.
        objective: string. `"balanced"`: the largest mean of the share of in-scope texts kept and
            the share of out-of-scope texts found. `"recall_at"`: finds at least the share
            `target` of the out-of-scope texts and keeps most in-scope texts. `"kept_at"`: keeps
            at least the share `target` of in-scope texts and finds most out-of-scope texts.
            Defaults to `"balanced"`.
        target: float. From 0 to 1. Defaults to `0.95`.
        temperature: float. T that the energies were computed with. Defaults to `1.0`.

    Raises:
        TinyBertError: If a side is empty, a score is NaN, infinite or outside its range, no
            in-scope text is answered correctly, or an argument is of no use.

    Example:
        >>> chosen = choose_threshold([0.9, 0.8, 0.7], [0.6, 0.4], "probability")
        >>> chosen.rule
        'probability < 0.65'
    """
    check_score(score)
    if objective not in OBJECTIVES:
        raise TinyBertError(
            f"Expected an objective out of {OBJECTIVES}. Received: objective={objective!r}"
        )
    if not (is_number(target) and 0 <= target <= 1):
        raise TinyBertError(f"Expected a share from 0 to 1. Received: target={target!r}")
    inside = _strangeness("in_scope_scores", in_scope_scores, score)
    outside = _strangeness("out_of_scope_scores", out_of_scope_scores, score)
    correct = _check_correct(correct, len(inside))
    judged = inside if correct is None else inside[correct]
    if not len(judged):
        raise TinyBertError(
            "Expected a classifier that answers at least one in-scope text correctly. "
            f"Received: {len(inside)} texts, none of them correct"
        )
    limits = _limits(np.concatenate([inside, outside]))
    kept = np.searchsorted(np.sort(judged), limits, side="right") / len(judged)
    missed = np.searchsorted(np.sort(outside), limits, side="right")
    recall = (len(outside) - missed) / len(outside)
    if objective == "balanced":
        worth = kept + recall
    elif objective == "recall_at":
        worth = np.where(recall >= target, kept, -1)
    else:
        worth = np.where(kept >= target, recall, -1)
    # The first of equals is the highest limit. Sums of shares may differ in their last bit.
    best = limits[np.argmax(np.isclose(worth, worth.max(), rtol=0, atol=1e-12))]
    limit = float(SIGNS[score] * best)
    measured = measures_of(inside, outside, best, correct)
    return OutOfScopeThreshold(score, limit, temperature, measured)


def evaluate_out_of_scope(
    threshold: OutOfScopeThreshold, in_scope_scores, out_of_scope_scores, correct=None
) -> OutOfScopeReport:
    """Measures a threshold on data that it was not chosen on.

    Args:
        threshold: OutOfScopeThreshold.
        in_scope_scores: array-like `(n,)`. Scores of texts of the known classes.
        out_of_scope_scores: array-like `(m,)`. Scores of other texts.
        correct: bool array `(n,)`. As in `choose_threshold`. Defaults to `None`.

    Raises:
        TinyBertError: If a side is empty, or a score is NaN, infinite or outside its range.
    """
    inside = _strangeness("in_scope_scores", in_scope_scores, threshold.score)
    outside = _strangeness("out_of_scope_scores", out_of_scope_scores, threshold.score)
    limit = SIGNS[threshold.score] * threshold.threshold
    return measures_of(inside, outside, limit, _check_correct(correct, len(inside)))


def _limits(strangeness: np.ndarray) -> np.ndarray:
    """Limits that part the values in every possible way, highest (refusing nothing) first."""
    values = np.unique(strangeness)
    middles = values[:-1] + np.diff(values) / 2
    # Between neighbouring floats there is no middle: the lower one parts them as well.
    middles = np.where(middles < values[1:], middles, values[:-1])
    return np.concatenate([[np.nextafter(values[0], -np.inf)], middles, values[-1:]])[::-1]


def _strangeness(name: str, scores, score: str) -> np.ndarray:
    """Checked scores, turned so that high means out of scope."""
    values = np.asarray(scores, "float64")
    if values.ndim != 1 or not len(values):
        raise TinyBertError(
            f"Expected at least one score, shape (n,). Received: {name}.shape={values.shape}"
        )
    low, high = RANGES[score]
    bad = ~np.isfinite(values) | (values < low) | (values > high)
    if bad.any():
        row = int(np.argmax(bad))
        raise TinyBertError(
            f"Expected finite scores from {low} to {high}, as {score!r} has them. "
            f"Received: {name}[{row}]={values[row]}"
        )
    return SIGNS[score] * values


def _check_correct(correct, count: int) -> np.ndarray | None:
    if correct is None:
        return None
    array = np.asarray(correct)
    if array.shape != (count,) or array.dtype != bool:
        raise TinyBertError(
            f"Expected one bool per in-scope text, shape ({count},). "
            f"Received: correct.shape={array.shape}, dtype={array.dtype}"
        )
    return array
