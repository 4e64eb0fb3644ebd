import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.weights import class_weights, sample_weights

LABELS = np.array([0] * 6 + [1] * 2)


def test_by_hand():
    assert class_weights(LABELS, 2) == pytest.approx({0: 8 / 12, 1: 8 / 4})
    # 1 / sqrt(c) times the factor that makes 6 w_0 + 2 w_1 = 8.
    factor = 8 / (6 / np.sqrt(6) + 2 / np.sqrt(2))
    expected = {0: factor / np.sqrt(6), 1: factor / np.sqrt(2)}
    assert class_weights(LABELS, 2, "sqrt") == pytest.approx(expected)


def test_effective_number_of_samples():
    assert class_weights(LABELS, 2, "effective", beta=0) == pytest.approx({0: 1, 1: 1})
    near_one = class_weights(LABELS, 2, "effective", beta=1 - 1e-7)
    assert near_one == pytest.approx(class_weights(LABELS, 2), rel=1e-4)
    # Table 1's formula for beta = 0.5: E_6 = 1.96875, E_2 = 1.5.
    half = class_weights(LABELS, 2, "effective", beta=0.5)
    assert half[1] / half[0] == pytest.approx(1.96875 / 1.5)


@pytest.mark.parametrize("scheme", ["balanced", "sqrt", "effective"])
def test_mean_weight_is_one(scheme):
    labels = np.random.default_rng(0).choice(5, 300, p=[0.6, 0.3, 0.08, 0.02, 0.0])
    weights = class_weights(labels, 5, scheme)
    assert weights[4] == 1
    assert weights[0] < weights[1] < weights[2] < weights[3]
    each = sample_weights(labels, weights)
    assert (each.dtype, each.shape) == (np.dtype("float32"), (300,))
    assert each.mean() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([],), r"class ids of shape \(n,\), n > 0"),
        ((np.zeros((3, 2), int),), r"multi-label .*Received: shape \(3, 2\)"),
        (([0.5, 1.0],), "type float64"),
        (([0, 2],), "between 0 and 1. Received: ids from 0 to 2"),
        (([-1, 0],), "Received: ids from -1 to 0"),
    ],
)
def test_bad_labels(arguments, message):
    with pytest.raises(TinyBertError, match=message):
        class_weights(*arguments, 2)


def test_bad_schemes():
    with pytest.raises(TinyBertError, match=r"one of balanced, sqrt, effective.*'none'"):
        class_weights(LABELS, 2, "none")
    with pytest.raises(TinyBertError, match="beta=1"):
        class_weights(LABELS, 2, "effective", beta=1)
    with pytest.raises(TinyBertError, match=r"none for \[1\]"):
        sample_weights(LABELS, {0: 1.0})
