"""Rounding to integer grids, with gradients that pass straight through."""

import tensorflow as tf

# Clipping points tried for 4-bit rows, as shares of the row's largest value. With 15 levels,
# cutting the tails costs less than a coarse grid.
_CLIPS = tuple(1.0 - 0.05 * step for step in range(13))


def largest_integer(bits: int) -> int:
    """The largest value of a symmetric grid: 127 for 8 bits, 7 for 4."""
    return 2 ** (bits - 1) - 1


def row_scales(rows: tf.Tensor, bits: int) -> tf.Tensor:
    """Scales of symmetric per-row quantization, a function of the row alone.

    With 8 bits the largest value of the row is the end of the grid. With 4 bits the scale with
    the least squared error out of 13 clipping points is taken.

    Args:
        rows: tensor `(..., dim)`.
        bits: int. 4 or 8.

    Returns:
        Tensor `(..., 1)`, 1 for rows of zeros.
    """
    top = float(largest_integer(bits))
    widest = tf.reduce_max(tf.abs(rows), axis=-1, keepdims=True)
    widest = tf.where(widest > 0, widest, top)
    if bits >= 8:
        return widest / top
    best_scale, best_error = None, None
    for clip in _CLIPS:
        scale = widest * (clip / top)
        error = tf.reduce_sum((rows - round_to(rows, scale, bits)) ** 2, axis=-1, keepdims=True)
        if best_scale is None:
            best_scale, best_error = scale, error
        else:
            better = error < best_error
            best_scale = tf.where(better, scale, best_scale)
            best_error = tf.where(better, error, best_error)
    return best_scale


def round_to(x: tf.Tensor, scale: tf.Tensor, bits: int) -> tf.Tensor:
    """The nearest multiples of `scale` on a symmetric grid."""
    top = float(largest_integer(bits))
    return tf.clip_by_value(tf.round(x / scale), -top, top) * scale


def per_token_int8(x: tf.Tensor) -> tf.Tensor:
    """Asymmetric int8 by token: what XNNPACK makes of a dense layer's float input.

    Follows `xnn_f32_qd8_asymmetric_quantization_params`: the range holds zero, the zero point is
    rounded on the side where it errs least.

    Args:
        x: tensor `(..., dim)`. Each vector has its own range.
    """
    low = tf.minimum(tf.reduce_min(x, axis=-1, keepdims=True), 0.0)
    high = tf.maximum(tf.reduce_max(x, axis=-1, keepdims=True), 0.0)
    inverse = tf.where(high > low, 255.0 / tf.where(high > low, high - low, 1.0), 1.0)
    error_low, error_high = -128.0 + low * inverse, 127.0 + high * inverse
    zero_point = tf.where(
        error_low + error_high > 0, -128.0 - low * inverse, 127.0 - high * inverse
    )
    zero_point = tf.round(tf.clip_by_value(zero_point, -128.0, 127.0))
    levels = tf.clip_by_value(tf.round(x * inverse) + zero_point, -128.0, 127.0)
    return straight_through(x, (levels - zero_point) / inverse)


@tf.custom_gradient
def straight_through(x: tf.Tensor, quantized: tf.Tensor) -> tf.Tensor:
    """The value of `quantized` with the gradient of `x` (Bengio et al. 2013)."""
    return quantized, lambda upstream: (upstream, None)
