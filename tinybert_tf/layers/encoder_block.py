"""One Transformer encoder block."""

import keras

from tinybert_tf.layers.feed_forward import FeedForward
from tinybert_tf.layers.self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="tinybert_tf")
class EncoderBlock(keras.layers.Layer):
    """Self-attention and feed-forward, each with residual and post-norm (Devlin et al. 2019).

    Args:
        num_heads: int. Attention heads.
        hidden_dim: int. Width of the block.
        intermediate_dim: int. Neurons of the feed-forward network.
        activation: string. See `FeedForward`. Defaults to `"gelu"`.
        attention_dim: int. See `MultiHeadSelfAttention`. Defaults to `None`.
        dropout: float. Dropout rate of both residual branches. Defaults to `0.1`.
        attention_dropout: float. Dropout rate of the probabilities. Defaults to `0.1`.
        layer_norm_epsilon: float. Defaults to `1e-12`.
        quantization: string. Scheme that is trained for; see `SCHEMES`. Defaults to `None`.
    """

    attention_cls = MultiHeadSelfAttention
    feed_forward_cls = FeedForward
    layer_norm_cls = keras.layers.LayerNormalization

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        activation: str = "gelu",
        attention_dim: int | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_epsilon: float = 1e-12,
        quantization: str | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # === Config ===
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.attention_dim = attention_dim
        self.dropout_rate = dropout
        self.attention_dropout = attention_dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.quantization = quantization

        # === Layers ===
        policy = self.dtype_policy
        self.attention = self.attention_cls(
            num_heads,
            hidden_dim,
            attention_dim=attention_dim,
            dropout=attention_dropout,
            quantization=quantization,
            dtype=policy,
            name="attention",
        )
        self.attention_layer_norm = self.layer_norm_cls(
            epsilon=layer_norm_epsilon, dtype=policy, name="attention_layer_norm"
        )
        self.feed_forward = self.feed_forward_cls(
            hidden_dim,
            intermediate_dim,
            activation=activation,
            quantization=quantization,
            dtype=policy,
            name="feed_forward",
        )
        self.output_layer_norm = self.layer_norm_cls(
            epsilon=layer_norm_epsilon, dtype=policy, name="output_layer_norm"
        )
        self.attention_output_dropout = keras.layers.Dropout(
            dropout, dtype=policy, name="attention_output_dropout"
        )
        self.output_dropout = keras.layers.Dropout(dropout, dtype=policy, name="output_dropout")

    def build(self, hidden_shape, padding_mask_shape=None):
        self.attention.build(hidden_shape, padding_mask_shape)
        for layer in (
            self.attention_layer_norm,
            self.feed_forward,
            self.output_layer_norm,
            self.attention_output_dropout,
            self.output_dropout,
        ):
            layer.build(hidden_shape)
        self.built = True

    def call(self, hidden, padding_mask=None, training=None):
        """Maps `(batch, length, hidden_dim)` to the next hidden state.

        Returns:
            A pair: the hidden state `(batch, length, hidden_dim)` and the raw attention scores
            `(batch, heads, length, length)`.
        """
        attended, scores = self.attention(hidden, padding_mask=padding_mask, training=training)
        attended = self.attention_output_dropout(attended, training=training)
        hidden = self._add(hidden, attended, "attention_sum", training)
        hidden = self.attention_layer_norm(hidden)
        transformed = self.feed_forward(hidden, training=training)
        transformed = self.output_dropout(transformed, training=training)
        hidden = self._add(hidden, transformed, "output_sum", training)
        return self.output_layer_norm(hidden), scores

    def _add(self, hidden, branch, name, training):
        """The residual sum called `name`."""
        return hidden + branch

    def compute_output_shape(self, hidden_shape, padding_mask_shape=None):
        return self.attention.compute_output_shape(hidden_shape, padding_mask_shape)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_heads": self.num_heads,
                "hidden_dim": self.hidden_dim,
                "intermediate_dim": self.intermediate_dim,
                "activation": self.activation,
                "attention_dim": self.attention_dim,
                "dropout": self.dropout_rate,
                "attention_dropout": self.attention_dropout,
                "layer_norm_epsilon": self.layer_norm_epsilon,
                "quantization": self.quantization,
            }
        )
        return config
