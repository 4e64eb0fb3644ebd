"""What a teacher computes for each text, kept: run once instead of in each epoch."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.distillation.losses import AttentionLoss, EmbeddingLoss, HiddenLoss
from tinybert_tf.distillation.terms import LossTerm
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.resumable_batches import ResumableBatches

# The inputs under which they travel with a batch.
TEACHER_STATES, TEACHER_SCORES = "teacher_states", "teacher_scores"
# Bytes that are kept, unless asked for.
MEMORY = 3 * 1024**3

Layers = tuple[tuple[int, ...], tuple[int, ...]]


def layers_to_keep(terms: Sequence[LossTerm]) -> Layers | None:
    """The teacher's hidden states and the blocks' attention scores that the terms read.

    `None` if some term reads more, or reads padding (`reduction="paper"`), whose values depend on
    the batch that a text is in.
    """
    states, blocks = set(), set()
    for term in terms:
        known = type(term) in (AttentionLoss, HiddenLoss, EmbeddingLoss)
        if not known or term.reduction != "masked":
            return None
        found = blocks if isinstance(term, AttentionLoss) else states
        found.update(other for _, other in term.pairs)
    return tuple(sorted(states)), tuple(sorted(blocks))


def kept_outputs(inputs: dict, layers: Layers) -> dict:
    """A batch's kept tensors in the form of the teacher's outputs, by layer."""
    states, blocks = layers
    return {
        "hidden_states": {layer: inputs[TEACHER_STATES][:, i] for i, layer in enumerate(states)},
        "attention_scores": {block: inputs[TEACHER_SCORES][:, i] for i, block in enumerate(blocks)},
    }


class BatchesWithStates(ResumableBatches):
    """Batches that bring the teacher's hidden states and attention scores along.

    They are computed once, before the first batch of `dataset` or `stream` is asked for, in an
    order that depends on the data only: a resumed run sees the same numbers.

    Args:
        batches: `LengthBucketedBatches`.
        distiller: `Distiller`. Its teacher runs; its terms say which layers are kept.
        verbose: as in Keras. Defaults to `0`: no progress bar.
    """

    def __init__(self, batches: LengthBucketedBatches, distiller, verbose: int | str = 0):
        self._batches = batches
        self._distiller = distiller
        self._verbose = verbose
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []
        self._run = _teacher_function(distiller)
        self.seed, self.batch_size = batches.seed, batches.batch_size

    @property
    def num_bytes(self) -> int:
        """The memory that the kept arrays take, in bytes."""
        states, blocks = self._distiller.teacher_layers
        lengths = self._batches.lengths
        width, heads = self._distiller.teacher_sizes
        floats = lengths.sum() * len(states) * width + (lengths**2).sum() * len(blocks) * heads
        return 4 * int(floats)

    def __len__(self) -> int:
        return len(self._batches)

    def checksum(self) -> str:
        return self._batches.checksum()

    def dataset(self, epoch: int = 0, start_step: int = 0):
        self._compute()
        return super().dataset(epoch, start_step)

    def stream(self, epoch: int = 0, start_step: int = 0):
        self._compute()
        return super().stream(epoch, start_step)

    def batch(self, epoch: int, step: int) -> tuple:
        """As of the batches, with `TEACHER_STATES`, float32 `(batch, states, length, width)`, and
        `TEACHER_SCORES`, `(batch, blocks, heads, length, length)`; zero at padding."""
        self._compute()
        features, *rest = self._batches.batch(epoch, step)
        length = features["token_ids"].shape[1]
        rows = [self._kept[row] for row in self._batches.rows(epoch, step)]
        first_states, first_scores = rows[0]
        states = np.zeros((len(rows), len(first_states), length, first_states.shape[-1]), "float32")
        scores = np.zeros((len(rows), *first_scores.shape[:2], length, length), "float32")
        for place, (own_states, own_scores) in enumerate(rows):
            count = own_states.shape[1]
            states[place, :, :count] = own_states
            scores[place, :, :, :count, :count] = own_scores
        return ({**features, TEACHER_STATES: states, TEACHER_SCORES: scores}, *rest)

    def _signature(self) -> tuple:
        features, *rest = self._batches._signature()
        states, blocks = self._distiller.teacher_layers
        width, heads = self._distiller.teacher_sizes
        more = {
            TEACHER_STATES: (None, len(states), None, width),
            TEACHER_SCORES: (None, len(blocks), heads, None, None),
        }
        specs = {name: tf.TensorSpec(shape, tf.float32) for name, shape in more.items()}
        return ({**features, **specs}, *rest)

    def _compute(self) -> None:
        """Runs the teacher on all rows, the shortest first."""
        if self._kept:
            return
        inner = self._batches
        ordered = inner.in_length_order()
        kept: list = [None] * len(inner.token_ids)
        shown = self._verbose in ("auto", 1)
        bar = keras.utils.Progbar(len(ordered), unit_name="teacher's batch") if shown else None
        for step in range(len(ordered)):
            features = ordered.batch(0, step)[0]
            inputs = {name: tf.constant(features[name]) for name in self._distiller.student.input}
            hidden, scores = (part.numpy() for part in self._run(inputs))
            for place, row in enumerate(ordered.rows(0, step)):
                count = inner.lengths[row]
                kept[row] = (
                    hidden[place, :, :count].copy(),
                    scores[place, :, :, :count, :count].copy(),
                )
            if bar is not None:
                bar.update(step + 1)
        self._kept = kept


def _teacher_function(distiller):
    """A compiled function from inputs to the kept layers' states and scores, each stacked."""
    states, blocks = distiller.teacher_layers
    width, heads = distiller.teacher_sizes

    @tf.function(reduce_retracing=True)
    def run(inputs):
        found = distiller.run_teacher(inputs)
        rows, length = tf.shape(inputs["token_ids"])[0], tf.shape(inputs["token_ids"])[1]
        hidden = [found["hidden_states"][layer] for layer in states]
        scores = [found["attention_scores"][block] for block in blocks]
        return (
            tf.stack(hidden, axis=1) if hidden else tf.zeros((rows, 0, length, width)),
            tf.stack(scores, axis=1) if scores else tf.zeros((rows, 0, heads, length, length)),
        )

    return run


def with_states(parts: list, distiller, memory: float = MEMORY, verbose: int | str = 0) -> list:
    """Batches with the teacher's states, or as they are where these cannot be kept.

    Args:
        parts: list of batches of the student; `None` stays `None`. The first is served first.
        distiller: `Distiller`.
        memory: float. Bytes that may be kept of all parts. Defaults to 3 GiB.
        verbose: as in Keras. Defaults to `0`.
    """
    found = []
    for batches in parts:
        # Not its subclass of sources and targets: a decoder reads both.
        if distiller.teacher_layers is None or type(batches) is not LengthBucketedBatches:
            found.append(batches)
            continue
        kept = BatchesWithStates(batches, distiller, verbose)
        found.append(kept if kept.num_bytes <= memory else batches)
        memory -= kept.num_bytes if found[-1] is kept else 0
    return found
