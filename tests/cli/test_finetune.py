"""`tinybert-tf finetune`: the run folder, resuming, and options that change the loss."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tiny_job import TRAINING, make_rows, write_table

from tinybert_tf.models import TinyBertTextClassifier


@pytest.fixture
def arguments(tables, tiny_hf_folder):
    """The arguments that made `teacher_run`, less the folder."""
    train, dev = tables / "train.csv", tables / "dev.csv"
    return ["finetune", train, "--dev", dev, "--teacher", tiny_hf_folder, *TRAINING, "--out"]


def test_the_run_folder_tells_everything(teacher_run):
    config = json.loads((teacher_run / "config.json").read_text())
    metrics = json.loads((teacher_run / "metrics.json").read_text())
    assert config["command"] == "finetune"
    assert config["arguments"]["epochs"] == 6
    assert config["paths"]["train"].endswith("train.csv")
    assert config["seed"] == 0
    assert config["versions"]["keras"]
    assert metrics["dev"]["accuracy"] > 0.9
    assert metrics["labels"] == ["negative", "positive"]
    assert len(metrics["history"]["val_accuracy"]) == 6
    log = (teacher_run / "log.txt").read_text().splitlines()
    assert log[0].endswith("started")
    assert log[-1].endswith("finished")
    assert sum("finetune: epoch" in line for line in log) == 6
    assert (teacher_run / "plots/history.png").is_file()
    assert not (teacher_run / "checkpoints").exists()


def test_the_events_hold_every_epoch(teacher_run):
    (path,) = teacher_run.rglob("events.out.tfevents.*")
    metrics = json.loads((teacher_run / "metrics.json").read_text())
    events = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            events.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    assert list(events["epoch_val_loss"]) == list(range(6))
    assert np.allclose(list(events["epoch_loss"].values()), metrics["history"]["loss"])
    assert set(events["batch_loss"]) == {10, 20, 30, 40, 50, 60}


def test_the_model_gives_the_dev_accuracy_that_was_reported(teacher_run, tables):
    classifier = TinyBertTextClassifier.from_preset(str(teacher_run / "model"))
    rows = [line.rsplit(",", 1) for line in (tables / "dev.csv").read_text().splitlines()[1:]]
    found = classifier.classify([text for text, _ in rows])
    accuracy = np.mean([a == b for a, (_, b) in zip(found, rows, strict=True)])
    metrics = json.loads((teacher_run / "metrics.json").read_text())
    assert accuracy == metrics["dev"]["accuracy"]
    assert classifier.sequence_length == 24


def test_the_same_command_again_has_nothing_to_do(invoke, teacher_run, arguments):
    before = (teacher_run / "metrics.json").stat().st_mtime_ns
    result = invoke(*arguments, teacher_run)
    assert result.exit_code == 0
    assert "finished already" in result.stderr
    assert "dev accuracy" in result.stdout
    assert (teacher_run / "metrics.json").stat().st_mtime_ns == before


def test_other_settings_or_data_do_not_overwrite(fails, teacher_run, arguments, tmp_path):
    line = fails(*arguments, teacher_run, "--seed", "1", "--class-weight", "sqrt")
    assert "--overwrite" in line
    assert "seed 0, now 1" in line
    assert "class_weight None, now 'sqrt'" in line
    arguments[1] = write_table(tmp_path / "train.csv", make_rows(100, seed=5))
    assert "train_rows 160, now 100" in fails(*arguments, teacher_run)


def test_moved_data_are_the_same_data(invoke, teacher_run, arguments, tmp_path):
    arguments[1] = shutil.copy(arguments[1], tmp_path / "elsewhere.csv")
    assert "finished already" in invoke(*arguments, teacher_run).stderr


def test_an_unfinished_run_is_no_model(fails, teacher_run, tmp_path):
    shutil.copytree(teacher_run, tmp_path / "run")
    (tmp_path / "run/metrics.json").unlink()
    assert "Expected a finished run" in fails("predict", tmp_path / "run", "text")


@pytest.mark.slow
def test_multi_label_with_weighted_focal_loss(invoke, tiny_hf_folder, tmp_path):
    rows = [(text, f"{label}|any" if index % 3 else label) for index, (text, label) in
            enumerate(make_rows(60, seed=2))]  # fmt: skip
    train = write_table(tmp_path / "train.csv", rows)
    loss = ("--multi-label", "--class-weight", "balanced", "--focal-gamma", "2", "--epochs", "1")
    source = ("--teacher", tiny_hf_folder, "--out", tmp_path / "run")
    result = invoke("finetune", train, *source, *loss, "--dev-share", "0.2")
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["labels"] == ["any", "negative", "positive"]
    assert metrics["dev"]["examples"] == 12
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["arguments"]["focal_gamma"] == 2.0
    every = invoke("predict", tmp_path / "run", "the film", "--top", "3", "--json").stdout
    probabilities = {one["label"]: one["probability"] for one in json.loads(every)["labels"]}
    expected = {name for name, p in probabilities.items() if p >= 0.5}
    found = json.loads(invoke("predict", tmp_path / "run", "the film", "--json").stdout)["labels"]
    assert len(probabilities) == 3 and {one["label"] for one in found} == expected
    lines = invoke("predict", tmp_path / "run", "the film").stdout.splitlines()
    assert {line.split("\t")[0] for line in lines} == (expected or {"(none)"})
