"""How much the loss depends on each attention head and each feed-forward neuron."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from keras import ops

from tinybert_tf.distillation.distiller import check_pair
from tinybert_tf.distillation.losses import HardLabelLoss, PredictionLoss
from tinybert_tf.distillation.views import as_teacher, encoder_of
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertTextClassifier


@dataclass(frozen=True, eq=False)
class Importance:
    """What `measure_importance` returns: the larger, the more the loss would change.

    Attributes:
        heads: float64 array `(layers, heads)`.
        neurons: float64 array `(layers, intermediate_dim)`.
    """

    heads: np.ndarray
    neurons: np.ndarray


def measure_importance(
    classifier: TinyBertTextClassifier,
    texts,
    labels=None,
    teacher=None,
    batch_size: int = 32,
    max_examples: int | None = 1024,
    seed: int = 0,
) -> Importance:
    """First-order importance of heads and neurons (Michel et al. 2019, equation (2)).

    Put a mask of ones on each head's context and on each neuron's activation. The importance is
    `E |dL/dmask|`: how fast the loss moves when the head or neuron fades out, which is also the
    first Taylor term of its removal (Molchanov et al. 2019). The expectation is
    over batches; `batch_size=1` is the paper's, one over examples.

    No mask is needed to compute it. What a mask scales enters the output layer's kernel W by the
    rows of that head or neuron, so `dL/dmask_i = sum_j W_ij dL/dW_ij`, summed over the rows of a
    head. Dropout is off.

    Measure on training texts: pruning that saw dev or test texts makes their scores too good.

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        texts: list of strings, or a tuple of two such lists for sentence pairs.
        labels: label names or numbers; the loss is the cross-entropy to them. Defaults to `None`.
        teacher: what `as_teacher` accepts. Without labels, the loss is the soft cross-entropy
            to its logits. Defaults to `None`.
        batch_size: int. Texts whose gradients are averaged before `|.|`. Defaults to `32`.
        max_examples: int. Of more texts, so many are drawn. Defaults to `1024`; `None`: all.
        seed: int. Which texts are drawn, and which of them share a batch. Defaults to `0`.

    Returns:
        An `Importance`.

    Raises:
        TinyBertError: If there is neither a label nor a teacher, the teacher does not fit, or
            the classifier is quantization-aware.
    """
    check_prunable(classifier)
    loss_of = _loss(classifier, labels, teacher)
    texts, labels = _draw(texts, labels, max_examples, seed)
    batches = classifier.batches(texts, labels, batch_size=batch_size, seed=seed)
    blocks = classifier.backbone.encoder_blocks
    kernels = [block.attention.output_dense.kernel for block in blocks]
    kernels += [block.feed_forward.output_dense.kernel for block in blocks]
    variables = [kernel.value for kernel in kernels]

    # Per row of each kernel: the sums of |.| over batches; heads add their rows up first.
    heads = np.zeros((len(blocks), classifier.backbone.num_heads))
    neurons = np.zeros((len(blocks), classifier.backbone.intermediate_dim))
    for step in range(len(batches)):
        inputs, *targets = batches.batch(0, step)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            loss = loss_of(inputs, *targets)
        gradients = tape.gradient(loss, variables)
        slopes = [
            np.sum(kernel.numpy().astype("float64") * gradient.numpy(), axis=1)
            for kernel, gradient in zip(kernels, gradients, strict=True)
        ]
        share = len(inputs["token_ids"]) / len(batches.token_ids)
        by_head = np.reshape(slopes[: len(blocks)], (*heads.shape, -1)).sum(axis=-1)
        heads += share * np.abs(by_head)
        neurons += share * np.abs(slopes[len(blocks) :])
    return Importance(heads, neurons)


def check_prunable(classifier) -> None:
    """Refuses what has no plain kernels to rank or cut.

    Raises:
        TinyBertError: If the model is no classifier of ours, or is quantization-aware.
    """
    if not isinstance(classifier, TinyBertTextClassifier):
        raise TinyBertError(
            f"Expected a TinyBertTextClassifier. Received: classifier={type(classifier).__name__}"
        )
    if classifier.backbone.quantization is not None:
        raise TinyBertError(
            "Expected a classifier that is not quantization-aware yet: prune first, then "
            f"quantize. Received: quantization={classifier.backbone.quantization!r}"
        )


def _loss(classifier, labels, teacher):
    """The function from a batch to its mean loss."""
    if labels is not None:
        term, teacher = HardLabelLoss(), None
    elif teacher is not None:
        term, teacher = PredictionLoss(), as_teacher(teacher)
        check_pair(classifier, teacher)
        if not hasattr(teacher, "labels"):
            raise TinyBertError("Expected a teacher with logits. Received: a backbone")
    else:
        raise TinyBertError(
            "Expected labels or a teacher to measure a loss. Received: labels=None, teacher=None"
        )
    term.prepare(encoder_of(classifier), encoder_of(teacher or classifier))

    def loss(inputs, labels=None):
        theirs = {} if teacher is None else {"logits": teacher(inputs, training=False)}
        own = {"logits": classifier(inputs, training=False)}
        batch = {"padding_mask": inputs["padding_mask"], "labels": labels}
        return ops.mean(term.compute(own, theirs, batch))

    return loss


def _draw(texts, labels, max_examples: int | None, seed: int):
    """At most `max_examples` of the texts (or pairs), with their labels."""
    parts = texts if isinstance(texts, tuple) else (texts,)
    count = len(parts[0])
    if max_examples is not None and max_examples < 1:
        raise TinyBertError(f"Expected at least one example. Received: max_examples={max_examples}")
    if max_examples is None or count <= max_examples:
        return texts, labels
    rows = np.sort(np.random.default_rng(seed).choice(count, max_examples, replace=False))

    def take(values: Sequence) -> list:
        return [values[row] for row in rows]

    drawn = tuple(take(part) for part in parts)
    return (
        drawn if isinstance(texts, tuple) else drawn[0],
        None if labels is None else take(labels),
    )
