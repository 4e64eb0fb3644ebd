"""From trained weights to the static graph that phones run fast.

The graph computes what the Keras model computes, for one sentence of a fixed length S, in the
operations that the delegates accept and compute correctly:

- activations have rank 4, `(1, 1, S, hidden_dim)`: with rank 2 LiteRT's GPU accelerator returns
  wrong numbers, and rank-3 attention fails on devices (LiteRT#8619);
- the word table is read by EMBEDDING_LOOKUP (quantized per row), and position and segment are
  folded into one constant and one product, so that no lookup meets a constant table (the GPU
  accelerator miscomputes `gather + constant`);
- the attention mask is finite and of rank 4, transposes are explicit, no slice drops an axis;
- queries are scaled in their weights, and the last block of a text classifier computes [CLS]
  only, since it reads nothing else of it.

Every tensor that is int8 under `static_int8` passes `_round`, which does nothing here; see
`lowering_int8.py`.
"""

import math
from dataclasses import replace

import numpy as np
import tensorflow as tf

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.graph_pieces import (
    composed_gelu,
    constant4,
    embedding_lookup,
    equals,
    split_heads,
)
from tinybert_tf.export.weights import (
    BlockWeights,
    DenseWeights,
    Grid,
    NormWeights,
    TaskWeights,
)
from tinybert_tf.quantization.schemes import find_scheme

# Added to the scores of padded keys. exp(-1000) is 0 in float32, and the sum stays far inside
# float16, in which GPUs of phones compute.
MASKED_SCORE = -1000.0

# The input tensors, in the order of the file.
INPUT_NAMES = ("ids", "mask", "segment_ids")
# The output tensor by kind of task.
OUTPUT_NAMES = {
    "classes": "probabilities",
    "labels": "probabilities",
    "score": "probabilities",
    "tokens": "probabilities",
    "spans": "logits",
    "embedding": "embedding",
}
# A second output of a text classifier.
ATTENTION_NAME = "attention"
# Kinds that read the vector of [CLS] only.
FIRST_ONLY = ("classes", "labels", "score")

_ACTIVATIONS = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
}


class LoweredTask(tf.Module):
    """A task model as a static graph from token ids to probabilities, or what its kind puts out.

    Args:
        weights: TaskWeights. The trained weights.
        masked_score: float. What is added to the attention scores of padding. Defaults to
            `-1000.0`.
        nnapi: bool. Whether to keep to what NNAPI maps: the word table read by GATHER, GELU
            composed of products and a sigmoid. Defaults to `False`.
        attention: bool. Whether a text classifier also puts out what [CLS] attends to in the last
            block, probabilities `(1, heads * S)`. Defaults to `False`.

    Attributes:
        grids: dict from the bytes of a constant, as the converter stores it, to its grid and the
            biases of the dense layers that have it. Filled while `signature` traces.

    Raises:
        TinyBertError: If the activation has no lowering.
    """

    def __init__(
        self,
        weights: TaskWeights,
        masked_score: float = MASKED_SCORE,
        nnapi: bool = False,
        attention: bool = False,
    ):
        super().__init__(name="tinybert")
        if weights.activation not in _ACTIVATIONS:
            raise TinyBertError(
                f"Expected an activation among {', '.join(_ACTIVATIONS)}. "
                f"Received: activation={weights.activation!r}"
            )
        self._weights = weights
        self._activation = _ACTIVATIONS[weights.activation]
        if nnapi and weights.activation != "relu":
            self._activation = composed_gelu
        self._masked_score = masked_score
        self._weight_only = weights.scheme is not None and find_scheme(weights.scheme).weight_only
        self._lookup = tf.gather if nnapi else embedding_lookup
        self._attended: list | None = [] if attention else None
        self.grids: dict[bytes, tuple[Grid, tuple[np.ndarray, ...]]] = {}

    def signature(self, sequence_length: int) -> tf.types.experimental.ConcreteFunction:
        """The graph for one length: three int32 `(1, S)` inputs; float32 `(1, N)` out.

        A tagger puts out `(1, S, N)`, start and end logits of an answer are `(1, S, 2)`.

        Args:
            sequence_length: int. S, at most the length of the position table.
        """
        specs = [tf.TensorSpec((1, sequence_length), tf.int32, name=name) for name in INPUT_NAMES]

        @tf.function(input_signature=specs, autograph=False)
        def classify(ids, mask, segment_ids):
            outputs = {OUTPUT_NAMES[self._weights.kind]: self._output(ids, mask, segment_ids)}
            if self._attended is not None:
                last = self._attended.pop()
                outputs[ATTENTION_NAME] = tf.reshape(last, (1, -1))
                self._attended.clear()
            return outputs

        return classify.get_concrete_function()

    def _output(self, ids, mask, segment_ids) -> tf.Tensor:
        """Int32 `(1, S)` inputs to the output of the task's kind."""
        weights = self._weights
        hidden = self._encode(ids, mask, segment_ids, weights.kind in FIRST_ONLY)
        if weights.kind == "embedding":
            return self._embedding(hidden, mask)
        if weights.kind in FIRST_ONLY:
            return self._of_text(hidden)
        logits = self._dense(hidden, weights.logits, "logits")
        logits = tf.reshape(logits, (1, ids.shape[1], weights.num_classes))
        return tf.nn.softmax(logits) if weights.kind == "tokens" else logits

    def _encode(self, ids, mask, segment_ids, first_only: bool) -> tf.Tensor:
        """The last hidden state, `(1, 1, S, hidden_dim)`, or of [CLS] alone."""
        weights = self._weights
        hidden = self._norm(
            self._embed(ids, segment_ids), weights.embedding_norm, "embeddings/layer_norm"
        )
        score_bias = self._score_bias(mask)
        last = len(weights.blocks) - 1
        for index, block in enumerate(weights.blocks):
            queries = hidden[:, :, 0:1, :] if first_only and index == last else hidden
            name = f"encoder_block_{index}"
            hidden = self._block(queries, hidden, score_bias, block, name)
        return hidden

    def _of_text(self, hidden) -> tf.Tensor:
        """The last state of [CLS] to probabilities `(1, N)`, or a score."""
        weights = self._weights
        if weights.reduction is not None:
            hidden = self._dense(hidden, weights.reduction, "reduction")
        pooled = self._tanh(self._dense(hidden, weights.pooler, "pooler"))
        if weights.relu_head:
            pooled = self._relu(pooled)
        logits = self._dense(pooled, weights.logits, "logits")
        logits = tf.reshape(logits, (1, weights.num_classes))
        if weights.kind == "score":
            return logits
        return tf.sigmoid(logits) if weights.kind == "labels" else tf.nn.softmax(logits)

    def _embedding(self, hidden, mask) -> tf.Tensor:
        """The mean state of real tokens at length one, `(1, hidden_dim)`.

        The mean over all S positions has the same direction, and keeps float16 in range.
        """
        length, width = hidden.shape[2], hidden.shape[3]
        real = tf.cast(tf.reshape(mask, (1, 1, 1, length)), tf.float32) * (1.0 / length)
        mean = tf.matmul(real, hidden)
        squared = tf.reduce_sum(mean * mean, axis=-1, keepdims=True)
        return tf.reshape(mean * tf.math.rsqrt(squared + 1e-12), (1, width))

    def _embed(self, ids, segment_ids) -> tf.Tensor:
        """Word + position + segment: `(1, 1, S, hidden_dim)`."""
        weights = self._weights
        length = ids.shape[1]
        self._register(weights.words, weights.words_grid)
        words = self._lookup(tf.constant(weights.words), tf.reshape(ids, (length,)))
        total = self._project_words(tf.reshape(words, (1, 1, length, -1)))
        segment = tf.cast(tf.reshape(segment_ids, (1, 1, length, 1)), tf.float32)
        for index in range(1, len(weights.segments)):
            step = weights.segments[index] - weights.segments[0]
            chosen = segment if len(weights.segments) == 2 else equals(segment, index)
            total += chosen * constant4(step)
        # The first product keeps the lookup's result away from this constant.
        return total + constant4(weights.positions[:length] + weights.segments[0])

    def _project_words(self, words) -> tf.Tensor:
        """Rows of a factorized word table `(1, 1, S, embedding_dim)` to their full width."""
        projection = self._weights.word_projection
        if projection is None:
            return words
        return self._dense(words, projection, "embeddings/token_projection")

    def _score_bias(self, mask) -> tf.Tensor:
        """Mask of ones and zeros `(1, S)` to what padding adds to scores, `(1, 1, 1, S)`."""
        real = tf.cast(tf.reshape(mask, (1, 1, 1, mask.shape[1])), tf.float32)
        return real * -self._masked_score + self._masked_score

    def _block(self, queries, hidden, score_bias, block: BlockWeights, name: str) -> tf.Tensor:
        """One Transformer block for the positions in `queries`, attending to all of `hidden`.

        Args:
            queries: tensor `(1, 1, Q, hidden_dim)`. All positions, or [CLS] alone.
            hidden: tensor `(1, 1, S, hidden_dim)`. The block's input.
            score_bias: tensor `(1, 1, 1, S)`. What padding adds to the scores.
            block: BlockWeights.
            name: string. The Keras layer.

        Returns:
            Tensor `(1, 1, Q, hidden_dim)`.
        """
        attended = self._attention(queries, hidden, score_bias, block, f"{name}/attention")
        attended = self._round(queries + attended, f"{name}/attention_sum")
        attended = self._norm(attended, block.attention_norm, f"{name}/attention_layer_norm")
        path = f"{name}/feed_forward"
        inner = self._activation(self._dense(attended, block.intermediate, f"{path}/intermediate"))
        inner = self._round(inner, f"{path}/activated")
        output = attended + self._dense(inner, block.output, f"{path}/output")
        output = self._round(output, f"{name}/output_sum")
        return self._norm(output, block.output_norm, f"{name}/output_layer_norm")

    def _attention(self, queries, hidden, score_bias, block: BlockWeights, name: str) -> tf.Tensor:
        heads = block.num_heads
        # Attention's 1/sqrt(head width) lies in the weights of the queries.
        scale = 1.0 / math.sqrt(block.query.bias.shape[0] // heads)
        query = self._dense(queries, block.query.times(scale), f"{name}/query", scale)
        key = self._dense(hidden, block.key, f"{name}/key")
        value = self._dense(hidden, block.value, f"{name}/value")
        scores = tf.matmul(
            split_heads(query, heads, (0, 2, 1, 3)), split_heads(key, heads, (0, 2, 3, 1))
        )
        probabilities = self._softmax(scores, score_bias, name)
        if self._attended is not None:
            self._attended.append(probabilities)
        context = tf.matmul(probabilities, split_heads(value, heads, (0, 2, 1, 3)))
        context = self._round(context, f"{name}/context")
        context = tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (1, 1, queries.shape[2], -1))
        return self._dense(context, block.attention_output, f"{name}/output")

    def _softmax(self, scores, score_bias, name: str) -> tf.Tensor:
        return tf.nn.softmax(scores + score_bias)

    def _tanh(self, x) -> tf.Tensor:
        return tf.tanh(x)

    def _relu(self, x) -> tf.Tensor:
        return tf.nn.relu(x)

    def _dense(self, x, weights: DenseWeights, name: str, scale: float = 1.0) -> tf.Tensor:
        """A fully-connected layer; `scale` is what its output was multiplied by."""
        if self._weight_only:
            return self._float_dense(x, weights)
        self._register(weights.kernel.T, weights.grid, weights.bias)
        y = tf.matmul(x, tf.constant(weights.kernel)) + tf.constant(weights.bias)
        return self._round(y, f"{name}/output_range", scale)

    def _float_dense(self, x, weights: DenseWeights) -> tf.Tensor:
        """A layer whose integers are decoded with one scale, and whose channels are scaled after.

        A FULLY_CONNECTED would quantize its input, or, of decoded weights, be refused by LiteRT's
        GPU accelerator, as is decoding by channel. A kernel of rank 4 becomes a BATCH_MATMUL.
        """
        widest = weights.grid.scales.max()
        grid = replace(weights.grid, scales=np.array([widest], "float32"))
        kernel = grid.values()
        self._register(kernel, grid)
        y = tf.matmul(x, constant4(kernel)) * constant4(weights.grid.scales / widest)
        return y + constant4(weights.bias)

    def _norm(self, x, weights: NormWeights, name: str) -> tf.Tensor:
        # The centered values serve twice: 2 to 3 % quicker than SQUARED_DIFFERENCE, same result.
        centered = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(centered * centered, axis=-1, keepdims=True)
        normalized = centered * tf.math.rsqrt(variance + weights.epsilon)
        return normalized * constant4(weights.gamma) + constant4(weights.beta)

    def _round(self, x, quantizer: str, scale: float = 1.0) -> tf.Tensor:
        """Where an int8 tensor stands under `static_int8`."""
        return x

    def _register(
        self, stored: np.ndarray, grid: Grid | None, bias: np.ndarray | None = None
    ) -> None:
        """Remembers which integers a constant of the converted file stands for."""
        if grid is None:
            return
        key = np.ascontiguousarray(stored, "float32").tobytes()
        biases = self.grids[key][1] if key in self.grids else ()
        if bias is not None and not any(np.array_equal(bias, other) for other in biases):
            biases = (*biases, bias)
        self.grids[key] = grid, biases
