"""The embedding layer in int8."""

import keras
import tensorflow as tf

from tinybert_tf.layers.embeddings import BertEmbeddings
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer
from tinybert_tf.layers.quantized.int8_layer_norm import Int8LayerNorm

_SUMS = ("position_sum", "segment_sum")


@keras.saving.register_keras_serializable(package="tinybert_tf")
class Int8Embeddings(BertEmbeddings):
    """`BertEmbeddings` whose tables and sums are int8, each with one scale."""

    layer_norm_cls = Int8LayerNorm

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.quantizers = {
            name: ActivationQuantizer(name=name, dtype=self.dtype_policy) for name in _SUMS
        }

    @property
    def _segment_quantization(self) -> str | None:
        return self.quantization

    def build(self, token_ids_shape, segment_ids_shape=None):
        super().build(token_ids_shape, segment_ids_shape)
        for quantizer in self.quantizers.values():
            quantizer.build((*token_ids_shape, self.hidden_dim))

    def _sum(self, token_ids, segment_ids, training):
        words = self._words(token_ids, training)
        total = words + quantized_positions(self.position_embedding(words))
        total = self.quantizers["position_sum"](total, training=training)
        total = total + self.segment_embedding(segment_ids)
        return self.quantizers["segment_sum"](total, training=training)


def quantized_positions(rows):
    """Position vectors on one asymmetric int8 grid over the rows in use, as a constant is."""
    low = tf.minimum(tf.reduce_min(tf.stop_gradient(rows)), 0.0)
    high = tf.maximum(tf.reduce_max(tf.stop_gradient(rows)), 0.0)
    return tf.quantization.fake_quant_with_min_max_vars(rows, low, high)
