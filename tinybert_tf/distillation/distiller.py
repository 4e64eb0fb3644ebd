"""The distiller: TinyBERT's algorithm as a Keras training step."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.distillation.kept_states import TEACHER_STATES, kept_outputs, layers_to_keep
from tinybert_tf.distillation.losses import intermediate_losses
from tinybert_tf.distillation.predictions import KINDS
from tinybert_tf.distillation.teachers import (
    TEACHER_LOGITS,
    as_teachers,
    check_weights,
    run_teachers,
)
from tinybert_tf.distillation.terms import LossTerm
from tinybert_tf.distillation.views import encoder_of, observe
from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.precision import PrecisionModel
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.text.batches import POSITION_MASK


class Distiller(PrecisionModel, keras.Model):
    """Trains a student to imitate a frozen teacher (Jiao et al. 2020, equation (11)).

    Each step runs one forward pass of the teacher, without dropout and gradient, and one of the
    student. The teacher is not part of the distiller's weights, so it is never saved with it;
    save `distiller.student`.

    Args:
        student: a task model of ours, such as `TinyBertTextClassifier`, or `TinyBertBackbone`.
            The model that is trained.
        teacher: a model of ours, a keras-hub BERT or a Hugging Face name; see `as_teacher`. Or a
            list of them: the first one's states are imitated, and the weighted mean of all
            logits.
        losses: list of `LossTerm`. Defaults to `None`: `intermediate_losses()`.
        teacher_weights: list of floats, one a teacher. Defaults to `None`: equal.

    Example:
    ```python
    distiller = Distiller(student, teacher, losses=intermediate_losses(layer_map="uniform"))
    distiller.compile(optimizer=keras.optimizers.AdamW(5e-5))
    distiller.fit(student.batches(texts, labels).dataset())
    student.save("student.keras")
    ```
    """

    def __init__(
        self,
        student,
        teacher,
        losses: Sequence[LossTerm] | None = None,
        teacher_weights: Sequence[float] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        teachers = as_teachers(teacher)
        weights = check_weights(teacher_weights, len(teachers))
        for one in teachers:
            check_pair(student, one)
        teacher = teachers[0]
        self.student = student
        self.terms = list(intermediate_losses() if losses is None else losses)
        if not self.terms:
            raise TinyBertError("Expected at least one loss term. Received: losses=[]")
        own, other = encoder_of(student), encoder_of(teacher)
        for term in self.terms:
            term.prepare(own, other)
        blocks = {term.relation_blocks for term in self.terms if term.relation_blocks}
        if len(blocks) > 1:
            raise TinyBertError(
                f"Expected relation losses of one pair of blocks. Received: {sorted(blocks)}"
            )
        own_block, other_block = blocks.pop() if blocks else (None, None)
        # A closure hides the teachers from Keras' tracking: their weights are not the distiller's.
        self.run_teacher = run_teachers(teachers, weights, other_block)
        self._student_view = observe(student, own_block)
        self.reads_states = any(term.reads_states for term in self.terms)
        self.teacher_layers = layers_to_keep(self.terms) if self.reads_states else None
        encoder = getattr(teacher, "backbone", teacher)
        self.teacher_sizes = encoder.hidden_dim, encoder.num_heads

        self._loss_tracker = keras.metrics.Mean(name="loss")
        self._term_trackers = [keras.metrics.Mean(name=f"{term.name}_loss") for term in self.terms]
        self._accuracy = None
        if isinstance(student, TinyBertTask):
            found = [m for m in student.default_metrics() if m.name == "accuracy"]
            self._accuracy = found[0] if found else None
        self.built = True
        self.reached_variables = self._find_reached_variables()

    def run_student(self, inputs) -> dict:
        """The student's hidden states, attention scores and logits, without dropout."""
        return self._student_view(inputs, training=False)

    def _find_reached_variables(self) -> list:
        """The variables that some term depends on: the others must not even decay.

        The intermediate stage, for one, leaves pooler and head alone.
        """
        ids = ops.ones((1, 4), "int32")
        inputs = {name: ids * (name != "segment_ids") for name in self.student.input}
        labels = None
        if isinstance(self.student, TinyBertTask):
            shape = KINDS[self.student.kind].blank_labels(
                4, getattr(self.student, "num_classes", 0)
            )
            labels = ops.zeros((1, *shape), "int32")
        with tf.GradientTape() as tape:
            loss, *_ = self._compare(inputs, labels, None, self.run_teacher(inputs))
        gradients = tape.gradient(loss, [v.value for v in self.trainable_variables])
        return [
            variable
            for variable, gradient in zip(self.trainable_variables, gradients, strict=True)
            if gradient is not None
        ]

    def compile(self, optimizer="adamw", **kwargs):
        """As `keras.Model.compile`; the loss is the sum of the distiller's terms.

        XLA is off unless asked for: it was slower on CPU and recompiles for each length.
        """
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, **kwargs)

    def call(self, inputs, training=None):
        """Runs the student."""
        return self.student(inputs, training=training)

    @property
    def metrics(self) -> list:
        own = [self._loss_tracker, *self._term_trackers]
        return own if self._accuracy is None else [*own, self._accuracy]

    def train_step(self, data):
        inputs, labels, sample_weight, *others = self._unpack(data)
        with tf.GradientTape() as tape:
            loss, parts, student_outputs = self._compare(
                inputs, labels, sample_weight, *others, training=True
            )
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.reached_variables
        gradients = tape.gradient(scaled_loss, [v.value for v in variables])
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self._track(loss, parts, student_outputs, labels, sample_weight)

    def test_step(self, data):
        inputs, labels, sample_weight, *others = self._unpack(data)
        loss, parts, student_outputs = self._compare(inputs, labels, sample_weight, *others)
        return self._track(loss, parts, student_outputs, labels, sample_weight)

    def term_values(self, data) -> list[float]:
        """Each term's mean over one batch, without dropout and weights."""
        _, parts, _ = self._compare(*self._unpack(data))
        return [float(part) for part in parts]

    def _unpack(self, data) -> tuple:
        """Inputs, labels, sample weights, the teacher's outputs (run now, or kept) and which
        positions count."""
        inputs, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        features = {name: inputs[name] for name in self.student.input}
        positions = inputs.get(POSITION_MASK)
        if TEACHER_LOGITS in inputs and not self.reads_states:
            found = {"logits": inputs[TEACHER_LOGITS]}
        elif TEACHER_STATES in inputs:
            found = kept_outputs(inputs, self.teacher_layers)
        else:
            found = self.run_teacher(features)
        return features, labels, sample_weight, found, positions

    def _compare(
        self, inputs, labels, sample_weight, teacher_outputs, positions=None, training=False
    ):
        """Equation (11): the weighted sum of the terms, each one's own mean, student outputs."""
        student_outputs = self._student_view(inputs, training=training)
        optimizer = getattr(self, "optimizer", None)  # there is none before `compile`
        step = 0 if optimizer is None else optimizer.iterations
        batch = {
            **inputs,
            POSITION_MASK: positions,
            "labels": labels,
            "step": step,
        }
        parts = []
        for term in self.terms:
            per_example = term.compute(student_outputs, teacher_outputs, batch)
            if sample_weight is not None:
                weights = ops.reshape(sample_weight, (-1,))
                per_example = per_example * ops.cast(weights, per_example.dtype)
            parts.append(ops.mean(per_example))
        loss = sum(term.weight * part for term, part in zip(self.terms, parts, strict=True))
        return loss, parts, student_outputs

    def _track(self, loss, parts, student_outputs, labels, sample_weight) -> dict:
        size = ops.shape(student_outputs["hidden_states"][0])[0]
        self._loss_tracker.update_state(loss, sample_weight=size)
        for tracker, part in zip(self._term_trackers, parts, strict=True):
            tracker.update_state(part, sample_weight=size)
        results = {m.name: m.result() for m in [self._loss_tracker, *self._term_trackers]}
        if self._accuracy is not None and labels is not None:
            self._accuracy.update_state(labels, student_outputs["logits"], sample_weight)
            results["accuracy"] = self._accuracy.result()
        return results


def check_pair(student, teacher) -> None:
    """Checks that a student can learn from a teacher.

    Raises:
        TinyBertError: If vocabularies, labels or kinds of task differ.
    """
    own = getattr(student, "backbone", student)
    other = getattr(teacher, "backbone", teacher)
    if own.vocabulary_size != other.vocabulary_size:
        raise TinyBertError(
            "Expected student and teacher to share one vocabulary, since both read the same token "
            f"ids. Received: vocabulary_size={own.vocabulary_size} and {other.vocabulary_size}"
        )
    first, second = getattr(student, "preprocessor", None), getattr(teacher, "preprocessor", None)
    if first is not None and second is not None:
        for mine, theirs in zip(_tokenizers(first), _tokenizers(second), strict=False):
            if mine != theirs:
                raise TinyBertError(
                    "Expected student and teacher to share one tokenizer. Received: "
                    + _first_difference(mine, theirs)
                )
    if not (isinstance(student, TinyBertTask) and isinstance(teacher, TinyBertTask)):
        return
    if student.kind != teacher.kind:
        raise TinyBertError(
            "Expected two models of one kind of task. Received: a student of "
            f"{student.kind!r} (multi_label={student.kind == 'labels'}), a teacher of "
            f"{teacher.kind!r} (multi_label={teacher.kind == 'labels'})"
        )
    own, other = (getattr(model, "decoder", None) for model in (student, teacher))
    if own is not None and own.vocabulary_size != other.vocabulary_size:
        raise TinyBertError(
            "Expected student and teacher to share one target vocabulary. Received: "
            f"target_vocabulary_size={own.vocabulary_size} and {other.vocabulary_size}"
        )
    if not hasattr(student, "labels"):
        return
    if student.labels != teacher.labels:
        order = " in another order" if sorted(student.labels) == sorted(teacher.labels) else ""
        raise TinyBertError(
            "Expected student and teacher to have the same labels in the same order; soft targets "
            f"are compared by position. Received: student {student.labels[:10]}, teacher "
            f"{teacher.labels[:10]}{order}"
        )


def _tokenizers(preprocessor) -> list:
    """Of the sources, and of the targets where there are targets."""
    found = [preprocessor.tokenizer.wordpiece]
    if hasattr(preprocessor, "target_wordpiece"):
        found.append(preprocessor.target_wordpiece)
    return found


def _first_difference(mine, theirs) -> str:
    for index, (a, b) in enumerate(zip(mine.vocabulary, theirs.vocabulary, strict=False)):
        if a != b:
            return f"token {index} is {a!r} in the student, {b!r} in the teacher"
    return f"settings {mine.get_config()} and {theirs.get_config()}"
