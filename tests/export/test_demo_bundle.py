"""The bundle in android_demo_assets, and the command that makes it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.export import verify_bundle

ASSETS = Path(__file__).parents[2] / "android_demo_assets"


def test_the_committed_bundle_verifies():
    found = verify_bundle(ASSETS / "bundle")
    assert found.bundle.size_bytes < 8e6
    assert found.rows > 60
    manifest = found.bundle.manifest
    assert manifest["golden"]["tolerance"] == 1e-4
    assert manifest["measured"]["examples"] == 352 and manifest["measured"]["score"] > 0.7
    assert len((ASSETS / "bundle" / "labels.txt").read_text("utf-8").split("\n")) == 23


@pytest.fixture
def small_teacher(tmp_path):
    """An untrained encoder with the words of the intents; its weights are large enough to learn."""
    wordpiece = tb.train_wordpiece(tb.load_intents(per_intent=20).train[0], 600)
    shape = {"num_layers": 1, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 64}
    backbone = tb.TinyBertBackbone(wordpiece.vocabulary_size, max_sequence_length=32, **shape)
    generator = np.random.default_rng(0)
    for weights in backbone.weights:
        if len(weights.shape) == 2:
            weights.assign(generator.normal(0, 0.1, weights.shape))
    return tb.save_hf(backbone, tmp_path / "teacher", wordpiece)


@pytest.mark.slow
def test_a_small_one_is_made_by_the_same_command(small_teacher, tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("make_bundle", ASSETS / "make_bundle.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    given = {
        "work": tmp_path / "work",
        "out": tmp_path / "bundle",
        "teacher": small_teacher,
        "per-intent": 20,
        "learning-rate": 0.005,
        "epochs": 1,
        "blocks": 1,
        "verbose": 0,
    }
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["make_bundle.py", *words])
    maker.main()
    assert "MB" in capsys.readouterr().out
    found = verify_bundle(tmp_path / "bundle")
    assert found.bundle.manifest["origin"]["student"].startswith("1 of its blocks")
    assert found.bundle.manifest["measured"]["examples"] == 352
