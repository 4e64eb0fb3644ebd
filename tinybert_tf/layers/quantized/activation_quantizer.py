"""Fake quantization of activations with a range that is learned by watching."""

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.errors import TinyBertError
from tinybert_tf.quantization.tfmot_bridge import attach, quantizers

# Ranges end at this many standard deviations. BERTs have a few activations a hundred times as
# large as the rest, on [CLS] and [SEP]; a grid that reaches them has no levels left for words.
_WIDEST = 16.0


@keras.saving.register_keras_serializable(package="tinybert_tf")
class ActivationQuantizer(keras.layers.Layer):
    """An int8 tensor in the exported file: tfmot's `MovingAverageQuantizer` as a Keras 3 layer.

    The range is a moving average of each training batch's minimum and maximum (decay 0.999),
    outliers beyond 16 standard deviations cut off. That is slow, so calibration sets it first:
    while `watching`, the quantizer averages the ranges of whole batches and lets tensors pass.

    Args:
        symmetric: bool. Whether zero lies in the middle of the grid, as XNNPACK demands of the
            right operand of an int8 BATCH_MATMUL. Defaults to `False`.
    """

    def __init__(self, symmetric: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.symmetric = symmetric
        self._quantizer = quantizers().MovingAverageQuantizer(
            num_bits=8, per_axis=False, symmetric=symmetric, narrow_range=symmetric
        )
        self.watching = False

    def build(self, input_shape):
        self._range = attach(self._quantizer, self, tuple(input_shape), "range")
        # Batches that calibration has seen; 0 means that the range is still tfmot's -6 to 6.
        self.batches_seen = self.add_weight(
            name="batches_seen", shape=(), initializer="zeros", trainable=False, dtype="float32"
        )
        self.built = True

    def call(self, x, training=None):
        """Returns `x` rounded to the grid of 255 or 256 levels, with its gradient."""
        if self.watching:
            self._watch(_without_outliers(x))
            return x
        if training:
            x = _without_outliers(x)
        return self._quantizer(x, bool(training), self._range)

    def _watch(self, x) -> None:
        """Averages the ranges of the batches."""
        low, high = tf.reduce_min(x), tf.reduce_max(x)
        if self.symmetric:
            high = tf.maximum(high, -low)
            low = -high
        low, high = tf.minimum(low, 0.0), tf.maximum(high, 0.0)
        seen = self.batches_seen.value
        for name, value in (("min_var", low), ("max_var", high)):
            variable = self._range[name]
            variable.assign(tf.where(seen > 0, variable + (value - variable) / (seen + 1), value))
        seen.assign_add(1.0)

    def watch(self, watching: bool) -> None:
        """Starts or ends calibration. Starting forgets what was seen."""
        self.watching = watching
        if watching:
            self.batches_seen.assign(0.0)

    @property
    def range(self) -> tuple[tf.Variable, tf.Variable]:
        """Lower and upper end as TensorFlow variables."""
        return self._range["min_var"], self._range["max_var"]

    def bounds(self) -> tuple[float, float]:
        """Lower and upper end of the range.

        Raises:
            TinyBertError: If the quantizer never saw data.
        """
        low, high = (float(end.numpy()) for end in self.range)
        if float(self.batches_seen.numpy()) == 0:
            raise TinyBertError(
                "Expected activation ranges from data; call quantize_aware(..., "
                f"calibration_data=texts). Received: {self.path} without a range"
            )
        if not np.isfinite([low, high]).all() or high - low <= 0:
            raise TinyBertError(
                f"Expected a finite range of some width. Received: {self.path} from {low} to {high}"
            )
        return low, high

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "symmetric": self.symmetric}


def _without_outliers(x):
    mean, variance = tf.nn.moments(tf.stop_gradient(x), axes=list(range(len(x.shape))))
    reach = _WIDEST * tf.sqrt(variance)
    return tf.clip_by_value(x, mean - reach, mean + reach)


def fixed_range(x, low: float, high: float):
    """Fake quantization to a range that TFLite prescribes, such as softmax's 0 to 255/256."""
    return tf.quantization.fake_quant_with_min_max_args(x, low, high, num_bits=8)


def softmax_int8(x):
    """Softmax as TFLite's int8 kernel returns it: multiples of 1/256."""
    return fixed_range(tf.nn.softmax(x), 0.0, 255.0 / 256.0)


def tanh_int8(x):
    """Tanh as TFLite's int8 kernel returns it: multiples of 1/128."""
    return fixed_range(tf.tanh(x), -1.0, 127.0 / 128.0)
