"""`matmul_precision`: bfloat16 factors inside the block, float32 everywhere else."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

import tinybert_tf as tb
from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.precision import multiply

TEXTS = ["a good film", "a bad film", "good", "bad bad film"] * 4
LABELS = [1, 0, 1, 0] * 4


def rounded(x):
    """The nearest bfloat16 numbers, as float64."""
    return x.astype(ml_dtypes.bfloat16).astype("float64")


@pytest.fixture
def factors():
    generator = np.random.default_rng(0)
    shapes = ((2, 3, 16), (16, 8))
    return [generator.normal(size=shape).astype("float32") for shape in shapes]


@pytest.mark.parametrize("rows", [(2, 3), (6,)])
def test_factors_and_products_are_rounded_to_bfloat16(factors, rows):
    x, kernel = factors[0].reshape(*rows, 16), factors[1]
    with tb.matmul_precision("bfloat16"):
        found = multiply(tf.constant(x), tf.constant(kernel)).numpy()
    expected = rounded(x) @ rounded(kernel)
    assert found.dtype == "float32" and found.shape == (*rows, 8)
    # One rounding of the result, of relative size 2^-8 at most.
    np.testing.assert_allclose(found, expected, rtol=2**-8, atol=1e-6)
    assert np.abs(found - x @ kernel).max() > 1e-3


def test_gradients_come_back_in_float32(factors):
    x, kernel = (tf.Variable(factor) for factor in factors)
    with tb.matmul_precision("bfloat16"), tf.GradientTape() as tape:
        total = tf.reduce_sum(multiply(tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)))
    found = tape.gradient(total, [x, kernel])
    assert [gradient.dtype for gradient in found] == [tf.float32, tf.float32]
    by_kernel = rounded(factors[0]).reshape(6, 16).sum(0)
    expected = np.repeat(by_kernel[:, None], 8, 1)
    np.testing.assert_allclose(found[1], expected, rtol=2**-7, atol=0.02)


def test_outside_the_block_a_dense_layer_is_that_of_keras(factors):
    layer = dense(8)
    before = layer(factors[0]).numpy()
    with tb.matmul_precision("bfloat16"):
        inside = layer(factors[0]).numpy()
    np.testing.assert_array_equal(before, layer(factors[0]).numpy())
    assert 0 < np.abs(inside - before).max() < 0.02
    np.testing.assert_allclose(before, factors[0] @ layer.kernel.numpy(), rtol=1e-4, atol=1e-6)


def test_other_types_stay_as_they_are():
    x = tf.constant([[1.0 + 2**-20]], tf.float64)
    with tb.matmul_precision("bfloat16"):
        assert multiply(x, x).numpy()[0, 0] == (1.0 + 2**-20) ** 2


def test_predict_follows_the_block_though_keras_keeps_its_function(tiny_classifier):
    before = tiny_classifier.predict_proba(TEXTS)
    with tb.matmul_precision("bfloat16"):
        inside = tiny_classifier.predict_proba(TEXTS)
    assert np.abs(inside - before).max() > 0
    np.testing.assert_allclose(inside, before, atol=0.02)
    np.testing.assert_array_equal(tiny_classifier.predict_proba(TEXTS), before)


def test_training_learns_as_in_float32(build_tiny):
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = build_tiny(dropout=0.0)
        with tb.matmul_precision(precision):
            history = tb.finetune(model, TEXTS, LABELS, epochs=30, learning_rate=1e-2, verbose=0)
        losses[precision] = history["loss"]
        assert {str(weight.dtype) for weight in model.weights} <= {"float32", "uint32"}
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"][-1] < 0.5 * losses["bfloat16"][0]


def test_the_precision_comes_back_after_an_error(factors):
    with pytest.raises(ZeroDivisionError), tb.matmul_precision("bfloat16"):
        _ = 1 / 0
    expected = tf.matmul(factors[0], factors[1]).numpy()
    np.testing.assert_array_equal(multiply(tf.constant(factors[0]), factors[1]).numpy(), expected)


def test_unknown_precisions_are_named():
    named = pytest.raises(tb.TinyBertError, match="float32, bfloat16. Received: 'int3'")
    with named, tb.matmul_precision("int3"):
        pass
