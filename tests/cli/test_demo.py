"""`tinybert-tf demo`, with a tiny encoder and few sentences."""

import json

import pytest

from tinybert_tf.cli.demo import TARGETS, Plan, run_demo

PLAN = Plan(
    per_intent=8,
    student="bert_tiny_2l_128",
    teacher_epochs=12,
    epochs={"intermediate": 1, "prediction": 1},
    learning_rate=2e-3,
    student_learning_rate=1e-4,
)


@pytest.fixture(scope="module")
def encoder(build_tiny, tmp_path_factory):
    """An encoder as wide as the smallest named student, so that it can be copied."""
    from tinybert_tf.checkpoints import save_hf

    classifier = build_tiny(hidden_dim=128, num_heads=2, intermediate_dim=512)
    folder = tmp_path_factory.mktemp("encoder") / "hf"
    return str(save_hf(classifier.backbone, folder, classifier.wordpiece))


@pytest.mark.slow
def test_the_demo_ends_with_four_verified_files_and_a_table(encoder, tmp_path, capsys):
    results = run_demo(PLAN, tmp_path / "demo", teacher=encoder)
    rows = {(row["model"], row["target"]): row for row in results["rows"]}
    assert set(rows) == {(model, name) for model in ("teacher", "student") for name in TARGETS}
    assert [row["trained"] for row in results["rows"]] == [False, False, False, True]
    for (_, target), row in rows.items():
        assert (tmp_path / "demo" / row["file"]).stat().st_size == round(1e6 * row["size_mb"])
        assert row["latency_ms"] > 0
        assert row["largest_difference"] < (1e-4 if target == "float32" else 0.5)
    # What was trained is what the file computes.
    assert rows["student", "universal"]["largest_difference"] < 1e-3
    assert rows["teacher", "float32"]["dev_accuracy"] > 1 / 22
    small, large = (rows["student", target]["size_mb"] for target in ("universal", "float32"))
    assert small < 0.5 * large
    shown = capsys.readouterr().out
    assert "universal, trained" in shown
    assert "student_float32.tflite" in shown

    stored = json.loads((tmp_path / "demo/metrics.json").read_text())
    assert stored["rows"] == results["rows"]
    assert len(stored["labels"]) == 22
    assert run_demo(PLAN, tmp_path / "demo", teacher=encoder) == stored  # nothing is trained again
