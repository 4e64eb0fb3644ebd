"""The feed-forward network in int8."""

import keras

from tinybert_tf.layers.feed_forward import ACTIVATIONS, FeedForward
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer


@keras.saving.register_keras_serializable(package="tinybert_tf")
class Int8FeedForward(FeedForward):
    """`FeedForward` with int8 tensors before and after the activation function."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.activated_quantizer = ActivationQuantizer(name="activated", dtype=self.dtype_policy)

    def build(self, input_shape):
        super().build(input_shape)
        self.activated_quantizer.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, hidden, training=None):
        inner = ACTIVATIONS[self.activation](self.intermediate_dense(hidden, training=training))
        inner = self.activated_quantizer(inner, training=training)
        return self.output_dense(inner, training=training)
