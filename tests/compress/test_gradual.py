"""Pruning in turns with distillation: the schedule, what a step does, and resuming."""

import keras
import numpy as np
import pytest
from pruning_models import LABELS, TEXTS, logits, shake

import tinybert_tf as tb
from tinybert_tf.compress import measure_importance, prune_during_distillation, prune_structure
from tinybert_tf.compress.schedules import counts_by_step, polynomial_decay

# === Schedule ===


def test_the_schedule_is_the_papers():
    """Zhu and Gupta 2017: s_f - s_f (1 - t / n)^3."""
    schedule = polynomial_decay(0.8, 10, 50, frequency=20)
    for step, turn in ((0, False), (10, True), (20, False), (30, True), (50, True), (70, False)):
        is_turn, share = schedule(step)
        progress = np.clip((step - 10) / 40, 0, 1)
        np.testing.assert_allclose(float(share), 0.8 - 0.8 * (1 - progress) ** 3, atol=1e-6)
        assert bool(is_turn) == turn


def test_counts_fall_to_what_is_kept():
    assert counts_by_step(12, 5, 3) == [7, 5, 5]  # 12 - 7 (1 - (2/3)^3), 12 - 7 (1 - (1/3)^3)
    assert counts_by_step(1200, 600, 3) == [778, 622, 600]
    assert counts_by_step(4, 4, 2) == [4, 4]
    assert counts_by_step(3072, 1, 1) == [1]


# === With distillation ===


@pytest.fixture
def teacher(build_tiny):
    return shake(build_tiny(num_layers=1), seed=1)


@pytest.fixture
def student(build_tiny):
    return shake(build_tiny(num_layers=1, num_heads=4, intermediate_dim=6))


def gradually(teacher, student, run_dir=None, **changes):
    arguments = {
        "num_heads": 1,
        "intermediate_dim": 2,
        "steps": 2,
        "last_epochs": 2,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "run_dir": run_dir,
        "verbose": 0,
        **changes,
    }
    return prune_during_distillation(teacher, student, TEXTS, LABELS, **arguments)


class Crash(Exception):
    """Stands for a kill."""


class CrashAt(keras.callbacks.Callback):
    """Fails at the end of the n-th epoch of all."""

    def __init__(self, epoch):
        super().__init__()
        self.left = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.left -= 1
        if self.left < 0:
            raise Crash


@pytest.mark.slow
def test_prunes_and_learns(teacher, student):
    before = student.get_weights()
    result = gradually(teacher, student, last_epochs=8)
    assert (result.backbone.num_heads, result.backbone.intermediate_dim) == (1, 2)
    for a, b in zip(before, student.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

    def distance(model):
        return np.abs(model.predict_proba(TEXTS) - teacher.predict_proba(TEXTS)).mean()

    importance = measure_importance(student, TEXTS, teacher=teacher, batch_size=4)
    assert distance(result) < 0.7 * distance(prune_structure(student, importance, 1, 2))


@pytest.mark.slow
def test_a_step_is_measure_prune_distil(teacher, student):
    keras.utils.set_random_seed(0)
    importance = measure_importance(student, TEXTS, teacher=teacher, batch_size=4)
    expected = prune_structure(student, importance, 2, 3)
    tb.distill(
        teacher,
        expected,
        TEXTS,
        stages="prediction",
        epochs=1,
        learning_rate=1e-2,
        batch_size=4,
        verbose=0,
    )
    result = gradually(teacher, student, num_heads=2, intermediate_dim=3, steps=1, last_epochs=1)
    np.testing.assert_allclose(logits(result), logits(expected), atol=1e-5)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(teacher, student, tmp_path):
    whole = gradually(teacher, student, tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == [
        "plan.json",
        "step_1",
        "step_2",
    ]
    # After step 1 (one epoch) and one of the two epochs of step 2.
    with pytest.raises(Crash):
        gradually(teacher, student, tmp_path / "cut", callbacks=[CrashAt(2)])
    assert (tmp_path / "cut" / "step_1").is_dir()
    assert not (tmp_path / "cut" / "step_2").exists()
    first = (tmp_path / "cut" / "step_1" / "model.weights.h5").stat().st_mtime_ns
    epochs = CrashAt(99)
    resumed = gradually(teacher, student, tmp_path / "cut", callbacks=[epochs])
    assert epochs.left == 98  # one epoch was left to do
    assert (tmp_path / "cut" / "step_1" / "model.weights.h5").stat().st_mtime_ns == first
    np.testing.assert_allclose(logits(resumed), logits(whole), atol=1e-5)
    finished = gradually(teacher, student, tmp_path / "cut", callbacks=[CrashAt(0)])
    np.testing.assert_allclose(logits(finished), logits(whole), atol=1e-5)


def test_another_run_is_refused(teacher, student, tmp_path):
    gradually(teacher, student, tmp_path, steps=1, last_epochs=1)
    with pytest.raises(tb.TinyBertError, match="differs in plan"):
        gradually(teacher, student, tmp_path, steps=1, last_epochs=1, num_heads=2)
    shake(student)
    with pytest.raises(tb.TinyBertError, match="differs in seed, student"):
        gradually(teacher, student, tmp_path, steps=1, last_epochs=1, seed=1)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(tb.TinyBertError, match="complete plan.json"):
        gradually(teacher, student, tmp_path, steps=1, last_epochs=1)


# === Errors ===


def test_errors(student, teacher, build_tiny):
    quantized = build_tiny(num_heads=4, intermediate_dim=6, quantization="dynamic_int8")
    with pytest.raises(tb.TinyBertError, match="prune first"):
        gradually(teacher, quantized)
    with pytest.raises(tb.TinyBertError, match="Received: neither"):
        gradually(teacher, student, num_heads=None, intermediate_dim=None)
    for name, most in (("num_heads", 4), ("intermediate_dim", 6)):
        for value in (-1, 0, most + 1):
            with pytest.raises(tb.TinyBertError, match=f"from 1 to {most}.*{name}={value}"):
                gradually(teacher, student, **{name: value})
    for name in ("steps", "epochs_per_step", "last_epochs"):
        with pytest.raises(tb.TinyBertError, match=f"{name}=0"):
            gradually(teacher, student, **{name: 0})


def test_wrong_schedules():
    for arguments in ((1.0, 0, 9), (-0.1, 0, 9), (0.5, 9, 9), (0.5, -1, 9), (0.5, 0, 9, 0)):
        with pytest.raises(tb.TinyBertError, match="Received: (target_sparsity|begin_step)="):
            polynomial_decay(*arguments)
