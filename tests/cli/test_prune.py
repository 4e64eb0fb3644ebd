"""prune-vocabulary on a teacher that was trained here."""

import json

import numpy as np
import pytest

import tinybert_tf as tb


@pytest.fixture(scope="module")
def pruned(invoke, tables, teacher_run, tmp_path_factory):
    """The result of the command, and the folder it wrote."""
    folder = tmp_path_factory.mktemp("pruned") / "deep" / "small"
    data = ("--texts", tables / "train.csv", "--dev", tables / "dev.csv")
    return invoke("prune-vocabulary", teacher_run, *data, "--out", folder), folder


def test_prints_the_report(pruned):
    result, _ = pruned
    assert result.exit_code == 0, result.output
    for said in ("word table in int4", "corpus: texts split as before", "dev: pieces a word"):
        assert said in result.stdout
    assert result.stdout.count("100.00 %") >= 4
    assert "dev accuracy" in result.stdout


def test_writes_a_smaller_model_with_the_same_answers(pruned, tables, teacher_run):
    _, folder = pruned
    texts = tb.read_examples(tables / "train.csv").texts
    before = tb.TinyBertTextClassifier.from_preset(str(teacher_run / "model"))
    after = tb.TinyBertTextClassifier.from_preset(str(folder))
    assert after.wordpiece.vocabulary_size < before.wordpiece.vocabulary_size
    np.testing.assert_allclose(
        after.predict(texts, verbose=0), before.predict(texts, verbose=0), atol=1e-5
    )
    report = json.loads((folder / "coverage.json").read_text())
    assert report["coverage"]["size_after"] == after.wordpiece.vocabulary_size
    assert report["coverage"]["corpus"]["unchanged_texts"] == 1.0
    assert report["dev_accuracy"]["after"] == report["dev_accuracy"]["before"] > 0.9
    assert report["arguments"]["texts"] == [str(tables / "train.csv")]


@pytest.mark.slow
def test_other_commands_take_it(pruned, invoke, tables, tmp_path):
    _, folder = pruned
    report = json.loads((folder / "coverage.json").read_text())
    result = invoke("info", folder)
    assert f"{report['coverage']['size_after']:,}" in result.stdout
    result = invoke("evaluate", folder, tables / "dev.csv")
    assert result.exit_code == 0, result.output
    result = invoke("export", folder, "--out", tmp_path / "model.tflite")
    assert result.exit_code == 0, result.output
    lines = invoke("predict", tmp_path / "model.tflite", "the film was great").stdout
    assert lines.startswith("positive")
    student = ("--student", "bert_tiny_2l_128", "--init", "random", "--stages", "prediction")
    run = ("--epochs", "1", "--dev-share", "0", "--out", tmp_path / "student")
    result = invoke("distill", tables / "dev.csv", "--teacher", folder, *student, *run)
    assert result.exit_code == 0, result.output


def test_smaller_still(invoke, teacher_run, tables, tmp_path):
    (tmp_path / "more.txt").write_text("fine lovely plot\nfine cast\n")
    texts = ("--texts", tmp_path / "more.txt", "--dev", tmp_path / "more.txt")
    result = invoke(
        "prune-vocabulary", teacher_run, *texts, "--min-count", "2", "--out", tmp_path / "out"
    )
    assert result.exit_code == 0, result.output
    assert "accuracy" not in result.stdout  # no labels there
    vocabulary = tb.TinyBertTextClassifier.from_preset(str(tmp_path / "out")).wordpiece.vocabulary
    assert "fine" in vocabulary
    assert "lovely" not in vocabulary
    size = str(len(vocabulary) + 2)
    again = ("--max-size", size, "--fill", "--alphabet", "all", "--out", tmp_path / "out")
    result = invoke("prune-vocabulary", teacher_run, *texts[:2], *again, "--overwrite")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "coverage.json").read_text())
    assert report["coverage"]["size_after"] == int(size)


def test_never_replaces_other_files(fails, pruned, tables, teacher_run, tmp_path):
    command = ("prune-vocabulary", teacher_run, "--texts", tables / "train.csv", "--out")
    assert "--overwrite" in fails(*command, pruned[1])
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "holds other files" in fails(*command, tmp_path, "--overwrite")
    assert "holds other files" in fails(*command, teacher_run, "--overwrite")
    assert "file stands there" in fails(*command, tmp_path / "thesis.txt", "--overwrite")


def test_bad_input(fails, tables, teacher_run, tmp_path):
    out = ("--out", tmp_path / "out")
    texts = ("--texts", tables / "train.csv")
    assert "existing file" in fails("prune-vocabulary", teacher_run, "--texts", "no.csv", *out)
    assert "does not exist" in fails("prune-vocabulary", tmp_path / "no", *texts, *out)
    (tmp_path / "model.tflite").touch()
    line = fails("prune-vocabulary", tmp_path / "model.tflite", *texts, *out)
    assert "not an exported file" in line
    assert "max_size=9" in fails("prune-vocabulary", teacher_run, *texts, *out, "--max-size", "9")
    (tmp_path / "dev.csv").write_text("text,label\na film,neutral\n")
    line = fails("prune-vocabulary", teacher_run, *texts, *out, "--dev", tmp_path / "dev.csv")
    assert "'neutral'" in line
    assert not (tmp_path / "out").exists()


def test_help(invoke):
    result = invoke("prune-vocabulary", "--help")
    assert result.exit_code == 0
    assert "tinybert-tf prune-vocabulary" in result.stdout
