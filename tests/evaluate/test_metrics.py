"""Metrics against hand-computed cases and against scikit-learn."""

import warnings

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import (
    accuracy,
    confusion_matrix,
    macro_f1,
    matthews,
    micro_f1,
    multi_label_confusion,
    precision_recall_f1,
    weighted_f1,
)

# Six examples of three classes by hand: 4 right; class 2 is found once in two, and so on.
LABELS = [0, 0, 0, 1, 2, 2]
PREDICTIONS = [0, 0, 1, 1, 2, 0]

MULTI_LABELS = [[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]]
MULTI_PREDICTIONS = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]


@pytest.fixture(scope="module")
def sklearn_metrics():
    return pytest.importorskip("sklearn.metrics", reason="needs scikit-learn (test extra)")


# === By hand ===


def test_accuracy_by_hand():
    assert accuracy(PREDICTIONS, LABELS) == pytest.approx(4 / 6)
    assert accuracy(MULTI_PREDICTIONS, MULTI_LABELS) == pytest.approx(1 / 4)


def test_confusion_by_hand():
    assert confusion_matrix(PREDICTIONS, LABELS).tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_confusion_covers_classes_that_never_occur():
    matrix = confusion_matrix([0, 1], [1, 1], num_classes=4)
    assert matrix.shape == (4, 4)
    assert matrix.sum() == 2
    assert matrix[1].tolist() == [1, 1, 0, 0]


def test_precision_recall_f1_by_hand():
    scores = precision_recall_f1(PREDICTIONS, LABELS)
    assert scores.precision == pytest.approx([2 / 3, 1 / 2, 1])
    assert scores.recall == pytest.approx([2 / 3, 1, 1 / 2])
    assert scores.f1 == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert scores.support.tolist() == [3, 1, 2]


def test_averages_by_hand():
    assert macro_f1([0, 0, 0, 0], [0, 0, 0, 1]) == pytest.approx((6 / 7 + 0) / 2)
    assert weighted_f1([0, 0, 0, 0], [0, 0, 0, 1]) == pytest.approx(6 / 7 * 3 / 4)
    assert micro_f1([0, 0, 0, 0], [0, 0, 0, 1]) == pytest.approx(3 / 4)


def test_matthews_by_hand():
    # tp 2, tn 1, fp 1, fn 1: (2*1 - 1*1) / sqrt(3 * 3 * 2 * 2) = 1/6
    assert matthews([1, 1, 0, 1, 0], [1, 1, 1, 0, 0]) == pytest.approx(1 / 6)
    assert matthews([0, 1, 2], [0, 1, 2]) == pytest.approx(1)
    assert matthews([1, 0], [0, 1]) == pytest.approx(-1)


def test_multi_label_by_hand():
    assert multi_label_confusion(MULTI_PREDICTIONS, MULTI_LABELS).tolist() == [
        [[2, 0], [0, 2]],
        [[2, 0], [1, 1]],
        [[2, 1], [1, 0]],
    ]
    # 3 hits, 4 predicted, 5 true
    assert micro_f1(MULTI_PREDICTIONS, MULTI_LABELS) == pytest.approx(2 * 3 / (4 + 5))
    assert macro_f1(MULTI_PREDICTIONS, MULTI_LABELS) == pytest.approx((1 + 2 / 3 + 0) / 3)


# === Zero denominators ===


def test_a_class_that_is_never_predicted_has_precision_0():
    scores = precision_recall_f1([0, 0], [0, 1])
    assert scores.precision.tolist() == [0.5, 0]
    assert scores.f1[1] == 0


def test_a_class_without_examples_has_recall_0_and_counts_when_predicted():
    scores = precision_recall_f1([0, 1], [0, 0], num_classes=3)
    assert scores.recall.tolist() == [0.5, 0, 0]
    assert scores.support.tolist() == [2, 0, 0]
    assert macro_f1([0, 1], [0, 0], num_classes=3) == pytest.approx((2 / 3 + 0) / 2)


def test_a_class_that_occurs_nowhere_does_not_change_the_macro_average():
    assert macro_f1([0, 1], [0, 1], num_classes=10) == 1
    with_column = [[1, 0, 0], [0, 1, 0]]
    assert macro_f1(with_column, with_column) == 1


def test_undefined_scores_are_0_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert matthews([0, 0, 0], [0, 1, 0]) == 0
        assert matthews([1, 1], [1, 1]) == 0
        nothing = np.zeros((3, 2), int)
        assert micro_f1(nothing, nothing) == 0
        assert macro_f1(nothing, nothing) == 0
        assert weighted_f1(nothing, nothing) == 0


# === Against scikit-learn ===


@pytest.mark.parametrize("classes", [2, 3, 20, 150])
@pytest.mark.parametrize("seed", [0, 1])
def test_single_label_equals_scikit_learn(sklearn_metrics, classes, seed):
    rng = np.random.default_rng(seed)
    # Skewed, so that some of 150 classes lack examples or predictions.
    labels = (classes * rng.random(300) ** 2).astype(int)
    predictions = np.where(rng.random(300) < 0.6, labels, rng.integers(0, classes, 300))
    sk = sklearn_metrics
    everything = list(range(classes))
    assert accuracy(predictions, labels) == pytest.approx(sk.accuracy_score(labels, predictions))
    assert matthews(predictions, labels) == pytest.approx(sk.matthews_corrcoef(labels, predictions))
    np.testing.assert_array_equal(
        confusion_matrix(predictions, labels, classes),
        sk.confusion_matrix(labels, predictions, labels=everything),
    )
    scores = precision_recall_f1(predictions, labels, classes)
    expected = sk.precision_recall_fscore_support(
        labels, predictions, labels=everything, zero_division=0
    )
    for ours, theirs in zip(scores, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    for ours, average in ((macro_f1, "macro"), (weighted_f1, "weighted"), (micro_f1, "micro")):
        theirs = sk.f1_score(labels, predictions, average=average, zero_division=0)
        assert ours(predictions, labels) == pytest.approx(theirs), average


@pytest.mark.parametrize("classes", [2, 12])
def test_multi_label_equals_scikit_learn(sklearn_metrics, classes):
    rng = np.random.default_rng(classes)
    labels = (rng.random((200, classes)) < 0.3).astype(int)
    predictions = np.where(rng.random(labels.shape) < 0.8, labels, 1 - labels)
    sk = sklearn_metrics
    assert accuracy(predictions, labels) == pytest.approx(sk.accuracy_score(labels, predictions))
    np.testing.assert_array_equal(
        multi_label_confusion(predictions, labels),
        sk.multilabel_confusion_matrix(labels, predictions),
    )
    for ours, average in ((macro_f1, "macro"), (weighted_f1, "weighted"), (micro_f1, "micro")):
        theirs = sk.f1_score(labels, predictions, average=average, zero_division=0)
        assert ours(predictions, labels) == pytest.approx(theirs), average
    assert matthews(predictions, labels) == pytest.approx(
        sk.matthews_corrcoef(labels.ravel(), predictions.ravel())
    )


def test_large_counts_do_not_overflow():
    labels = np.tile([0, 1], 200_000)
    assert matthews(labels, labels) == pytest.approx(1)


# === Malformed input ===


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([0, 1], [0, 1, 1], r"as many predictions as labels.*predictions\.shape=\(2,\)"),
        ([], [], r"n > 0.*Received: predictions\.shape=\(0,\)"),
        ([[0], [1]], [0, 1], r"shape \(n,\).*Received: predictions\.shape=\(2, 1\)"),
        ([0, -1], [0, 1], r"at least 0.*Received: predictions\[1\]=-1"),
        ([0, 1.5], [0, 1], r"whole numbers.*1\.5"),
        ([0, float("nan")], [0, 1], r"whole numbers.*nan"),
        (["a", "b"], [0, 1], r"hold numbers.*Received: predictions=\['a', 'b'\]"),
        ([[0, 2]], [[0, 1]], r"0 and 1 only.*2"),
        ([[0, 1, 1]], [[0, 1]], r"predictions\.shape=\(1, 3\), labels\.shape=\(1, 2\)"),
        ([[0, 1], [1]], [[0, 1], [1, 1]], r"rows of equal length.*Received: predictions"),
    ],
)
def test_malformed_input_is_named(predictions, labels, message):
    with pytest.raises(TinyBertError, match=message):
        accuracy(predictions, labels)


def test_an_index_beyond_the_classes_is_named():
    with pytest.raises(TinyBertError, match=r"at most 2.*Received: labels\[1\]=3"):
        confusion_matrix([0, 1], [0, 3], num_classes=3)


def test_multi_label_confusion_refuses_class_indices():
    with pytest.raises(TinyBertError, match="multi-hot"):
        multi_label_confusion([0, 1], [0, 1])
