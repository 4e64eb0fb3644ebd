"""The teacher's states, computed once: the same training without the teacher in each step."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.distillation.kept_states import (
    TEACHER_SCORES,
    TEACHER_STATES,
    BatchesWithStates,
    layers_to_keep,
    with_states,
)
from tinybert_tf.distillation.losses import AttentionLoss, EmbeddingLoss, HiddenLoss

# Each distiller is traced anew.
pytestmark = pytest.mark.slow


@pytest.fixture
def student(teacher):
    return tb.student_of(teacher, num_layers=1, dropout=0.0, attention_dropout=0.0)


@pytest.fixture
def pair(teacher, student, texts):
    """A distiller and its batches."""
    return tb.Distiller(student, teacher), student.batches(texts, batch_size=4, seed=3)


def test_layers_are_those_that_the_terms_read(pair, teacher):
    distiller, _ = pair
    last = teacher.backbone.num_layers
    assert distiller.teacher_layers == ((0, last), (last - 1,))
    assert tb.Distiller(distiller.student, teacher, [HiddenLoss()]).teacher_layers == ((last,), ())
    assert tb.Distiller(distiller.student, teacher, [EmbeddingLoss()]).teacher_layers == ((0,), ())
    assert layers_to_keep([AttentionLoss(reduction="paper")]) is None
    relations = tb.Distiller(distiller.student, teacher, tb.relation_losses(relation_heads=2))
    assert relations.teacher_layers is None
    assert tb.Distiller(distiller.student, teacher, tb.prediction_losses()).teacher_layers is None


def test_kept_values_are_the_teachers(pair):
    distiller, batches = pair
    kept = BatchesWithStates(batches, distiller)
    states, blocks = distiller.teacher_layers
    assert len(kept) == len(batches) and kept.checksum() == batches.checksum()
    for step in range(len(kept)):
        features, *rest = kept.batch(1, step)
        plain, *again = batches.batch(1, step)
        np.testing.assert_equal((features | plain, rest), (features, again))
        expected = distiller.run_teacher({n: plain[n] for n in distiller.student.input})
        real = plain["padding_mask"].astype(bool)
        for place, layer in enumerate(states):
            own, other = features[TEACHER_STATES][:, place], expected["hidden_states"][layer]
            np.testing.assert_allclose(own[real], np.array(other)[real], atol=1e-5)
            assert not own[~real].any()
        both = (real[:, :, None] & real[:, None, :])[:, None]
        for place, block in enumerate(blocks):
            own, other = features[TEACHER_SCORES][:, place], expected["attention_scores"][block]
            both_heads = np.broadcast_to(both, own.shape)
            np.testing.assert_allclose(own[both_heads], np.array(other)[both_heads], atol=1e-5)
    arrays = [part for row in kept._kept for part in row]
    assert kept.num_bytes == sum(part.nbytes for part in arrays)


def test_step_does_not_run_the_teacher(pair):
    distiller, batches = pair
    (kept,) = with_states([batches], distiller)
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3))
    first = [distiller.term_values(batches.batch(0, step)) for step in range(len(batches))]
    data = kept.dataset()

    def forbidden(inputs):
        raise AssertionError("the teacher ran")

    distiller.run_teacher = forbidden
    again = [distiller.term_values(kept.batch(0, step)) for step in range(len(kept))]
    np.testing.assert_allclose(again, first, rtol=1e-4, atol=1e-9)
    distiller.fit(data, verbose=0)
    with pytest.raises(AssertionError, match="the teacher ran"):
        distiller.term_values(batches.batch(0, 0))


def test_what_is_not_kept(pair, teacher):
    distiller, batches = pair
    size = BatchesWithStates(batches, distiller).num_bytes
    assert with_states([batches], distiller, size - 1) == [batches]
    (kept,) = with_states([batches], distiller, size)
    assert isinstance(kept, BatchesWithStates)
    # The limit holds for all parts together.
    kept, other = with_states([batches, batches], distiller, 2 * size - 1)
    assert isinstance(kept, BatchesWithStates) and other is batches
    assert with_states([None], distiller) == [None]
    predictions = tb.Distiller(distiller.student, teacher, tb.prediction_losses())
    assert with_states([batches], predictions) == [batches]


@pytest.mark.parametrize("shape", [{}, {"hidden_dim": 8, "intermediate_dim": 16}])
def test_training_is_the_same(teacher, texts, labels, shape, tmp_path):
    """With and without keeping, also for a narrower student, whose states are projected."""
    found = []
    for keep in (True, False, None):
        student = tb.student_of(
            teacher, num_layers=1, dropout=0.0, attention_dropout=0.0, texts=texts, **shape
        )
        history = tb.distill(
            teacher,
            student,
            texts,
            validation_data=(texts, labels),
            stages="intermediate",
            epochs=2,
            batch_size=8,
            balance=True,
            keep_states=keep,
            verbose=0,
        )["intermediate"]
        found.append((student.get_weights(), history))
    (weights, history), (others, other_history), (default, _) = found
    for own, other, same in zip(weights, others, default, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4)
        np.testing.assert_array_equal(own, same)
    for name, values in history.items():
        np.testing.assert_allclose(values, other_history[name], rtol=1e-3)


def test_progress_is_shown(pair, capsys):
    distiller, batches = pair
    (kept,) = with_states([batches], distiller, verbose=1)
    kept.dataset()
    assert "teacher's batch" in capsys.readouterr().out
