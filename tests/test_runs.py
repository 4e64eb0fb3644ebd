"""Run folders: what they refuse, what they resume, what they record."""

import json

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.runs import CONFIG, METRICS, Run, digest, read_config

SETTINGS = {"epochs": 3, "seed": 7}


class Saveable:
    """Stands for a classifier where only the folder matters."""

    def __init__(self, error=None):
        self.error = error

    def save_to_preset(self, folder):
        with open(f"{folder}/weights", "w") as stream:
            stream.write("w")
        if self.error:
            raise self.error


def test_new_run_writes_its_config(tmp_path):
    run = Run.open(tmp_path / "a" / "run", "finetune", SETTINGS, notes={"paths": {"train": "x"}})
    config = json.loads((run.folder / CONFIG).read_text())
    assert (config["command"], config["arguments"], config["seed"]) == ("finetune", SETTINGS, 7)
    assert config["paths"] == {"train": "x"}
    assert config["versions"]["python"]
    assert not run.resumed
    assert not run.is_finished


def test_interrupted_run_of_the_same_settings_resumes(tmp_path):
    first = Run.open(tmp_path, "distill", SETTINGS)
    first.checkpoints.mkdir()
    (first.checkpoints / "x.npz").write_text("state")
    assert Run.open(tmp_path, "distill", SETTINGS).resumed
    anew = Run.open(tmp_path, "distill", SETTINGS, resume=False)
    assert not anew.resumed
    assert not anew.checkpoints.exists()


def test_a_run_that_saved_nothing_is_replaced(tmp_path):
    Run.open(tmp_path, "finetune", SETTINGS).log("failed")
    again = Run.open(tmp_path, "finetune", SETTINGS)
    assert again.resumed and "failed" in (tmp_path / "log.txt").read_text()
    other = Run.open(tmp_path, "finetune", {**SETTINGS, "epochs": 4})
    assert not other.resumed and not (tmp_path / "log.txt").exists()
    assert read_config(tmp_path)["arguments"]["epochs"] == 4


def test_other_settings_are_refused_by_name(tmp_path):
    run = Run.open(tmp_path, "finetune", SETTINGS)
    run.checkpoints.mkdir()
    (run.checkpoints / "x.npz").write_text("state")
    with pytest.raises(TinyBertError, match=r"--overwrite.*an interrupted run.*epochs 3, now 4"):
        Run.open(tmp_path, "finetune", {**SETTINGS, "epochs": 4})
    with pytest.raises(TinyBertError, match="command finetune, now distill"):
        Run.open(tmp_path, "distill", SETTINGS)
    replaced = Run.open(tmp_path, "finetune", {**SETTINGS, "epochs": 4}, overwrite=True)
    assert read_config(replaced.folder)["arguments"]["epochs"] == 4


def test_finished_run_is_recognized_and_kept(tmp_path):
    run = Run.open(tmp_path, "finetune", SETTINGS)
    run.checkpoints.mkdir()
    run.finish(Saveable(), {"dev": 1.0})
    assert not run.checkpoints.exists()
    again = Run.open(tmp_path, "finetune", SETTINGS)
    assert again.is_finished
    assert again.metrics() == {"dev": 1.0}
    with pytest.raises(TinyBertError, match="a finished run"):
        Run.open(tmp_path, "finetune", {"epochs": 1})
    assert not Run.open(tmp_path, "finetune", SETTINGS, overwrite=True).is_finished
    assert not run.model.exists()


@pytest.mark.parametrize("name", ["notes.txt", CONFIG])
def test_a_folder_of_other_files_is_never_touched(tmp_path, name):
    (tmp_path / name).write_text('{"model_type": "bert"}')
    with pytest.raises(TinyBertError, match="holds other files"):
        Run.open(tmp_path, "finetune", SETTINGS, overwrite=True)
    assert (tmp_path / name).read_text() == '{"model_type": "bert"}'


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TinyBertError, match="a file"):
        Run.open(tmp_path / "file", "finetune", SETTINGS)
    with pytest.raises(TinyBertError, match="output folder that can be created"):
        Run.open(tmp_path / "file" / "run", "finetune", SETTINGS)


def test_a_failure_while_saving_leaves_the_run_unfinished(tmp_path):
    run = Run.open(tmp_path, "finetune", SETTINGS)
    with pytest.raises(RuntimeError):
        run.finish(Saveable(RuntimeError("no")), {})
    assert not run.is_finished
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONFIG]


def test_failures_and_interruptions_are_logged(tmp_path):
    run = Run.open(tmp_path, "finetune", SETTINGS)
    with pytest.raises(ValueError), run.recording():
        raise ValueError("two\nlines")
    with pytest.raises(KeyboardInterrupt, match="saved yet.*starts over"), run.recording():
        raise KeyboardInterrupt
    log = (tmp_path / "log.txt").read_text().splitlines()
    assert log[1].endswith("failed: ValueError: two lines")
    assert log[3].endswith("interrupted; nothing was saved yet")


def test_digest_tells_contents_apart(tmp_path):
    assert digest(["a", "b"]) == digest(["a", "b"])
    assert digest(["a", "b"]) != digest(["ab"])
    digest(["\ud800"])  # an unpaired surrogate has a checksum too
    path = tmp_path / "weights"
    path.write_bytes(b"1")
    before = digest(path)
    path.write_bytes(b"2")
    assert digest(path) != before


def test_metrics_are_the_last_file_written(tmp_path, monkeypatch):
    """A run killed between model and metrics counts as interrupted."""
    run = Run.open(tmp_path, "finetune", SETTINGS)
    with pytest.raises(TypeError):
        run.finish(Saveable(), {"not JSON": object()})
    assert run.model.is_dir()
    assert not (tmp_path / METRICS).exists()
    assert Run.open(tmp_path, "finetune", SETTINGS).resumed
