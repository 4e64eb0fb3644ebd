"""Classification metrics, in numpy.

What the model says comes first, the truth second: `accuracy(predictions, labels)`. The shape of
`labels` decides the task everywhere: (n,) class indices for one class per example, (n, classes)
multi-hot rows for multi-label. A ratio whose denominator is zero (precision of a class that is
never predicted, recall of a class without examples) is 0.
"""

from typing import NamedTuple

import numpy as np

from tinybert_tf.evaluate.checks import check_classes, check_multi_hot, check_pair


class ClassScores(NamedTuple):
    """Precision, recall, F1 and number of examples of each class; arrays of shape (classes,)."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def accuracy(predictions, labels) -> float:
    """Share of examples predicted right; multi-label: with every single label right.

    Raises:
        TinyBertError: If the arrays are malformed or differ in shape. So do all metrics here.
    """
    predictions, labels = check_pair(predictions, labels)
    right = predictions == labels
    return float(right.all(axis=1).mean() if right.ndim == 2 else right.mean())


def confusion_matrix(predictions, labels, num_classes: int | None = None) -> np.ndarray:
    """Counts of (true class, predicted class): rows are the truth, columns the prediction.

    Args:
        predictions: array-like of ints, shape (n,).
        labels: array-like of ints, shape (n,).
        num_classes: int. Side of the matrix. Defaults to the largest index seen plus one.

    Returns:
        int64 array of shape (num_classes, num_classes).
    """
    predictions = check_classes("predictions", predictions, num_classes)
    labels = check_classes("labels", labels, num_classes)
    predictions, labels = check_pair(predictions, labels)
    if num_classes is None:
        num_classes = int(max(predictions.max(), labels.max())) + 1
    cells = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def multi_label_confusion(predictions, labels) -> np.ndarray:
    """One 2x2 matrix per label: [[true negatives, false positives], [false negatives, hits]].

    Returns:
        int64 array of shape (classes, 2, 2).
    """
    check_multi_hot("labels", labels)
    predictions, labels = check_pair(predictions, labels)
    hits = (predictions & labels).sum(axis=0)
    false_positives = (predictions & ~labels).sum(axis=0)
    false_negatives = (~predictions & labels).sum(axis=0)
    true_negatives = (~predictions & ~labels).sum(axis=0)
    cells = np.stack([true_negatives, false_positives, false_negatives, hits], axis=1)
    return cells.reshape(-1, 2, 2)


def precision_recall_f1(predictions, labels, num_classes: int | None = None) -> ClassScores:
    """Precision, recall, F1 and support of every class.

    Args:
        predictions: array-like, shape (n,) or multi-hot (n, classes).
        labels: array-like of the same shape.
        num_classes: int. Number of classes for shape (n,). Defaults to the largest index seen
            plus one.
    """
    hits, predicted, support = _counts(predictions, labels, num_classes)
    return ClassScores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, predicted + support),
        support=support,
    )


def macro_f1(predictions, labels, num_classes: int | None = None) -> float:
    """Mean F1 of the classes that occur in the labels or in the predictions.

    A class without examples counts 0 as soon as it is predicted; one that occurs nowhere says
    nothing about the model and is left out (as scikit-learn does without an explicit class list).
    """
    hits, predicted, support = _counts(predictions, labels, num_classes)
    seen = predicted + support > 0
    return float(_ratio(2 * hits, predicted + support)[seen].mean()) if seen.any() else 0.0


def weighted_f1(predictions, labels, num_classes: int | None = None) -> float:
    """Mean F1 of the classes, weighted by their number of examples."""
    scores = precision_recall_f1(predictions, labels, num_classes)
    return float(_ratio((scores.f1 * scores.support).sum(), scores.support.sum()))


def micro_f1(predictions, labels) -> float:
    """F1 of all decisions pooled; with one class per example it equals the accuracy."""
    hits, predicted, support = _counts(predictions, labels, None)
    return float(_ratio(2 * hits.sum(), predicted.sum() + support.sum()))


def matthews(predictions, labels) -> float:
    """Matthews correlation: 1 perfect, 0 no better than chance; 0 too when it is not defined.

    For several classes Gorodkin's R_K (2004). Multi-label: over all (example, label) decisions.
    """
    predictions, labels = check_pair(predictions, labels)
    if labels.ndim == 2:
        predictions, labels = predictions.ravel().astype(int), labels.ravel().astype(int)
    matrix = confusion_matrix(predictions, labels).astype("float64")
    total, right = matrix.sum(), np.trace(matrix)
    support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    covariance = right * total - support @ predicted
    spread = (total**2 - predicted @ predicted) * (total**2 - support @ support)
    return float(_ratio(covariance, np.sqrt(spread)))


def _counts(predictions, labels, num_classes: int | None):
    """Per class: examples predicted right, examples predicted, examples; each (classes,)."""
    if np.ndim(labels) == 2:
        predictions, labels = check_pair(predictions, labels, num_classes)
        return (predictions & labels).sum(axis=0), predictions.sum(axis=0), labels.sum(axis=0)
    matrix = confusion_matrix(predictions, labels, num_classes)
    return np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)


def _ratio(numerator, denominator) -> np.ndarray:
    """`numerator / denominator` in float64, 0 where the denominator is 0."""
    numerator = np.asarray(numerator, "float64")
    denominator = np.asarray(denominator, "float64")
    zero = denominator == 0
    return np.where(zero, 0.0, numerator / np.where(zero, 1.0, denominator))
