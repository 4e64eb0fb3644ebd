"""One Transformer decoder block."""

import keras
from keras import ops

from tinybert_tf.layers.feed_forward import FeedForward
from tinybert_tf.layers.self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="tinybert_tf")
class DecoderBlock(keras.layers.Layer):
    """Causal self-attention, attention to the encoder, feed-forward (Vaswani et al. 2017).

    Each with residual and post-norm, as in `EncoderBlock`. `call` reads all target tokens at once,
    for training; `step` reads one, with the keys and values of those before it in a cache.

    Args:
        num_heads: int. Attention heads.
        hidden_dim: int. Width of the block.
        intermediate_dim: int. Neurons of the feed-forward network.
        activation: string. See `FeedForward`. Defaults to `"gelu"`.
        attention_dim: int. See `MultiHeadSelfAttention`. Defaults to `None`.
        dropout: float. Dropout rate of the three residual branches. Defaults to `0.1`.
        attention_dropout: float. Dropout rate of the probabilities. Defaults to `0.1`.
        layer_norm_epsilon: float. Defaults to `1e-12`.
    """

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

        # === Layers ===
        self.self_attention = self._attention("self_attention")
        self.self_attention_layer_norm = self._layer_norm("self_attention_layer_norm")
        self.cross_attention = self._attention("cross_attention")
        self.cross_attention_layer_norm = self._layer_norm("cross_attention_layer_norm")
        self.feed_forward = FeedForward(
            hidden_dim,
            intermediate_dim,
            activation=activation,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.output_layer_norm = self._layer_norm("output_layer_norm")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _attention(self, name: str) -> MultiHeadSelfAttention:
        return MultiHeadSelfAttention(
            self.num_heads,
            self.hidden_dim,
            attention_dim=self.attention_dim,
            dropout=self.attention_dropout,
            dtype=self.dtype_policy,
            name=name,
        )

    def _layer_norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )

    def build(
        self,
        hidden_shape,
        encoder_states_shape,
        padding_mask_shape=None,
        encoder_mask_shape=None,
    ):
        for layer in (
            self.self_attention,
            self.self_attention_layer_norm,
            self.cross_attention,
            self.cross_attention_layer_norm,
            self.feed_forward,
            self.output_layer_norm,
            self.dropout,
        ):
            layer.build(hidden_shape)
        self.built = True

    def call(self, hidden, encoder_states, padding_mask=None, encoder_mask=None, training=None):
        """Maps target states to the next ones; none depends on a later token.

        Args:
            hidden: float tensor `(batch, length, hidden_dim)`.
            encoder_states: float tensor `(batch, source length, hidden_dim)`.
            padding_mask: int tensor `(batch, length)`, 1 for real target tokens. Defaults to
                `None`: all are real.
            encoder_mask: int tensor `(batch, source length)`. Defaults to `None`.

        Returns:
            The hidden state `(batch, length, hidden_dim)`, the raw self-attention scores
            `(batch, heads, length, length)`, those of later tokens included, and the raw
            cross-attention scores `(batch, heads, length, source length)`.
        """
        key, value = self.self_attention.project(hidden, training)
        mask = causal_mask(ops.shape(hidden)[1])
        if padding_mask is not None:
            mask = mask * ops.cast(padding_mask, "int32")[:, None, :]
        cross = self.cross_attention.project(encoder_states, training)
        return self._transform(hidden, (key, value), mask, cross, encoder_mask, training)

    def cross_cache(self, encoder_states) -> tuple:
        """The encoder's keys and values, each `(batch, heads, source length, head_dim)`."""
        return self.cross_attention.project(encoder_states)

    def empty_cache(self, batch: int, max_length: int) -> tuple:
        """The self-attention's cache at the start: zeros `(batch, heads, max_length, head_dim)`."""
        shape = (batch, self.num_heads, max_length, self.self_attention.head_dim)
        return tuple(ops.zeros(shape, self.compute_dtype) for _ in ("key", "value"))

    def step(self, hidden, position, cache, cross_cache, encoder_mask=None):
        """`call` for the one token at `position`. Every shape is static.

        Args:
            hidden: float tensor `(batch, 1, hidden_dim)`.
            position: int scalar, from 0 to `max_length - 1`.
            cache: pair of `(batch, heads, max_length, head_dim)`. Keys and values of the tokens
                before; see `empty_cache`.
            cross_cache: what `cross_cache` gave.
            encoder_mask: int tensor `(batch, source length)`. Defaults to `None`.

        Returns:
            The hidden state `(batch, 1, hidden_dim)` and the new cache.
        """
        cache = tuple(
            ops.slice_update(old, (0, 0, position, 0), new)
            for old, new in zip(cache, self.self_attention.project(hidden), strict=True)
        )
        reached = ops.arange(ops.shape(cache[0])[2], dtype="int32") <= position
        hidden, *_ = self._transform(
            hidden, cache, ops.cast(reached, "int32")[None, None], cross_cache, encoder_mask
        )
        return hidden, cache

    def _transform(self, hidden, own, mask, cross, encoder_mask, training=None):
        """The block, with keys and values of the target (`own`) and of the source (`cross`)."""
        attended, self_scores = self.self_attention.attend(hidden, *own, mask, training)
        hidden = hidden + self.dropout(attended, training=training)
        hidden = self.self_attention_layer_norm(hidden)
        attended, cross_scores = self.cross_attention.attend(hidden, *cross, encoder_mask, training)
        hidden = hidden + self.dropout(attended, training=training)
        hidden = self.cross_attention_layer_norm(hidden)
        transformed = self.feed_forward(hidden, training=training)
        hidden = hidden + self.dropout(transformed, training=training)
        return self.output_layer_norm(hidden), self_scores, cross_scores

    def compute_output_shape(
        self,
        hidden_shape,
        encoder_states_shape,
        padding_mask_shape=None,
        encoder_mask_shape=None,
    ):
        batch, length = hidden_shape[0], hidden_shape[1]
        return (
            (batch, length, self.hidden_dim),
            (batch, self.num_heads, length, length),
            (batch, self.num_heads, length, encoder_states_shape[1]),
        )

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
            }
        )
        return config


def causal_mask(length):
    """int32 `(1, length, length)`: 1 where a token (row) may read another (column)."""
    position = ops.arange(length, dtype="int32")
    return ops.cast(position[None, :] <= position[:, None], "int32")[None]
