"""The grids, against numpy written out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tinybert_tf.quantization.numbers import per_token_int8, round_to, row_scales


def by_hand(vector: np.ndarray) -> np.ndarray:
    """XNNPACK's asymmetric int8 of one vector, in its float32 arithmetic."""
    low, high = min(vector.min(), np.float32(0)), max(vector.max(), np.float32(0))
    if low == high:
        return vector
    inverse = np.float32(255) / np.float32(high - low)
    from_low, from_high = -128 + low * inverse, 127 + high * inverse
    zero_point = -128 - low * inverse if from_low + from_high > 0 else 127 - high * inverse
    zero_point = np.rint(np.clip(zero_point, -128, 127))
    levels = np.clip(np.rint(vector * inverse) + zero_point, -128, 127)
    return ((levels - zero_point) / inverse).astype("float32")


def test_per_token_int8():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(3, 4, 32)).astype("float32") * 5 + 1
    rows[0, 0] = np.abs(rows[0, 0])  # a range from zero
    rows[0, 1] = -np.abs(rows[0, 1])
    rows[0, 2] = 0
    rows[0, 3] *= 1e-6
    expected = np.stack([[by_hand(vector) for vector in row] for row in rows])
    np.testing.assert_allclose(per_token_int8(tf.constant(rows)).numpy(), expected, rtol=1e-6)


def test_per_token_int8_has_at_most_256_levels_and_hits_zero():
    vector = tf.constant(np.linspace(-1.0, 3.0, 2001, dtype="float32")[None])
    values = per_token_int8(vector).numpy()
    assert len(np.unique(values)) <= 256
    assert 0.0 in values
    assert np.abs(values - vector.numpy()).max() <= 4.0 / 255


def test_gradients_pass_straight_through():
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 8)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(per_token_int8(x) * tf.constant(np.arange(8, dtype="float32")))
    np.testing.assert_array_equal(tape.gradient(y, x).numpy()[1], np.arange(8))


def test_int8_row_scale_is_the_largest_value():
    rows = np.array([[1.0, -2.54, 0.3], [0.0, 0.0, 0.0]], "float32")
    np.testing.assert_allclose(row_scales(tf.constant(rows), 8).numpy(), [[0.02], [1.0]], rtol=1e-6)


def test_int4_row_scale_has_the_least_error():
    rows = np.random.default_rng(0).standard_t(3, size=(50, 96)).astype("float32")
    scales = row_scales(tf.constant(rows), 4).numpy()

    def error(scale):
        return ((np.clip(np.round(rows / scale), -7, 7) * scale - rows) ** 2).sum(-1)

    widest = np.abs(rows).max(-1, keepdims=True)
    assert (error(scales) <= error(widest / 7) + 1e-6).all()
    assert error(scales).sum() < 0.9 * error(widest / 7).sum()
    for clip in (1.0, 0.85, 0.7, 0.55, 0.4):
        assert (error(scales) <= error(clip * widest / 7) + 1e-4).all()


@pytest.mark.parametrize(("bits", "top"), [(8, 127), (4, 7)])
def test_round_to_is_symmetric_and_saturates(bits, top):
    values = round_to(tf.constant([-1e9, -0.26, 0.0, 0.26, 1e9]), tf.constant(0.5), bits).numpy()
    np.testing.assert_array_equal(values, [-0.5 * top, -0.5, 0.0, 0.5, 0.5 * top])
