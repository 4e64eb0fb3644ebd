"""What a task model knows, as plain arrays: the input of the lowering."""

from dataclasses import dataclass, field

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer
from tinybert_tf.layers.quantized.quantized_dense import QuantizedDense
from tinybert_tf.layers.quantized.quantized_embedding import QuantizedEmbedding


@dataclass(frozen=True)
class Grid:
    """The integers that a quantized matrix is stored as.

    Args:
        integers: int8 array, `(rows, columns)`.
        scales: float32 array: one a row, one a column, or one.
        axis: int. The axis of `integers` that the scales count.
        bits: int. 8 or 4.
    """

    integers: np.ndarray
    scales: np.ndarray
    axis: int
    bits: int

    @classmethod
    def nearest(cls, matrix: np.ndarray, axis: int) -> "Grid":
        """The int8 grid of a trained matrix: symmetric, one scale for each index of `axis`."""
        widest = np.abs(matrix).max(axis=1 - axis, keepdims=True)
        scales = np.where(widest > 0, widest, 127.0).astype("float32") / np.float32(127)
        integers = np.clip(np.round(matrix / scales), -127, 127).astype("int8")
        return cls(integers, scales.reshape(-1), axis, 8)

    @property
    def transposed(self) -> "Grid":
        """The same numbers with rows and columns exchanged."""
        return Grid(self.integers.T, self.scales, 1 - self.axis, self.bits)

    def values(self) -> np.ndarray:
        """The float32 matrix that the integers stand for."""
        shape = [1, 1]
        if self.scales.size > 1:
            shape[self.axis] = self.scales.size
        return self.integers.astype("float32") * self.scales.reshape(shape)


@dataclass(frozen=True)
class DenseWeights:
    """A fully-connected layer: `kernel` `(inputs, outputs)`, `bias` `(outputs,)`, kernel's grid."""

    kernel: np.ndarray
    bias: np.ndarray
    grid: Grid | None = None

    def times(self, factor: float) -> "DenseWeights":
        """The layer with its output multiplied by a number, on the same integers."""
        factor = np.float32(factor)
        if self.grid is None:
            return DenseWeights(self.kernel * factor, self.bias * factor)
        old = self.grid
        grid = Grid(old.integers, old.scales * factor, old.axis, old.bits)
        return DenseWeights(grid.values(), self.bias * factor, grid)


@dataclass(frozen=True)
class NormWeights:
    """A LayerNorm: `gamma` and `beta` `(hidden_dim,)`, and what is added to the variance."""

    gamma: np.ndarray
    beta: np.ndarray
    epsilon: float


@dataclass(frozen=True)
class BlockWeights:
    """One Transformer block: attention, LayerNorm, feed-forward, LayerNorm."""

    num_heads: int
    query: DenseWeights
    key: DenseWeights
    value: DenseWeights
    attention_output: DenseWeights
    attention_norm: NormWeights
    intermediate: DenseWeights
    output: DenseWeights
    output_norm: NormWeights


@dataclass(frozen=True)
class TaskWeights:
    """A task model's weights and the few settings that decide its graph.

    Matrices with a grid hold the float32 values of its integers.

    Args:
        words: array `(vocabulary_size, hidden_dim)`. The word table; narrower if factorized.
        positions: array `(max_sequence_length, hidden_dim)`. Learned or sinusoidal.
        segments: array `(num_segments, hidden_dim)`. The segment table.
        embedding_norm: NormWeights. The LayerNorm after the sum of the three.
        blocks: tuple of BlockWeights.
        reduction: DenseWeights or None. The learned down-projection before the pooler.
        pooler: DenseWeights. Dense with tanh on the [CLS] vector.
        logits: DenseWeights or None. The head; an embedding has none.
        activation: string. `"gelu"` (erf), `"gelu_tanh"` or `"relu"`.
        relu_head: bool. Whether the head reads relu of the pooled vector (TinyBERT's released
            code) instead of the pooled vector itself.
        kind: string. What the logits are; see `TinyBertTask`.
        scheme: string. The quantization scheme the grids belong to; `None` without any.
        words_grid: Grid. The word table's integers. Defaults to `None`.
        segments_grid: Grid. The segment table's. Defaults to `None`.
        ranges: dict. Of int8 activations: path of the quantizer to lower and upper end.
        word_projection: DenseWeights or None. What takes factorized words to hidden_dim.
    """

    words: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    embedding_norm: NormWeights
    blocks: tuple[BlockWeights, ...]
    reduction: DenseWeights | None
    pooler: DenseWeights
    logits: DenseWeights | None
    activation: str
    relu_head: bool
    kind: str
    scheme: str | None = None
    words_grid: Grid | None = None
    segments_grid: Grid | None = None
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    word_projection: DenseWeights | None = None

    @property
    def max_sequence_length(self) -> int:
        """The longest input that has a position vector."""
        return self.positions.shape[0]

    @property
    def num_classes(self) -> int:
        """The number of logits: of a text, or of each token."""
        return self.logits.bias.shape[0]


def read_weights(classifier) -> TaskWeights:
    """Copies a task model's weights out of Keras, cast to float32.

    Args:
        classifier: TinyBertTextClassifier or another task model of ours. Any floating-point
            policy; quantization-aware or not.

    Raises:
        TinyBertError: If a weight holds NaN or infinity (all such weights are named), or the
            range of an int8 activation was never set.
    """
    check_finite(classifier)
    backbone = classifier.backbone
    embeddings = backbone.embeddings
    words, words_grid = _table(embeddings.token_embedding)
    segments, segments_grid = _table(embeddings.segment_embedding)
    return TaskWeights(
        words=words,
        positions=embeddings.position_embedding.table.astype("float32"),
        segments=segments,
        embedding_norm=read_norm(embeddings.layer_norm),
        blocks=tuple(_block(block) for block in backbone.encoder_blocks),
        reduction=None if backbone.reduction is None else read_dense(backbone.reduction),
        pooler=read_dense(backbone.pooler),
        logits=read_dense(classifier.output_dense) if hasattr(classifier, "output_dense") else None,
        activation=backbone.activation,
        relu_head=getattr(classifier, "head", None) == "tinybert",
        kind=classifier.kind,
        scheme=backbone.quantization,
        words_grid=words_grid,
        segments_grid=segments_grid,
        ranges={
            layer.path: layer.bounds()
            for layer in classifier._flatten_layers()
            if isinstance(layer, ActivationQuantizer)
        },
        word_projection=(
            None if embeddings.token_projection is None else read_dense(embeddings.token_projection)
        ),
    )


def read_array(variable) -> np.ndarray:
    """A Keras variable as float32."""
    return variable.value.numpy().astype("float32")


def _table(layer) -> tuple[np.ndarray, Grid | None]:
    """A lookup table's values, and its grid when it is quantized."""
    if not isinstance(layer, QuantizedEmbedding):
        return read_array(layer.embeddings), None
    grid = Grid(*layer.table_grid(), axis=0, bits=layer.bits)
    return grid.values(), grid


def read_dense(layer) -> DenseWeights:
    """A dense layer's weights, and its grid when it is quantized."""
    bias = read_array(layer.bias)
    if not isinstance(layer, QuantizedDense):
        return DenseWeights(read_array(layer.kernel), bias)
    grid = Grid(*layer.kernel_grid(), axis=1, bits=layer.bits)
    return DenseWeights(grid.values(), bias, grid)


def read_norm(layer) -> NormWeights:
    """A LayerNorm's weights."""
    return NormWeights(read_array(layer.gamma), read_array(layer.beta), float(layer.epsilon))


def _block(block) -> BlockWeights:
    attention, feed_forward = block.attention, block.feed_forward
    return BlockWeights(
        num_heads=attention.num_heads,
        query=read_dense(attention.query_dense),
        key=read_dense(attention.key_dense),
        value=read_dense(attention.value_dense),
        attention_output=read_dense(attention.output_dense),
        attention_norm=read_norm(block.attention_layer_norm),
        intermediate=read_dense(feed_forward.intermediate_dense),
        output=read_dense(feed_forward.output_dense),
        output_norm=read_norm(block.output_layer_norm),
    )


def check_finite(classifier) -> None:
    """Refuses weights of NaN or infinity."""
    bad = [
        variable.path
        for variable in classifier.weights
        if "float" in variable.dtype and not np.isfinite(read_array(variable)).all()
    ]
    if bad:
        raise TinyBertError(
            "Expected finite weights; training may have diverged. "
            f"Received: NaN or infinity in {', '.join(bad)}"
        )
