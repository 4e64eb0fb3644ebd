"""One teacher or several, run now or once and for all."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tinybert_tf.distillation.kept_states import MEMORY
from tinybert_tf.distillation.predictions import ONE_ROW
from tinybert_tf.distillation.views import as_teacher, observe
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.task import BY_TOKEN

# The input under which kept logits travel with a batch.
TEACHER_LOGITS = "teacher_logits"


def as_teachers(teacher) -> list:
    """A list of teachers from one or several; see `as_teacher`.

    Raises:
        TinyBertError: If there is none, or one has no logits beside others.
    """
    teachers = [as_teacher(one) for one in teacher] if isinstance(teacher, (list, tuple)) else None
    if teachers is None:
        return [as_teacher(teacher)]
    if not teachers:
        raise TinyBertError("Expected at least one teacher. Received: teacher=[]")
    without = [one.name for one in teachers if not hasattr(one, "kind")]
    if len(teachers) > 1 and without:
        raise TinyBertError(
            "Expected classifiers where there are several teachers: their logits are averaged. "
            f"Received: an encoder alone, {without[0]!r}"
        )
    return teachers


def check_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """Weights of the teachers, made to sum to one.

    Raises:
        TinyBertError: If there are not as many as teachers, or one is not positive.
    """
    weights = [1.0] * count if weights is None else [float(weight) for weight in weights]
    if len(weights) != count or min(weights) <= 0:
        raise TinyBertError(
            f"Expected {count} positive teacher weights, one a teacher. "
            f"Received: teacher_weights={weights}"
        )
    return [weight / sum(weights) for weight in weights]


def run_teachers(
    teachers: list, weights: list[float], relation_block: int | None = None
) -> Callable[[dict], dict]:
    """A function from inputs to the first teacher's outputs, with the mean logits of all."""
    views = [observe(teachers[0], relation_block), *map(observe, teachers[1:])]

    def run(inputs: dict) -> dict:
        outputs = views[0](inputs, training=False)
        if len(views) == 1:
            return outputs
        logits = weights[0] * outputs["logits"]
        for view, weight in zip(views[1:], weights[1:], strict=True):
            logits += weight * view(inputs, training=False)["logits"]
        return {**outputs, "logits": logits}

    return run


def attach_logits(distiller, batches) -> None:
    """Lets batches bring the teachers' logits along, if they fit in memory.

    Not a decoder's, whose every token has as many logits as there are words.
    """
    kind = distiller.student.kind
    if kind in ONE_ROW:
        batches.extra = {TEACHER_LOGITS: np.stack(mean_logits(distiller, batches))}
    elif kind in BY_TOKEN:
        classes = distiller.student.output_shape[-1]
        if 4 * int(batches.lengths.sum()) * classes <= MEMORY:
            logits = {TEACHER_LOGITS: mean_logits(distiller, batches)}
            batches.token_extra = {**batches.token_extra, **logits}


def detach_logits(batches) -> None:
    """Takes back what `attach_logits` added."""
    for name in ("extra", "token_extra"):
        getattr(batches, name, {}).pop(TEACHER_LOGITS, None)


def mean_logits(distiller, batches) -> list[np.ndarray]:
    """The teachers' mean logits for the student's inputs.

    A row is float32 `(classes,)`, or `(length, classes)` where tokens have logits.

    Args:
        distiller: `Distiller`. Its teachers run.
        batches: `LengthBucketedBatches`; their rows give the order.
    """
    run = tf.function(lambda inputs: distiller.run_teacher(inputs)["logits"], reduce_retracing=True)
    by_token = distiller.student.kind in BY_TOKEN
    ordered = batches.in_length_order()
    found: list = [None] * len(batches.token_ids)
    for step in range(len(ordered)):
        features = ordered.batch(0, step)[0]
        inputs = {name: tf.constant(features[name]) for name in distiller.student.input}
        for row, logits in zip(ordered.rows(0, step), run(inputs).numpy(), strict=True):
            own = logits[: batches.lengths[row]] if by_token else logits
            found[row] = own.astype("float32")
    return found
