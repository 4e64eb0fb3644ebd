"""Plots are complete PNG files, for few and for many classes, or clear errors."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import (
    Comparison,
    evaluate_probabilities,
    plot_comparison,
    plot_confusion_matrix,
    plot_history,
    plot_reliability,
)

HISTORY = {
    "intermediate": {
        "loss": [60.0, 9.0, 2.0],
        "attention_loss": [40.0, 6.0, 1.0],
        "hidden_loss": [20.0, 3.0, 1.0],
        "val_loss": [55.0, 9.0, 2.5],
    },
    "prediction": {"loss": [0.9, 0.3], "val_loss": [0.8, 0.4], "val_accuracy": [0.85, 0.9]},
}


def case(classes, rows, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes)) + 3 * np.eye(classes)[labels]
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True), labels


def report(classes, rows=400, names=None):
    probabilities, labels = case(classes, rows)
    return evaluate_probabilities(
        probabilities, labels, names or [f"class_{index}" for index in range(classes)]
    )


@pytest.fixture
def read_png():
    image = pytest.importorskip("matplotlib.image", reason="needs matplotlib (plots extra)")

    def read(path):
        """Pixels of shape (height, width, 3); fails unless the file is whole and not blank."""
        pixels = image.imread(path)[..., :3]
        assert pixels.std() > 0.02, "the picture is blank"
        assert os.listdir(path.parent) == [path.name], "a temporary file stayed behind"
        return pixels

    return read


def share_of(pixels, color):
    """Share of the pixels near a color given as RGB from 0 to 1."""
    return (np.abs(pixels - np.array(color)).max(axis=-1) < 0.2).mean()


# === Confusion ===


@pytest.mark.parametrize(
    "classes", [2, 40, 400, *(pytest.param(n, marks=pytest.mark.slow) for n in (20, 150))]
)
def test_confusion_matrix(tmp_path, read_png, classes):
    path = tmp_path / "confusion.png"
    plot_confusion_matrix(report(classes, rows=10 * classes), path)
    pixels = read_png(path)
    assert share_of(pixels, (0, 0.447, 0.698)) > 0.003, "the diagonal is blue"
    assert max(pixels.shape) < 3500


def test_confusion_matrix_without_mistakes_and_with_absent_classes(tmp_path, read_png):
    for classes in (3, 60):
        names = [str(index) for index in range(classes)]
        perfect = evaluate_probabilities(np.eye(classes)[:2], [0, 1], names)
        path = tmp_path / "confusion.png"
        plot_confusion_matrix(perfect, path)
        read_png(path)


def test_labels_in_any_script_and_with_markup(tmp_path, read_png):
    names = ["播放音乐", "set $\\frac$ {_", "été " * 30, "🎵", "line\nbreak"]
    path = tmp_path / "confusion.png"
    plot_confusion_matrix(report(5, names=names), path, title="costs $5 or $6")
    assert read_png(path).shape[1] < 2500


@pytest.mark.parametrize("classes", [3, 60])
def test_multi_label_counts(tmp_path, read_png, classes):
    rng = np.random.default_rng(0)
    labels, probabilities = rng.random((50, classes)) < 0.3, rng.random((50, classes))
    names = [str(index) for index in range(classes)]
    result = evaluate_probabilities(probabilities, labels, names, multi_label=True)
    path = tmp_path / "labels.png"
    plot_confusion_matrix(result, path)
    assert share_of(read_png(path), (0.9, 0.624, 0)) > 0.02, "misses are orange"


# === Reliability, history, comparison ===


@pytest.mark.parametrize("classes", [2, 150])
def test_reliability(tmp_path, read_png, classes):
    path = tmp_path / "reliability.png"
    plot_reliability(*case(classes, 300), path)
    read_png(path)


def test_reliability_of_multi_label(tmp_path, read_png):
    rng = np.random.default_rng(0)
    path = tmp_path / "reliability.png"
    plot_reliability(rng.random((40, 3)), rng.random((40, 3)) < 0.5, path, bins=5)
    read_png(path)


def test_history_of_stages_has_a_panel_per_metric(tmp_path, read_png):
    path = tmp_path / "history.png"
    plot_history(HISTORY, path, title="Distillation")
    four_panels = read_png(path)
    plot_history({"intermediate": HISTORY["intermediate"]}, path)
    three_panels = read_png(path)
    assert four_panels.shape[0] > 1.5 * three_panels.shape[0], "a second row of panels"


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [0.5]},
        {"loss": [0.5, 0.4], "val_loss": [0.6, float("nan")], "learning_rate": [1e-4, 1e-6]},
        {"loss": [0.0, 100.0], "hidden_loss": [100.0, -1.0]},
        {"prediction": {"loss": list(range(1, 80))}, "seconds": 12.0},
    ],
)
def test_history_of_any_shape(tmp_path, read_png, history):
    path = tmp_path / "history.png"
    plot_history(history, path)
    read_png(path)


def test_history_of_arrays_is_drawn_like_lists(tmp_path, read_png):
    path = tmp_path / "history.png"
    plot_history({"loss": [0.5, 0.25], "val_accuracy": [0.5, 0.75]}, path)
    from_lists = read_png(path)
    plot_history({"loss": np.float32([0.5, 0.25]), "val_accuracy": (0.5, 0.75)}, path)
    np.testing.assert_array_equal(read_png(path), from_lists)


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"prediction": {}}])
def test_history_without_epochs(tmp_path, history):
    with pytest.raises(TinyBertError, match=r"at least one epoch.*Received: history="):
        plot_history(history, tmp_path / "history.png")
    assert os.listdir(tmp_path) == []


def test_comparison(tmp_path, read_png):
    table = Comparison(title="sst2 dev")
    table.add("teacher", accuracy=0.91, size_mb=90.9)
    table.add("student $8 bit$", accuracy=0.9, latency_ms=3.0)
    path = tmp_path / "comparison.png"
    plot_comparison(table, path)
    assert share_of(read_png(path), (0.835, 0.369, 0)) > 0.005, "the reference is vermilion"


# === Errors ===


def test_matplotlib_absent(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(TinyBertError, match=r'pip install "tinybert-tf\[plots\]"'):
        plot_confusion_matrix(report(2), tmp_path / "confusion.png")
    assert os.listdir(tmp_path) == []


def test_an_unwritable_folder(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib (plots extra)")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(TinyBertError, match="output folder"):
        plot_confusion_matrix(report(2), tmp_path / "file" / "confusion.png")


def test_malformed_probabilities_leave_the_old_plot(tmp_path):
    (tmp_path / "reliability.png").write_bytes(b"old")
    with pytest.raises(TinyBertError, match="sum to one"):
        plot_reliability([[0.2, 0.2]], [0], tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").read_bytes() == b"old"


def test_importing_needs_neither_matplotlib_nor_tensorflow():
    code = (
        "import sys, tinybert_tf.evaluate; "
        "print([m for m in ('matplotlib', 'tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"
