"""TinyBERT's loss functions, equations (7)-(10) of Jiao et al. 2020, in the paper's order.

All return one value an example, `(batch,)`, so that sample weights apply. Two reductions:

- `"masked"`, the default: only real tokens count, and the mean is over them;
- `"paper"`: what the released code computes. Padded keys are zeroed in both score matrices, but
  padded queries count and every denominator counts padding; hidden states are not masked; the
  soft cross-entropy is divided by the number of classes and not scaled by T^2.
"""

import math

from keras import ops

from tinybert_tf.errors import TinyBertError

REDUCTIONS = ("masked", "paper")


def check_reduction(reduction: str) -> str:
    """Returns `reduction` if it is known."""
    if reduction not in REDUCTIONS:
        raise TinyBertError(
            f"Expected a reduction out of {REDUCTIONS}. Received: reduction={reduction!r}"
        )
    return reduction


def match_heads(student, teacher):
    """Makes two score tensors `(batch, heads, length, length)` comparable head by head.

    Equal head counts are matched one to one, as in the paper. Otherwise both are averaged over
    consecutive groups down to the greatest common divisor of the counts: 4 student and 12
    teacher heads compare 4 averages of 3; 5 and 12 compare one overall average.
    """
    groups = math.gcd(student.shape[1], teacher.shape[1])

    def average(scores):
        heads = scores.shape[1]
        if heads == groups:
            return scores
        batch, length = ops.shape(scores)[0], ops.shape(scores)[2]
        return ops.mean(
            ops.reshape(scores, (batch, groups, heads // groups, length, length)), axis=2
        )

    return average(student), average(teacher)


def attention_loss(student, teacher, padding_mask, reduction: str = "masked"):
    """Equation (7): `1/h sum_i MSE(A_i^S, A_i^T)` of raw attention scores.

    Args:
        student: float `(batch, student heads, length, length)`. Scores before the softmax.
        teacher: float `(batch, teacher heads, length, length)`.
        padding_mask: int `(batch, length)`, 1 for real tokens.
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
    """
    student, teacher = match_heads(ops.cast(student, "float32"), ops.cast(teacher, "float32"))
    mask = ops.cast(padding_mask, "float32")
    keys = mask[:, None, None, :]
    squared = ops.square(student - teacher) * keys
    if reduction == "paper":
        return ops.mean(squared, axis=(1, 2, 3))
    real = ops.square(ops.sum(mask, axis=-1)) * student.shape[1]
    return ops.sum(squared * mask[:, None, :, None], axis=(1, 2, 3)) / ops.maximum(real, 1.0)


def hidden_loss(student, teacher, padding_mask, reduction: str = "masked"):
    """Equations (8) and (9): `MSE(H^S W_h, H^T)`, on states that are projected already.

    Args:
        student: float `(batch, length, width)`. The student's states times the projection.
        teacher: float `(batch, length, width)`.
        padding_mask: int `(batch, length)`, 1 for real tokens.
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
    """
    squared = ops.square(ops.cast(student, "float32") - ops.cast(teacher, "float32"))
    if reduction == "paper":
        return ops.mean(squared, axis=(1, 2))
    mask = ops.cast(padding_mask, "float32")
    per_token = ops.mean(squared, axis=-1) * mask
    return ops.sum(per_token, axis=-1) / ops.maximum(ops.sum(mask, axis=-1), 1.0)


def prediction_loss(student, teacher, temperature: float = 1.0, reduction: str = "masked"):
    """Equation (10): the soft cross-entropy `CE(z^T / t, z^S / t)` of single-label logits.

    Scaled by `temperature ** 2`, which keeps the gradient's size when t changes (Hinton et al.
    2015), except in the `"paper"` reduction.

    Args:
        student: float `(batch, classes)`. Logits.
        teacher: float `(batch, classes)`. Logits.
        temperature: float. t. Defaults to `1.0`.
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
    """
    soft_targets = ops.softmax(ops.cast(teacher, "float32") / temperature)
    log_probabilities = ops.log_softmax(ops.cast(student, "float32") / temperature)
    if reduction == "paper":
        return ops.mean(-soft_targets * log_probabilities, axis=-1)
    return ops.sum(-soft_targets * log_probabilities, axis=-1) * temperature**2


def relation_loss(student, teacher, padding_mask, relation_heads: int):
    """MiniLMv2's equation (5) for one kind of vector: KL of token-to-token relations.

    `R = softmax(X_a X_a^T / sqrt(d_r))` for each relation head a, over real tokens; the
    divergence KL(R^T || R^S) is averaged over heads and real tokens.

    Args:
        student: float `(batch, length, student width)`. Queries, keys or values, heads joined.
        teacher: float `(batch, length, teacher width)`.
        padding_mask: int `(batch, length)`, 1 for real tokens.
        relation_heads: int. How many heads the vectors are cut into.
    """
    mask = ops.cast(padding_mask, "float32")

    def log_relations(x):
        x = ops.cast(x, "float32")
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        size = x.shape[2] // relation_heads
        x = ops.transpose(ops.reshape(x, (batch, length, relation_heads, size)), (0, 2, 1, 3))
        scores = ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))) / size**0.5
        return ops.log_softmax(scores - 1e9 * (1.0 - mask[:, None, None, :]), axis=-1)

    own, other = log_relations(student), log_relations(teacher)
    divergence = ops.sum(ops.exp(other) * (other - own) * mask[:, None, None, :], axis=-1)
    per_token = ops.mean(divergence, axis=1) * mask
    return ops.sum(per_token, axis=-1) / ops.maximum(ops.sum(mask, axis=-1), 1.0)


def multi_label_prediction_loss(student, teacher, temperature: float = 1.0):
    """Soft binary cross-entropy of every label's logit, averaged over labels: `(batch,)`."""
    student = ops.cast(student, "float32") / temperature
    targets = ops.sigmoid(ops.cast(teacher, "float32") / temperature)
    losses = ops.softplus(student) - targets * student
    return ops.mean(losses, axis=-1) * temperature**2
