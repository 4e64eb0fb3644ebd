"""A killed run goes on and ends with the weights of one that was not killed."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from killed_process import run_killed

import tinybert_tf as tb
from tinybert_tf.training import WarmupLinearDecay
from tinybert_tf.training.resumable import fit_resumable

sys.path.insert(0, str(Path(__file__).parent.parent / "distillation"))
from distillation_models import LABELS, TEXTS, new_classifier

# Runs the two stages in a process of its own; with a limit, it kills itself mid-epoch.
SCRIPT = """
sys.path.insert(0, {models!r})
from distillation_models import LABELS, TEXTS, new_classifier
import tinybert_tf as tb

teacher = new_classifier(num_layers=2)
student = tb.student_of(teacher, num_layers=1, seed=5)
tb.distill(
    teacher, student, TEXTS, epochs={{"intermediate": 2, "prediction": 2}}, batch_size=8,
    seed=3, run_dir={run_dir!r}, callbacks=[Killer()], verbose=0,
)
np.savez({result!r}, *student.get_weights())
"""


def run(tmp_path: Path, run_dir: str, kill_at: int = 0) -> int:
    return run_killed(
        SCRIPT,
        models=str(Path(__file__).parent.parent / "distillation"),
        kill_at=kill_at,
        run_dir=str(tmp_path / run_dir),
        result=str(tmp_path / f"{run_dir}.npz"),
    )


def weights(path: Path) -> list[np.ndarray]:
    with np.load(path) as stored:
        return [stored[name] for name in stored.files]


@pytest.mark.slow
def test_killed_mid_epoch_ends_like_uninterrupted(tmp_path):
    """Six steps an epoch: killed in epoch 2 of the first stage, then in epoch 1 of the second."""
    run(tmp_path, "whole")
    assert run(tmp_path, "killed", kill_at=9) == -signal.SIGKILL
    assert not (tmp_path / "killed.npz").exists()
    assert run(tmp_path, "killed", kill_at=6) == -signal.SIGKILL
    run(tmp_path, "killed")
    for a, b in zip(weights(tmp_path / "whole.npz"), weights(tmp_path / "killed.npz"), strict=True):
        np.testing.assert_array_equal(a, b)


def fine_tuned(run_dir=None, seed=0, rate=1e-3):
    import keras

    keras.utils.set_random_seed(2)
    classifier = new_classifier(num_layers=1)
    history = tb.finetune(
        classifier,
        TEXTS,
        LABELS,
        epochs=2,
        batch_size=8,
        seed=seed,
        learning_rate=rate,
        run_dir=run_dir,
        verbose=0,
    )
    return classifier, history


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, history = fine_tuned(tmp_path)
    second, again = fine_tuned(tmp_path)
    assert history == again
    assert len(again["loss"]) == 2
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_seed_decides_the_result():
    same = [fine_tuned()[0].get_weights()[0] for _ in range(2)]
    other = fine_tuned(seed=1)[0].get_weights()[0]
    np.testing.assert_array_equal(same[0], same[1])
    assert np.abs(same[0] - other).max() > 0


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fine_tuned(tmp_path)
    with pytest.raises(tb.TinyBertError, match="same data, model and settings"):
        fine_tuned(tmp_path, rate=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"class_weight": "balanced"}, {"loss": tb.FocalLoss()}, {"batch_size": 9}]
)
def test_other_arguments_make_another_run(tmp_path, changes):
    """Six steps an epoch with either batch size."""
    given = {"batch_size": 8, "epochs": 1, "run_dir": tmp_path, "verbose": 0}
    texts, labels = (TEXTS * 6)[:48], (LABELS * 6)[:48]
    tb.finetune(new_classifier(num_layers=1), texts, labels, **given)
    with pytest.raises(tb.TinyBertError, match="same data, model and settings"):
        tb.finetune(new_classifier(num_layers=1), texts, labels, **{**given, **changes})


@pytest.mark.slow
def test_another_teacher_makes_another_run(tmp_path):
    teacher, other = new_classifier(num_layers=2), new_classifier(num_layers=2)
    other.output_dense.bias.assign_add([0.0, 0.5])
    student = tb.student_of(teacher, num_layers=1)
    given = {"epochs": 1, "stages": "prediction", "run_dir": tmp_path, "verbose": 0}
    tb.distill(teacher, student, TEXTS, **given)
    with pytest.raises(tb.TinyBertError, match="same data, model and settings"):
        tb.distill(other, student, TEXTS, **given)
    with pytest.raises(tb.TinyBertError, match="same data, model and settings"):
        tb.distill(
            teacher,
            student,
            TEXTS,
            losses={"prediction": [tb.PredictionLoss(temperature=2.0)]},
            **given,
        )


def test_a_damaged_checkpoint_is_refused(tmp_path):
    fine_tuned(tmp_path)
    path = tmp_path / "finetune.npz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(tb.TinyBertError, match="complete checkpoint"):
        fine_tuned(tmp_path)


def test_balanced_class_weights_and_focal_loss_train():
    classifier = new_classifier(num_layers=1)
    few = [0, 1, 2, 4]
    history = tb.finetune(
        classifier,
        [TEXTS[i] for i in few] * 8,
        [LABELS[i] for i in few] * 8,
        epochs=1,
        class_weight="balanced",
        loss=tb.FocalLoss(),
        verbose=0,
    )
    assert np.isfinite(history["loss"]).all()


def test_schedule_by_hand():
    schedule = WarmupLinearDecay(1.0, total_steps=10, warmup_steps=2)
    values = [float(schedule(step)) for step in range(11)]
    np.testing.assert_allclose(
        values, [0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0.0], atol=1e-6
    )
    assert WarmupLinearDecay.from_config(schedule.get_config())(3) == schedule(3)


def test_fit_resumable_records_without_a_file():
    classifier = new_classifier(num_layers=1)
    batches = classifier.batches(TEXTS, LABELS, batch_size=16)
    history = fit_resumable(classifier, batches, epochs=2, verbose=0)
    assert len(history["loss"]) == 2
