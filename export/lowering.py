"""From trained weights to the static graph that phones run fast.

The graph computes what the Keras classifier computes, for one sentence of a fixed length S, in
the operations that the delegates accept and compute correctly:

- activations have rank 4, `(1, 1, S, hidden_dim)`: with rank 2 LiteRT's GPU accelerator returns
  wrong numbers, and rank-3 attention fails on devices (LiteRT#8619);
- the word table is read by EMBEDDING_LOOKUP (quantized per row), and position and segment are
  folded into one constant and one product, so that no lookup meets a constant table (the GPU
  accelerator miscomputes `gather + constant`);
- the attention mask is finite and of rank 4, transposes are explicit, no slice drops an axis;
- queries are scaled in their weights, and the last block computes [CLS] only, since the
  classifier reads nothing else of it.
"""

import math

import numpy as np
import tensorflow as tf

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.weights import (
    BlockWeights,
    ClassifierWeights,
    DenseWeights,
    NormWeights,
)

# Added to the scores of padded keys. exp(-1000) is 0 in float32, and the sum stays far inside
# float16, in which GPUs of phones compute.
MASKED_SCORE = -1000.0

# The input tensors, in the order of the file.
INPUT_NAMES = ("ids", "mask", "segment_ids")
OUTPUT_NAME = "probabilities"

_ACTIVATIONS = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
}


class LoweredClassifier(tf.Module):
    """A classifier as a static graph from token ids to probabilities.

    Args:
        weights: ClassifierWeights. The trained weights.
        masked_score: float. What is added to the attention scores of padding. Defaults to
            `-1000.0`.

    Raises:
        TinyBertError: If the activation has no lowering.
    """

    def __init__(self, weights: ClassifierWeights, masked_score: float = MASKED_SCORE):
        super().__init__(name="tinybert")
        if weights.activation not in _ACTIVATIONS:
            raise TinyBertError(
                f"Expected an activation among {', '.join(_ACTIVATIONS)}. "
                f"Received: activation={weights.activation!r}"
            )
        self._weights = weights
        self._activation = _ACTIVATIONS[weights.activation]
        self._masked_score = masked_score

    def signature(self, sequence_length: int) -> tf.types.experimental.ConcreteFunction:
        """The graph for one length: three int32 `(1, S)` inputs, float32 `(1, N)` out.

        Args:
            sequence_length: int. S, at most the length of the position table.
        """
        specs = [tf.TensorSpec((1, sequence_length), tf.int32, name=name) for name in INPUT_NAMES]

        @tf.function(input_signature=specs, autograph=False)
        def classify(ids, mask, segment_ids):
            return {OUTPUT_NAME: self._probabilities(ids, mask, segment_ids)}

        return classify.get_concrete_function()

    def _probabilities(self, ids, mask, segment_ids) -> tf.Tensor:
        """Int32 `(1, S)` inputs to probabilities `(1, N)`."""
        weights = self._weights
        hidden = self._embed(ids, segment_ids)
        score_bias = self._score_bias(mask)
        for block in weights.blocks[:-1]:
            hidden = self._block(hidden, hidden, score_bias, block)
        first = hidden[:, :, 0:1, :]
        pooled = self._block(first, hidden, score_bias, weights.blocks[-1])
        if weights.reduction is not None:
            pooled = _dense(pooled, weights.reduction)
        pooled = tf.tanh(_dense(pooled, weights.pooler))
        if weights.relu_head:
            pooled = tf.nn.relu(pooled)
        logits = tf.reshape(_dense(pooled, weights.logits), (1, weights.num_classes))
        return tf.sigmoid(logits) if weights.multi_label else tf.nn.softmax(logits)

    def _embed(self, ids, segment_ids) -> tf.Tensor:
        """Word + position + segment, normalized: `(1, 1, S, hidden_dim)`."""
        weights = self._weights
        length, hidden_dim = ids.shape[1], weights.words.shape[1]
        words = _embedding_lookup(tf.constant(weights.words), tf.reshape(ids, (length,)))
        total = tf.reshape(words, (1, 1, length, hidden_dim))
        segment = tf.cast(tf.reshape(segment_ids, (1, 1, length, 1)), tf.float32)
        for index in range(1, len(weights.segments)):
            step = weights.segments[index] - weights.segments[0]
            chosen = segment if len(weights.segments) == 2 else _equals(segment, index)
            total += chosen * _constant4(step)
        # The first product keeps the lookup's result away from this constant.
        total += _constant4(weights.positions[:length] + weights.segments[0])
        return _layer_norm(total, weights.embedding_norm)

    def _score_bias(self, mask) -> tf.Tensor:
        """Mask of ones and zeros `(1, S)` to what padding adds to scores, `(1, 1, 1, S)`."""
        real = tf.cast(tf.reshape(mask, (1, 1, 1, mask.shape[1])), tf.float32)
        return real * -self._masked_score + self._masked_score

    def _block(self, queries, hidden, score_bias, block: BlockWeights) -> tf.Tensor:
        """One Transformer block for the positions in `queries`, attending to all of `hidden`.

        Args:
            queries: tensor `(1, 1, Q, hidden_dim)`. All positions, or [CLS] alone.
            hidden: tensor `(1, 1, S, hidden_dim)`. The block's input.
            score_bias: tensor `(1, 1, 1, S)`. What padding adds to the scores.
            block: BlockWeights.

        Returns:
            Tensor `(1, 1, Q, hidden_dim)`.
        """
        attended = self._attention(queries, hidden, score_bias, block)
        attended = _layer_norm(queries + attended, block.attention_norm)
        inner = self._activation(_dense(attended, block.intermediate))
        return _layer_norm(attended + _dense(inner, block.output), block.output_norm)

    def _attention(self, queries, hidden, score_bias, block: BlockWeights) -> tf.Tensor:
        heads = block.num_heads
        query = _split_heads(_dense(queries, _scaled(block.query, heads)), heads, (0, 2, 1, 3))
        key = _split_heads(_dense(hidden, block.key), heads, (0, 2, 3, 1))
        value = _split_heads(_dense(hidden, block.value), heads, (0, 2, 1, 3))
        probabilities = tf.nn.softmax(tf.matmul(query, key) + score_bias)
        context = tf.transpose(tf.matmul(probabilities, value), (0, 2, 1, 3))
        context = tf.reshape(context, (1, 1, queries.shape[2], -1))
        return _dense(context, block.attention_output)


@tf.function(experimental_implements="embedding_matmul", autograph=False)
def _embedding_lookup(table, ids):
    """Rows of `table` at `ids` `(S,)`; the converter turns it into EMBEDDING_LOOKUP by name."""
    return tf.gather(table, ids)


def _dense(x, weights: DenseWeights) -> tf.Tensor:
    return tf.matmul(x, tf.constant(weights.kernel)) + tf.constant(weights.bias)


def _scaled(query: DenseWeights, heads: int) -> DenseWeights:
    """The query layer with attention's 1/sqrt(head width) inside."""
    scale = np.float32(1.0 / math.sqrt(query.bias.shape[0] // heads))
    return DenseWeights(query.kernel * scale, query.bias * scale)


def _split_heads(x, heads: int, order: tuple[int, ...]) -> tf.Tensor:
    """`(1, 1, L, width)` to `(1, L, heads, width / heads)`, transposed by `order`."""
    length, width = x.shape[2], x.shape[3]
    return tf.transpose(tf.reshape(x, (1, length, heads, width // heads)), order)


def _layer_norm(x, weights: NormWeights) -> tf.Tensor:
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axis=-1, keepdims=True)
    normalized = (x - mean) * tf.math.rsqrt(variance + weights.epsilon)
    return normalized * _constant4(weights.gamma) + _constant4(weights.beta)


def _constant4(value: np.ndarray) -> tf.Tensor:
    """A vector or matrix as a rank-4 constant `(1, 1, rows, columns)`."""
    return tf.constant(value.reshape((1, 1, -1, value.shape[-1])))


def _equals(x, index: int) -> tf.Tensor:
    """1.0 where integer-valued `x` is `index`, else 0.0, without a boolean tensor."""
    return tf.nn.relu(1.0 - tf.abs(x - float(index)))
