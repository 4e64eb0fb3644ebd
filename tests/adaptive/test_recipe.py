"""Both phases from end to end, and a killed run that goes on."""

import signal
from pathlib import Path

import numpy as np
import pytest
from adaptive_models import LABELS, TEXTS, new_student, noisy_classifier
from killed_process import run_killed

import tinybert_tf as tb
from tinybert_tf.adaptive import AdaptiveStudent, distill_adaptive


@pytest.mark.slow
def test_the_recipe_brings_the_smallest_near_the_teacher(teacher):
    student = AdaptiveStudent.from_classifier(teacher, TEXTS, LABELS)
    smallest = student.extract(0.25, 0.5).predict(TEXTS[:8], verbose=0)
    histories = distill_adaptive(
        teacher,
        student,
        TEXTS,
        LABELS,
        validation_data=(TEXTS[:8], LABELS[:8]),
        epochs={"width": 3, "depth": 6},
        learning_rate=2e-3,
        batch_size=8,
        keep_best=True,
        verbose=0,
    )
    assert list(histories) == ["width", "depth"]
    width, depth = histories["width"], histories["depth"]
    assert width["loss"][-1] < width["loss"][0]
    assert depth["loss"][-1] < depth["loss"][0]
    assert depth["best_epoch"] > 0
    assert max(depth["val_smallest_accuracy"]) == 1.0
    wanted = teacher.predict(TEXTS[:8], verbose=0)
    trained = student.extract(0.25, 0.5).predict(TEXTS[:8], verbose=0)
    assert np.abs(trained - wanted).mean() < 0.5 * np.abs(smallest - wanted).mean()


@pytest.mark.slow
def test_phases_can_be_left_out_and_all_trained_at_once(teacher):
    student = AdaptiveStudent.from_classifier(
        teacher, TEXTS, LABELS, widths=(0.5, 1.0), depths=(0.5, 1.0)
    )
    histories = distill_adaptive(
        teacher, student, TEXTS, epochs={"width": 0, "depth": 1}, sandwich=False, verbose=0
    )
    assert set(histories) == {"depth"}
    assert "accuracy" not in histories["depth"]


def test_what_the_recipe_refuses(teacher):
    student = new_student()
    with pytest.raises(tb.TinyBertError, match=r"epochs for \['heads'\]"):
        distill_adaptive(teacher, student, TEXTS, epochs={"heads": 1})
    with pytest.raises(tb.TinyBertError, match="better than chance"):
        distill_adaptive(noisy_classifier(5), student, TEXTS, validation_data=(TEXTS, LABELS[::-1]))


# Runs both phases in a process of its own; with a limit, it kills itself mid-epoch.
SCRIPT = """
sys.path.insert(0, {models!r})
from adaptive_models import TEXTS, new_classifier, new_student
from tinybert_tf.adaptive import distill_adaptive

teacher = new_classifier(num_layers=2, hidden_dim=24)
student = new_student(widths=(0.5, 1.0), depths=(0.5, 1.0), num_layers=2, dropout=0.1)
distill_adaptive(
    teacher, student, TEXTS, epochs=2, batch_size=8, learning_rate=1e-3, seed=3,
    run_dir={run_dir!r}, callbacks=[Killer()], verbose=0,
)
np.savez({result!r}, *student.classifier.get_weights())
"""


def run(tmp_path: Path, name: str, kill_at: int = 0) -> int:
    return run_killed(
        SCRIPT,
        models=str(Path(__file__).parent),
        kill_at=kill_at,
        run_dir=str(tmp_path / name),
        result=str(tmp_path / f"{name}.npz"),
    )


@pytest.mark.slow
def test_killed_mid_epoch_ends_like_uninterrupted(tmp_path):
    """Six steps an epoch: killed in the width phase, then in the depth phase."""
    run(tmp_path, "whole")
    assert run(tmp_path, "killed", kill_at=8) == -signal.SIGKILL
    assert run(tmp_path, "killed", kill_at=8) == -signal.SIGKILL
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {"width.npz", "depth.npz"}
    run(tmp_path, "killed")
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "killed.npz") as killed:
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], killed[name])
