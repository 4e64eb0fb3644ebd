"""What a classifier knows, as plain float32 arrays: the input of the lowering."""

from dataclasses import dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class DenseWeights:
    """A fully-connected layer: `kernel` `(inputs, outputs)` and `bias` `(outputs,)`."""

    kernel: np.ndarray
    bias: np.ndarray


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
class ClassifierWeights:
    """A text classifier's weights and the few settings that decide its graph.

    Args:
        words: array `(vocabulary_size, hidden_dim)`. The word table.
        positions: array `(max_sequence_length, hidden_dim)`. Learned or sinusoidal.
        segments: array `(num_segments, hidden_dim)`. The segment table.
        embedding_norm: NormWeights. The LayerNorm after the sum of the three.
        blocks: tuple of BlockWeights.
        reduction: DenseWeights or None. The learned down-projection before the pooler.
        pooler: DenseWeights. Dense with tanh on the [CLS] vector.
        logits: DenseWeights. The classification head.
        activation: string. `"gelu"` (erf), `"gelu_tanh"` or `"relu"`.
        relu_head: bool. Whether the head reads relu of the pooled vector (TinyBERT's released
            code) instead of the pooled vector itself.
        multi_label: bool. Whether probabilities are sigmoids instead of a softmax.
    """

    words: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    embedding_norm: NormWeights
    blocks: tuple[BlockWeights, ...]
    reduction: DenseWeights | None
    pooler: DenseWeights
    logits: DenseWeights
    activation: str
    relu_head: bool
    multi_label: bool

    @property
    def max_sequence_length(self) -> int:
        """The longest input that has a position vector."""
        return self.positions.shape[0]

    @property
    def num_classes(self) -> int:
        """The number of probabilities."""
        return self.logits.bias.shape[0]


def read_weights(classifier) -> ClassifierWeights:
    """Copies a classifier's weights out of Keras, cast to float32.

    Args:
        classifier: TinyBertTextClassifier. Any floating-point policy.

    Raises:
        TinyBertError: If a weight holds NaN or infinity (all such weights are named).
    """
    _check_finite(classifier)
    backbone = classifier.backbone
    embeddings = backbone.embeddings
    return ClassifierWeights(
        words=_array(embeddings.token_embedding.embeddings),
        positions=embeddings.position_embedding.table.astype("float32"),
        segments=_array(embeddings.segment_embedding.embeddings),
        embedding_norm=_norm(embeddings.layer_norm),
        blocks=tuple(_block(block) for block in backbone.encoder_blocks),
        reduction=None if backbone.reduction is None else _dense(backbone.reduction),
        pooler=_dense(backbone.pooler),
        logits=_dense(classifier.output_dense),
        activation=backbone.activation,
        relu_head=classifier.head == "tinybert",
        multi_label=classifier.multi_label,
    )


def _array(variable) -> np.ndarray:
    return variable.value.numpy().astype("float32")


def _dense(layer) -> DenseWeights:
    return DenseWeights(_array(layer.kernel), _array(layer.bias))


def _norm(layer) -> NormWeights:
    return NormWeights(_array(layer.gamma), _array(layer.beta), float(layer.epsilon))


def _block(block) -> BlockWeights:
    attention, feed_forward = block.attention, block.feed_forward
    return BlockWeights(
        num_heads=attention.num_heads,
        query=_dense(attention.query_dense),
        key=_dense(attention.key_dense),
        value=_dense(attention.value_dense),
        attention_output=_dense(attention.output_dense),
        attention_norm=_norm(block.attention_layer_norm),
        intermediate=_dense(feed_forward.intermediate_dense),
        output=_dense(feed_forward.output_dense),
        output_norm=_norm(block.output_layer_norm),
    )


def _check_finite(classifier) -> None:
    bad = [
        variable.path
        for variable in classifier.weights
        if "float" in variable.dtype and not np.isfinite(_array(variable)).all()
    ]
    if bad:
        raise TinyBertError(
            "Expected finite weights; training may have diverged. "
            f"Received: NaN or infinity in {', '.join(bad)}"
        )
