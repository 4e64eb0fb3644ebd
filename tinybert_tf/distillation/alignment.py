"""Least-squares starts: projections and heads that fit before the first step."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tinybert_tf.distillation.views import observe

# Batches that a fit reads. More change little; the normal equations are small.
BATCHES = 8
# Ridge, relative to the mean energy of a feature: keeps directions without data at rest.
RIDGE = 1e-3


class LeastSquares:
    """Accumulates rows and solves `min |X W - Y|^2 + ridge |W|^2`, optionally with a bias.

    Args:
        use_bias: bool. Whether a column of ones is added to X. Defaults to `False`.
    """

    def __init__(self, use_bias: bool = False):
        self.use_bias = use_bias
        self._gram = self._cross = 0.0

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Adds rows: x `(n, inputs)`, y `(n, outputs)`."""
        x = x.astype("float64")
        if self.use_bias:
            x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        self._gram = self._gram + x.T @ x
        self._cross = self._cross + x.T @ y.astype("float64")

    def solve(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns W, float32 `(inputs, outputs)`, and the bias `(outputs,)` or `None`."""
        size = len(self._gram)
        ridge = RIDGE * np.trace(self._gram) / size + 1e-12
        solution = np.linalg.solve(self._gram + ridge * np.eye(size), self._cross)
        solution = solution.astype("float32")
        return (solution[:-1], solution[-1]) if self.use_bias else (solution, None)


def align_projections(distiller, batches: Iterable[dict]) -> None:
    """Gives every projection of the hidden-state terms its least-squares value.

    A random W_h or W_e (equations (8) and (9)) makes the first thousand steps rotate the student
    into a random basis; the best linear map from its states to the teacher's leaves it where it
    is. Matters where widths differ, and most for a student that starts from its teacher.

    Args:
        distiller: `Distiller`.
        batches: iterable of the student's input tensors, each a dict; a few batches suffice.
    """
    terms = [term for term in distiller.terms if getattr(term, "projections", None)]
    if not terms:
        return
    fits = {id(p): LeastSquares(p.use_bias) for term in terms for p in term.projections}
    for inputs in batches:
        real = np.asarray(inputs["padding_mask"]).astype(bool)
        own, other = distiller.run_student(inputs), distiller.run_teacher(inputs)
        for term in terms:
            for index, (mine, theirs) in enumerate(term.pairs):
                projection = term.projections[index % len(term.projections)]
                fits[id(projection)].add(
                    np.array(own["hidden_states"][mine])[real],
                    np.array(other["hidden_states"][theirs])[real],
                )
    for term in terms:
        for projection in term.projections:
            kernel, bias = fits[id(projection)].solve()
            projection.set_weights([kernel] if bias is None else [kernel, bias])


def align_head(student, teacher, batches: Iterable[dict]) -> None:
    """Gives a student of any width a pooler and a head that repeat the teacher's logits at best.

    The pooler's input is mapped to the teacher's by least squares and the teacher's pooler is
    projected on the main directions of its outputs; then the head is fitted to the logits.

    Args:
        student: `TinyBertTextClassifier`. Changed in place.
        teacher: `TinyBertTextClassifier` with the same labels.
        batches: iterable of input dicts, read twice: a list.
    """
    batches = list(batches)
    own, other = observe(student), observe(teacher)
    backbones = student.backbone, teacher.backbone
    states, logits, pooled = LeastSquares(), [], []
    for inputs in batches:
        mine, theirs = own(inputs, training=False), other(inputs, training=False)
        states.add(_first(mine), _first(theirs))
        logits.append(np.array(theirs["logits"]))
        pooled.append(np.array(teacher.backbone(inputs, training=False)["pooled_output"]))
    # A pooler behind a reduction reads something else, one of more units has no such directions:
    # it stays as it is.
    units, other_units = (backbone.pooler.units for backbone in backbones)
    if units <= other_units and all(backbone.reduced_dim is None for backbone in backbones):
        mapped, _ = states.solve()
        kernel, bias = teacher.backbone.pooler.get_weights()
        outputs = np.concatenate(pooled).astype("float64")
        _, vectors = np.linalg.eigh(outputs.T @ outputs)
        directions = vectors[:, ::-1][:, :units].astype("float32")
        student.backbone.pooler.set_weights([mapped @ kernel @ directions, bias @ directions])
    head = LeastSquares(use_bias=True)
    for inputs, wanted in zip(batches, logits, strict=True):
        outputs = student.backbone(inputs, training=False)["pooled_output"]
        if student.head == "tinybert":
            outputs = tf.nn.relu(outputs)
        head.add(np.array(outputs), wanted)
    kernel, bias = head.solve()
    student.output_dense.set_weights([kernel, bias])


def align_token_head(student, teacher, batches: Iterable[dict]) -> None:
    """Gives a tagger's or span model's head the least-squares fit to the teacher's logits.

    Args:
        student: a task model whose logits count tokens. Changed in place.
        teacher: of the same task.
        batches: iterable of input dicts.
    """
    own, other = observe(student), observe(teacher)
    head = LeastSquares(use_bias=True)
    for inputs in batches:
        real = np.asarray(inputs["padding_mask"]).astype(bool)
        states = np.array(own(inputs, training=False)["hidden_states"][-1])[real]
        head.add(states, np.array(other(inputs, training=False)["logits"])[real])
    kernel, bias = head.solve()
    student.output_dense.set_weights([kernel, bias])


def _first(outputs: dict) -> np.ndarray:
    """The last hidden state of [CLS]."""
    return np.array(outputs["hidden_states"][-1])[:, 0]
