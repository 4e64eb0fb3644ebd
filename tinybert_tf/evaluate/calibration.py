"""How far probabilities can be trusted: reliability bins, calibration error, proper scores."""

from typing import NamedTuple

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.checks import check_scored

# Keras's epsilon: the loss of an example that the model calls impossible is 16.1, not infinite.
EPSILON = 1e-7


class ReliabilityBins(NamedTuple):
    """Equal-width bins of confidence, arrays of shape (bins,); empty bins hold 0."""

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability_bins(probabilities, labels, bins: int = 15) -> ReliabilityBins:
    """Mean confidence and accuracy of the predictions in each interval (k/bins, (k+1)/bins].

    Args:
        probabilities: array-like, shape (n, classes).
        labels: array-like. Class indices of shape (n,): the probability of the predicted class
            is compared with how often it is right. Multi-hot (n, classes): every probability is
            compared with how often its label applies.
        bins: int. Number of bins. Defaults to `15`.

    Raises:
        TinyBertError: If the arrays are malformed or `bins` is not positive.
    """
    if bins < 1:
        raise TinyBertError(f"Expected at least one bin. Received: bins={bins!r}")
    probabilities, labels = check_scored(probabilities, labels)
    if labels.ndim == 2:
        confidence, right = probabilities.ravel(), labels.ravel()
    else:
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == labels
    edges = np.arange(1, bins) / bins
    place = np.searchsorted(edges, confidence, side="left")
    counts = np.bincount(place, minlength=bins)
    safe = np.maximum(counts, 1)
    return ReliabilityBins(
        counts=counts,
        confidence=np.bincount(place, confidence, bins) / safe,
        accuracy=np.bincount(place, right, bins) / safe,
    )


def expected_calibration_error(probabilities, labels, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by their size.

    Guo et al., "On Calibration of Modern Neural Networks" (2017), equation (3). Arguments and
    errors as `reliability_bins`.
    """
    result = reliability_bins(probabilities, labels, bins)
    gaps = np.abs(result.accuracy - result.confidence)
    return float((gaps * result.counts).sum() / result.counts.sum())


def brier_score(probabilities, labels) -> float:
    """Mean squared distance of the probabilities to the truth; lower is better.

    One class per example: summed over the classes, from 0 to 2 (Brier's definition). Multi-label:
    averaged over the labels, from 0 to 1.
    """
    probabilities, labels = check_scored(probabilities, labels)
    if labels.ndim == 2:
        return float(np.square(probabilities - labels).mean())
    truth = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - truth).sum(axis=1).mean())


def negative_log_likelihood(probabilities, labels) -> float:
    """Mean of -log p(truth) in nats; multi-label: mean binary cross-entropy over the labels."""
    probabilities, labels = check_scored(probabilities, labels)
    if labels.ndim == 2:
        of_truth = np.where(labels, probabilities, 1 - probabilities)
    else:
        of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(of_truth.clip(EPSILON, 1)).mean())
