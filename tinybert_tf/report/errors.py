"""The answers that are furthest from the truth."""

from dataclasses import dataclass

import numpy as np

from tinybert_tf.evaluate.calibration import EPSILON
from tinybert_tf.evaluate.checks import encode_labels
from tinybert_tf.report.contents import Contents
from tinybert_tf.report.markup import Markup, bar, join, percent, shortened, table, tag


@dataclass(frozen=True)
class WorstError:
    """One wrong answer.

    Args:
        row: int. Row of the data.
        truth: string.
        predicted: string.
        probability: float. Of the prediction; of a regression the predicted score.
        of_truth: float. Of the truth; of a regression the true score, with several labels `None`.
    """

    row: int
    truth: str
    predicted: str
    probability: float
    of_truth: float | None


def worst_errors(
    outputs: np.ndarray, labels: list, kind: str, names: list[str]
) -> list[WorstError]:
    """All wrong answers, the worst first.

    With one class a text the worst are those that the model was surest of, with several labels
    those with the highest cross-entropy, and of a regression those with the largest distance.

    Args:
        outputs: float array `(n, classes)`: probabilities, or scores `(n, 1)`.
        labels: list of class names, lists of them, or scores.
        kind: string. `"classes"`, `"labels"` or `"score"`.
        names: list of strings, the classes.
    """
    if kind == "score":
        return _distances(np.asarray(outputs).reshape(-1), np.asarray(labels, float))
    truth = encode_labels(labels, names, kind == "labels")
    if kind == "labels":
        return _wrong_sets(np.asarray(outputs), np.asarray(truth) > 0, names)
    chosen = outputs.argmax(axis=1)
    wrong = np.flatnonzero(chosen != truth)
    order = wrong[np.argsort(-outputs[wrong, chosen[wrong]], kind="stable")]
    return [
        WorstError(
            int(row),
            names[truth[row]],
            names[chosen[row]],
            float(outputs[row, chosen[row]]),
            float(outputs[row, truth[row]]),
        )
        for row in order
    ]


def _distances(scores: np.ndarray, truth: np.ndarray) -> list[WorstError]:
    order = np.argsort(-np.abs(scores - truth), kind="stable")
    return [
        WorstError(
            int(row),
            f"{truth[row]:.3g}",
            f"{scores[row]:.3g}",
            float(scores[row]),
            float(truth[row]),
        )
        for row in order
    ]


def _wrong_sets(probabilities: np.ndarray, truth: np.ndarray, names: list[str]) -> list[WorstError]:
    of_truth = np.where(truth, probabilities, 1 - probabilities).clip(EPSILON, 1)
    loss = -np.log(of_truth).mean(axis=1)
    chosen = probabilities >= 0.5
    wrong = np.flatnonzero((chosen != truth).any(axis=1))
    found = []
    for row in wrong[np.argsort(-loss[wrong], kind="stable")]:
        column = of_truth[row].argmin()  # the label that is furthest off
        found.append(
            WorstError(
                int(row),
                _listed(names, truth[row]),
                _listed(names, chosen[row]),
                float(probabilities[row, column]),
                None,
            )
        )
    return found


def _listed(names: list[str], chosen: np.ndarray) -> str:
    return ", ".join(name for name, on in zip(names, chosen, strict=True) if on) or "none"


def error_table(contents: Contents, errors: list[WorstError], limit: int = 20) -> Markup:
    """The worst errors with their texts.

    Args:
        contents: `Contents` with data.
        errors: list of `WorstError`.
        limit: int. Rows at most. Defaults to `20`.
    """
    data, kind = contents.data, contents.kind
    rows = []
    for error in errors[:limit]:
        cells: list = [_text(data.texts[error.row], data.pairs and data.pairs[error.row])]
        cells += [error.truth, error.predicted]
        if kind == "score":
            cells.append(f"{error.probability - error.of_truth:+.3g}")
        else:
            cells.append(bar(error.probability, percent(error.probability), "bad"))
        if kind == "classes":
            cells.append(bar(error.of_truth, percent(error.of_truth)))
        rows.append(cells)
    heads = {
        "classes": ["text", "truth", "prediction", "probability", "of the truth"],
        "labels": ["text", "truth", "prediction", "furthest off"],
        "score": ["text", "truth", "prediction", "off by"],
    }[kind]
    return tag("div", table(heads, rows, (1, 2, 3) if kind == "score" else ()), class_="errors")


def _text(text: str, pair: str | None) -> Markup:
    first = tag("span", shortened(text, 300), class_="text")
    return join(first, tag("span", shortened(pair, 300), class_="text") if pair else None)
