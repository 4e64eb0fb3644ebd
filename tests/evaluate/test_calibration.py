"""Calibration error and proper scores, by hand and against scikit-learn."""

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)

# Confidences 0.9, 0.8, 0.6, 0.7; the third and fourth are wrong.
PROBABILITIES = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]
LABELS = [0, 1, 1, 1]


def softmax_rows(rng, rows, classes):
    logits = 2 * rng.normal(size=(rows, classes))
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True)


def test_bins_by_hand():
    # Two bins, (0, 0.5] and (0.5, 1]: everything falls in the second.
    bins = reliability_bins(PROBABILITIES, LABELS, bins=2)
    assert bins.counts.tolist() == [0, 4]
    assert bins.confidence == pytest.approx([0, 0.75])
    assert bins.accuracy == pytest.approx([0, 0.5])


def test_calibration_error_by_hand():
    assert expected_calibration_error(PROBABILITIES, LABELS, bins=2) == pytest.approx(0.25)
    # Four bins: 0.6 and 0.7 in the third (never right), 0.8 and 0.9 in the fourth (always right).
    expected = (2 * abs(0 - 0.65) + 2 * abs(1 - 0.85)) / 4
    assert expected_calibration_error(PROBABILITIES, LABELS, bins=4) == pytest.approx(expected)


def test_an_edge_belongs_to_the_bin_below_it():
    bins = reliability_bins([[0.5, 0.5], [1.0, 0.0]], [0, 0], bins=2)
    assert bins.counts.tolist() == [1, 1]


def test_certain_and_right_is_perfectly_calibrated():
    assert expected_calibration_error(np.eye(3), [0, 1, 2]) == 0
    assert brier_score(np.eye(3), [0, 1, 2]) == 0
    assert negative_log_likelihood(np.eye(3), [0, 1, 2]) == 0


def test_scores_by_hand():
    squares = [2 * 0.1**2, 2 * 0.2**2, 2 * 0.6**2, 2 * 0.7**2]
    assert brier_score(PROBABILITIES, LABELS) == pytest.approx(np.mean(squares))
    expected = -np.mean(np.log([0.9, 0.8, 0.4, 0.3]))
    assert negative_log_likelihood(PROBABILITIES, LABELS) == pytest.approx(expected)


def test_an_impossible_truth_costs_a_finite_amount():
    assert negative_log_likelihood([[1.0, 0.0]], [1]) == pytest.approx(-np.log(1e-7))


def test_multi_label_by_hand():
    probabilities, labels = [[0.9, 0.2], [0.4, 0.7]], [[1, 0], [1, 1]]
    assert brier_score(probabilities, labels) == pytest.approx(
        (0.1**2 + 0.2**2 + 0.6**2 + 0.3**2) / 4
    )
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(
        -np.mean(np.log([0.9, 0.8, 0.4, 0.7]))
    )
    # (0, 0.5] holds 0.2 (no) and 0.4 (yes), (0.5, 1] holds 0.7 and 0.9 (both yes).
    assert expected_calibration_error(probabilities, labels, bins=2) == pytest.approx(
        (2 * abs(0.5 - 0.3) + 2 * abs(1 - 0.8)) / 4
    )


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_scores_equal_scikit_learn(classes):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn (test extra)")
    rng = np.random.default_rng(classes)
    probabilities = softmax_rows(rng, 200, classes)
    labels = rng.integers(0, classes, 200)
    everything = list(range(classes))
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=everything)
    )
    per_class = [metrics.brier_score_loss(labels == c, probabilities[:, c]) for c in everything]
    assert brier_score(probabilities, labels) == pytest.approx(sum(per_class))


@pytest.mark.parametrize("bins", [5, 15])
def test_bins_equal_scikit_learn(bins):
    calibration = pytest.importorskip(
        "sklearn.calibration", reason="needs scikit-learn (test extra)"
    )
    rng = np.random.default_rng(bins)
    probabilities = softmax_rows(rng, 500, 4)
    labels = rng.integers(0, 4, 500)
    ours = reliability_bins(probabilities, labels, bins)
    filled = ours.counts > 0
    share_right, confidence = calibration.calibration_curve(
        probabilities.argmax(axis=1) == labels, probabilities.max(axis=1), n_bins=bins
    )
    np.testing.assert_allclose(ours.accuracy[filled], share_right)
    np.testing.assert_allclose(ours.confidence[filled], confidence)
    gap = (np.abs(share_right - confidence) * ours.counts[filled]).sum() / 500
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(gap)


def test_half_precision_softmax_is_accepted():
    rng = np.random.default_rng(0)
    probabilities = softmax_rows(rng, 50, 150).astype("float16")
    assert not np.allclose(probabilities.sum(axis=1, dtype="float64"), 1, atol=1e-6)
    assert 0 <= expected_calibration_error(probabilities, rng.integers(0, 150, 50)) <= 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.9, 0.1], [0.4, 0.4]], [0, 1], r"sum to one.*Received: probabilities\[1\].*sum 0\.8"),
        ([[0.9, 0.1], [np.nan, 1]], [0, 1], r"finite.*Received: probabilities\[1\]=\[nan, 1\]"),
        ([[np.inf, 0]], [0], r"finite.*Received: probabilities\[0\]"),
        ([[2.5, -1.5]], [0], r"between 0 and 1 \(not logits\).*Received: probabilities\[0\]"),
        ([0.9, 0.1], [0, 1], r"shape \(n, classes\).*Received: probabilities\.shape=\(2,\)"),
        (np.zeros((0, 3)), [], r"n > 0.*Received: probabilities\.shape=\(0, 3\)"),
        ([[0.9, 0.1]], [0, 1], r"one row of probabilities per label"),
        ([[0.9, 0.1]], [2], r"at most 1.*Received: labels\[0\]=2"),
        ([[0.9, 0.1]], [[1, 0, 0]], r"shape \(n, 2\).*Received: labels\.shape=\(1, 3\)"),
    ],
)
def test_malformed_input_is_named(probabilities, labels, message):
    with pytest.raises(TinyBertError, match=message):
        expected_calibration_error(probabilities, labels)


def test_a_bin_is_needed():
    with pytest.raises(TinyBertError, match="Received: bins=0"):
        expected_calibration_error(PROBABILITIES, LABELS, bins=0)
