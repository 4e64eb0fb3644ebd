"""`general`: an encoder from raw text, which a task's student starts from."""

import json

import numpy as np
import pytest
from tiny_job import make_rows

import tinybert_tf as tb

# Training of several small models.
pytestmark = pytest.mark.slow

# The tiny teacher is narrower than any architecture.
SHAPE = ("--student", "bert_tiny_2l_128", "--init", "random", "--max-length", "16")


def write_documents(path, seed):
    """A document is five sentences."""
    rows = [f"{text}." for text, _ in make_rows(100, seed)]
    documents = ["\n".join(rows[start : start + 5]) for start in range(0, 100, 5)]
    path.write_text("\n\n".join(documents) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    return write_documents(folder / "texts.txt", 0), write_documents(folder / "other.txt", 1)


@pytest.fixture(scope="module")
def general(invoke, texts, tiny_hf_folder, tmp_path_factory):
    """The arguments, the run's folder and the first result."""
    folder = tmp_path_factory.mktemp("general") / "run"
    arguments = ("general", texts[0], "--dev", texts[1], "--teacher", tiny_hf_folder, *SHAPE)
    arguments = (*arguments, "--epochs", "2", "--learning-rate", "1e-3", "--out", folder)
    return arguments, folder, invoke(*arguments)


def test_trains_and_says_what_it_did(general):
    _, folder, result = general
    assert result.exit_code == 0, result.output
    assert "20 documents" in result.stderr and "distill train.csv" in result.stderr
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert f"{metrics['tokens']:,}" in result.stdout
    before, after = metrics["dev_before"], metrics["dev_after"]
    assert after["loss"] < before["loss"]
    assert f"{before['loss']:.4f} -> {after['loss']:.4f}" in result.stdout
    assert not (folder / "checkpoints").exists()  # and the token ids with them


def test_the_model_is_an_encoder_with_its_tokenizer(general):
    _, folder, _ = general
    model = tb.TinyBertSentenceEmbedder.from_preset(str(folder / "model"))
    assert model.backbone.num_layers == 2 and model.backbone.hidden_dim == 128
    assert model.backbone.dropout == 0.0
    assert np.ptp(model.embed(["the film was good", "dull"])) > 0.1


def test_again_does_nothing_and_other_settings_are_refused(general, invoke, fails):
    arguments, folder, _ = general
    again = invoke(*arguments)
    assert again.exit_code == 0 and "finished already" in again.stderr
    line = fails(*arguments, "--seed", "1")
    assert "seed 0, now 1" in line
    result = invoke("info", folder)
    assert result.exit_code == 0 and "general" in result.stdout


def test_a_task_starts_from_it(general, invoke, tables, teacher_run, tmp_path):
    _, folder, _ = general
    pair = ("--teacher", teacher_run, "--student", folder, "--stages", "prediction")
    run = ("--epochs", "1", "--dev", tables / "dev.csv", "--out", tmp_path / "run")
    result = invoke("distill", tables / "train.csv", *pair, *run)
    assert result.exit_code == 0, result.output
    model = tb.TinyBertTextClassifier.from_preset(str(tmp_path / "run" / "model"))
    assert model.backbone.hidden_dim == 128 and model.labels == ["negative", "positive"]


def test_a_student_of_the_same_vocabulary_starts_with_the_teachers_answers(teacher_run, tables):
    from tinybert_tf.cli.models import build_student

    teacher = tb.TinyBertTextClassifier.from_preset(str(teacher_run / "model"))
    texts = tb.read_examples(tables / "train.csv").texts
    student = build_student(str(teacher_run), teacher, "teacher", "uniform", texts, seed=0)
    np.testing.assert_allclose(
        student.predict_proba(texts), teacher.predict_proba(texts), atol=1e-2
    )


def test_bad_input(fails, texts, tiny_hf_folder, tmp_path):
    run = ("--teacher", tiny_hf_folder, "--out", tmp_path / "run")
    assert "tinybert_4l_312" in fails("general", texts[0], *run, "--student", "huge")
    assert "existing file or folder" in fails("general", tmp_path / "no.txt", *run)
    (tmp_path / "one.txt").write_text("a film.\nthe plot.", "utf-8")
    assert "1 documents" in fails("general", tmp_path / "one.txt", *run, *SHAPE)
    assert "whose width is 312" in fails("general", texts[0], *run, "--max-length", "16")
