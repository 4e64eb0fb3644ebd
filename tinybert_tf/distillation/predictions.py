"""Equation (10) for every kind of logits: soft targets, and the gold labels beside them.

All functions return one value an example, `(batch,)`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from tinybert_tf.distillation.functional import multi_label_prediction_loss, prediction_loss
from tinybert_tf.models.span_loss import SpanCrossentropy
from tinybert_tf.text.batches import POSITION_MASK


def token_prediction_loss(student, teacher, mask, temperature: float = 1.0):
    """The soft cross-entropy of each token that counts, averaged over them.

    Args:
        student: float `(batch, length, classes)`. Logits.
        teacher: float `(batch, length, classes)`. Logits.
        mask: int `(batch, length)`. Of tags 1 where a word begins: padding, special tokens and
            the other pieces of a word carry none. Of targets 1 for real tokens.
        temperature: float. Defaults to `1.0`.
    """
    soft_targets = ops.softmax(ops.cast(teacher, "float32") / temperature)
    log_probabilities = ops.log_softmax(ops.cast(student, "float32") / temperature)
    per_token = ops.sum(-soft_targets * log_probabilities, axis=-1)
    return _mean_of(per_token, mask) * temperature**2


def span_prediction_loss(student, teacher, temperature: float = 1.0):
    """The soft cross-entropy of start and end over the positions, averaged over the two.

    Args:
        student: float `(batch, length, 2)`. Logits; padding is far below the rest.
        teacher: float `(batch, length, 2)`. Logits.
        temperature: float. Defaults to `1.0`.
    """
    soft_targets = ops.softmax(ops.cast(teacher, "float32") / temperature, axis=1)
    log_probabilities = ops.log_softmax(ops.cast(student, "float32") / temperature, axis=1)
    per_end = ops.sum(-soft_targets * log_probabilities, axis=1)
    return ops.mean(per_end, axis=-1) * temperature**2


def embedding_loss(student, teacher):
    """The squared distance to the teacher's embedding.

    Of another width, the embeddings' cosines within the batch are compared instead, which needs
    no projection: the mean squared difference of a row's cosines.

    Args:
        student: float `(batch, width)`. Of length one.
        teacher: float `(batch, teacher width)`. Of length one.
    """
    student, teacher = ops.cast(student, "float32"), ops.cast(teacher, "float32")
    if student.shape[-1] == teacher.shape[-1]:
        return ops.sum(ops.square(student - teacher), axis=-1)
    own = ops.matmul(student, ops.transpose(student))
    other = ops.matmul(teacher, ops.transpose(teacher))
    return ops.mean(ops.square(own - other), axis=-1)


def token_label_loss(logits, labels):
    """Cross-entropy of the tokens whose label is not negative, averaged over them."""
    known = ops.cast(labels >= 0, "float32")
    per_token = keras.losses.sparse_categorical_crossentropy(
        ops.maximum(labels, 0), logits, from_logits=True
    )
    return _mean_of(per_token, known)


def span_label_loss(logits, labels):
    """Cross-entropy of start and end, labels int `(batch, 2)`, averaged over the two."""
    return SpanCrossentropy().call(labels, logits)


def _mean_of(per_token, mask):
    mask = ops.cast(mask, "float32")
    return ops.sum(per_token * mask, axis=-1) / ops.maximum(ops.sum(mask, axis=-1), 1.0)


def _soft_tokens(student, teacher, temperature, reduction, batch):
    # Without a mask of words, every real token counts.
    mask = batch.get(POSITION_MASK)
    mask = batch["padding_mask"] if mask is None else mask
    return token_prediction_loss(student, teacher, mask, temperature)


def _soft_targets(student, teacher, temperature, reduction, batch):
    """Word-level distillation, equation (7) of Kim and Rush 2016, averaged over the target."""
    return token_prediction_loss(student, teacher, batch["decoder_padding_mask"], temperature)


def _squared(student, teacher):
    return ops.mean(ops.square(student - ops.cast(teacher, student.dtype)), axis=-1)


def _soft_binary(logits, labels):
    targets = ops.cast(labels, "float32")
    return ops.mean(ops.softplus(logits) - targets * logits, axis=-1)


@dataclass(frozen=True)
class KindOfLogits:
    """How logits of one kind are compared.

    Attributes:
        soft: callable (student, teacher, temperature, reduction, batch) to `(batch,)`.
        hard: callable (logits, labels) to `(batch,)`; `None` where there are no labels.
        blank_labels: callable (length, classes) to the shape of one example's labels.
    """

    soft: Callable
    hard: Callable | None
    blank_labels: Callable[[int, int], tuple]


KINDS = {
    "classes": KindOfLogits(
        lambda student, teacher, t, reduction, batch: prediction_loss(
            student, teacher, t, reduction
        ),
        lambda logits, labels: keras.losses.sparse_categorical_crossentropy(
            labels, logits, from_logits=True
        ),
        lambda length, classes: (),
    ),
    "labels": KindOfLogits(
        lambda student, teacher, t, reduction, batch: multi_label_prediction_loss(
            student, teacher, t
        ),
        _soft_binary,
        lambda length, classes: (classes,),
    ),
    # The released code takes the gold score here, which its authors call a mistake.
    "score": KindOfLogits(
        lambda student, teacher, t, reduction, batch: _squared(student, teacher),
        _squared,
        lambda length, classes: (1,),
    ),
    "tokens": KindOfLogits(_soft_tokens, token_label_loss, lambda length, classes: (length,)),
    "spans": KindOfLogits(
        lambda student, teacher, t, reduction, batch: span_prediction_loss(student, teacher, t),
        span_label_loss,
        lambda length, classes: (2,),
    ),
    "seq2seq": KindOfLogits(_soft_targets, token_label_loss, lambda length, classes: (length,)),
    "embedding": KindOfLogits(
        lambda student, teacher, t, reduction, batch: embedding_loss(student, teacher),
        None,
        lambda length, classes: (),
    ),
}
# Kinds of logits of which an example has one row: they can be computed once and kept.
ONE_ROW = ("classes", "labels", "score", "embedding")
