"""Multi-head self-attention that hands out its raw scores."""

import keras
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense

# Finite, so that a row without any real key stays a number. exp(-1e9) is 0 in float32.
MASKED_SCORE = -1e9


@keras.saving.register_keras_serializable(package="tinybert_tf")
class MultiHeadSelfAttention(keras.layers.Layer):
    """Scaled dot-product self-attention (Vaswani et al. 2017; TinyBERT equation (1)).

    Query, key and value are plain `Dense` layers, so import, pruning and quantization stay
    simple. The raw scores `A = QK^T / sqrt(d_k)`, before masking and softmax, are returned:
    TinyBERT's attention loss, equation (7), fits those and not the probabilities.

    Args:
        num_heads: int. Attention heads.
        hidden_dim: int. Width of inputs and outputs.
        attention_dim: int. Total width of the heads; differs from `hidden_dim` in searched
            and pruned students. Defaults to `None`, which means `hidden_dim`.
        dropout: float. Dropout rate of the attention probabilities. Defaults to `0.1`.
        quantization: string. Scheme that is trained for; see `SCHEMES`. Defaults to `None`.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        attention_dim: int | None = None,
        dropout: float = 0.1,
        quantization: str | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        width = attention_dim or hidden_dim
        if num_heads < 1 or width % num_heads:
            raise TinyBertError(
                "Expected the attention width to be a multiple of the number of heads. "
                f"Received: attention_dim={width}, num_heads={num_heads}"
            )
        # === Config ===
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.attention_dim = attention_dim
        self.dropout_rate = dropout
        self.quantization = quantization
        self.head_dim = width // num_heads

        # === Layers ===
        self.query_dense = self._dense(width, "query")
        self.key_dense = self._dense(width, "key")
        self.value_dense = self._dense(width, "value")
        self.output_dense = self._dense(hidden_dim, "output")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _dense(self, units: int, name: str) -> keras.layers.Dense:
        return dense(units, self.quantization, dtype=self.dtype_policy, name=name)

    def build(self, hidden_shape, padding_mask_shape=None):
        for projection in (self.query_dense, self.key_dense, self.value_dense):
            projection.build(hidden_shape)
        width = self.num_heads * self.head_dim
        self.output_dense.build((*hidden_shape[:-1], width))
        self.dropout.build((hidden_shape[0], self.num_heads, hidden_shape[1], hidden_shape[1]))
        self.built = True

    def _split_heads(self, x):
        """`(batch, length, attention_dim)` to `(batch, heads, length, head_dim)`."""
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        x = ops.reshape(x, (batch, length, self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def call(self, hidden, padding_mask=None, training=None):
        """Attends from every token to every real token.

        Args:
            hidden: float tensor `(batch, length, hidden_dim)`.
            padding_mask: int tensor `(batch, length)`, 1 for real tokens. Defaults to `None`:
                all are real.

        Returns:
            A pair: the output `(batch, length, hidden_dim)` and the raw attention scores
            `(batch, heads, length, length)`.
        """
        key, value = self.project(hidden, training)
        return self.attend(hidden, key, value, padding_mask, training)

    def project(self, states, training=None):
        """The keys and values of `states`, each `(batch, heads, length, head_dim)`."""
        return tuple(
            self._split_heads(projection(states, training=training))
            for projection in (self.key_dense, self.value_dense)
        )

    def attend(self, hidden, key, value, padding_mask=None, training=None):
        """As `call`, to keys and values that `project` gave, perhaps of other states.

        Args:
            hidden: float tensor `(batch, length, hidden_dim)`.
            key: float tensor `(batch, heads, key length, head_dim)`.
            value: float tensor of the same shape.
            padding_mask: int tensor `(batch, key length)`, or a row for each token of `hidden`,
                `(batch, length, key length)`. Defaults to `None`.
        """
        query = self._split_heads(self.query_dense(hidden, training=training))
        query = query / self.head_dim**0.5
        context, scores = self._attend(query, key, value, padding_mask, training)
        context = ops.transpose(context, (0, 2, 1, 3))
        batch, length = ops.shape(context)[0], ops.shape(context)[1]
        context = ops.reshape(context, (batch, length, self.num_heads * self.head_dim))
        return self.output_dense(context, training=training), scores

    def _attend(self, query, key, value, padding_mask, training):
        """Context and raw scores from three tensors `(batch, heads, length, head_dim)`."""
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        # At least float32: half precision would round the softmax.
        precision = "float64" if self.compute_dtype == "float64" else "float32"
        masked = ops.cast(scores, precision)
        if padding_mask is not None:
            by_token = len(padding_mask.shape) == 3
            mask = padding_mask[:, None] if by_token else padding_mask[:, None, None, :]
            padding = 1.0 - ops.cast(mask, precision)
            masked = masked + padding * MASKED_SCORE
        probabilities = ops.cast(ops.softmax(masked, axis=-1), self.compute_dtype)
        probabilities = self.dropout(probabilities, training=training)
        return ops.matmul(probabilities, value), scores

    def compute_output_shape(self, hidden_shape, padding_mask_shape=None):
        batch, length = hidden_shape[0], hidden_shape[1]
        return (
            (batch, length, self.hidden_dim),
            (batch, self.num_heads, length, length),
        )

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_heads": self.num_heads,
                "hidden_dim": self.hidden_dim,
                "attention_dim": self.attention_dim,
                "dropout": self.dropout_rate,
                "quantization": self.quantization,
            }
        )
        return config
