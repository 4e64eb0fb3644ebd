"""Layer normalization in int8 steps."""

import keras
import tensorflow as tf

from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer

_STEPS = ("mean", "centered", "squared", "variance", "inverse", "normalized", "output")


@keras.saving.register_keras_serializable(package="tinybert_tf")
class Int8LayerNorm(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` as a phone's NPU computes it: each step is int8.

    Gamma and beta are exact: they become a depthwise convolution with one scale a channel and an
    int32 bias.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.quantizers = {
            step: ActivationQuantizer(name=step, dtype=self.dtype_policy) for step in _STEPS
        }

    def build(self, input_shape):
        super().build(input_shape)
        for step, quantizer in self.quantizers.items():
            scalar = step in ("mean", "variance", "inverse")
            quantizer.build((*input_shape[:-1], 1) if scalar else input_shape)

    def call(self, x, training=None):
        def quantize(step, value):
            return self.quantizers[step](value, training=training)

        mean = quantize("mean", tf.reduce_mean(x, axis=-1, keepdims=True))
        centered = quantize("centered", x - mean)
        squared = quantize("squared", centered * centered)
        variance = quantize("variance", tf.reduce_mean(squared, axis=-1, keepdims=True))
        # TFLite's kernel gives a variance that rounds to zero the largest inverse there is.
        step = self.quantizers["variance"].range[1] / 255.0
        inverse = quantize("inverse", tf.math.rsqrt(tf.maximum(variance, step) + self.epsilon))
        normalized = quantize("normalized", centered * inverse)
        return quantize("output", normalized * self.gamma + self.beta)
