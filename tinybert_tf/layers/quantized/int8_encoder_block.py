"""One Transformer encoder block in int8."""

import keras

from tinybert_tf.layers.encoder_block import EncoderBlock
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer
from tinybert_tf.layers.quantized.int8_attention import Int8SelfAttention
from tinybert_tf.layers.quantized.int8_feed_forward import Int8FeedForward
from tinybert_tf.layers.quantized.int8_layer_norm import Int8LayerNorm


@keras.saving.register_keras_serializable(package="tinybert_tf")
class Int8EncoderBlock(EncoderBlock):
    """`EncoderBlock` whose every tensor is int8 in the exported file."""

    attention_cls = Int8SelfAttention
    feed_forward_cls = Int8FeedForward
    layer_norm_cls = Int8LayerNorm

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.quantizers = {
            name: ActivationQuantizer(name=name, dtype=self.dtype_policy)
            for name in ("attention_sum", "output_sum")
        }

    def build(self, hidden_shape, padding_mask_shape=None):
        super().build(hidden_shape, padding_mask_shape)
        for quantizer in self.quantizers.values():
            quantizer.build(hidden_shape)

    def _add(self, hidden, branch, name, training):
        return self.quantizers[name](hidden + branch, training=training)
