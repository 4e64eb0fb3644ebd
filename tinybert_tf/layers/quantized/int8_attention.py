"""Self-attention in int8."""

import keras
import tensorflow as tf

from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer, softmax_int8
from tinybert_tf.layers.self_attention import MultiHeadSelfAttention

# How far below the smallest real score a padded one lies. exp(-8) of the weight of the least
# attended token leaks; a mask of -1e4 in the same int8 tensor would leave no levels for scores.
MASK_MARGIN = 8.0


@keras.saving.register_keras_serializable(package="tinybert_tf")
class Int8SelfAttention(MultiHeadSelfAttention):
    """`MultiHeadSelfAttention` with int8 activations throughout.

    Keys and values are symmetric, so that XNNPACK multiplies them in int8. The mask saturates:
    padded scores get the lowest level of the grid.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.quantizers = {
            name: ActivationQuantizer(name=name, dtype=self.dtype_policy)
            for name in ("scores", "context")
        }

    def _dense(self, units: int, name: str) -> keras.layers.Dense:
        return dense(
            units,
            self.quantization,
            symmetric_output=name in ("key", "value"),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, hidden_shape, padding_mask_shape=None):
        super().build(hidden_shape, padding_mask_shape)
        width = self.num_heads * self.head_dim
        self.quantizers["scores"].build((hidden_shape[0], self.num_heads, None, None))
        self.quantizers["context"].build((*hidden_shape[:-1], width))

    def _attend(self, query, key, value, padding_mask, training):
        raw = tf.matmul(query, tf.transpose(key, (0, 1, 3, 2)))
        quantizer = self.quantizers["scores"]
        scores = quantizer(raw, training=training)
        if padding_mask is not None:
            low, high = masked_score_range(*quantizer.range)
            padding = 1.0 - tf.cast(padding_mask[:, None, None, :], scores.dtype)
            scores = scores - padding * (high - low)
            if not quantizer.watching:
                scores = tf.quantization.fake_quant_with_min_max_vars(scores, low, high)
        probabilities = self.dropout(softmax_int8(scores), training=training)
        return self.quantizers["context"](tf.matmul(probabilities, value), training=training), raw


def masked_score_range(low, high):
    """The range of masked scores, given that of the real ones."""
    return low - MASK_MARGIN, high
