"""Subclassed Keras layers of the encoder; they use `keras.ops` only and know no models."""

from tinybert_tf.layers.embeddings import BertEmbeddings
from tinybert_tf.layers.encoder_block import EncoderBlock
from tinybert_tf.layers.feed_forward import FeedForward
from tinybert_tf.layers.masked_lm_head import MaskedLMHead
from tinybert_tf.layers.self_attention import MultiHeadSelfAttention

__all__ = [
    "BertEmbeddings",
    "EncoderBlock",
    "FeedForward",
    "MaskedLMHead",
    "MultiHeadSelfAttention",
]
