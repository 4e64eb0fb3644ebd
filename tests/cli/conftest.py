"""One tiny job, done once through the command line: teacher, student, exported files."""

from pathlib import Path

import pytest
from tiny_job import TRAINING, make_rows, write_table
from typer.testing import CliRunner

from tinybert_tf.cli import app


@pytest.fixture(scope="session")
def invoke():
    """Runs a command in this process; returns its result."""

    def run(*arguments, input=None):
        return CliRunner().invoke(app, [str(part) for part in arguments], input=input)

    return run


@pytest.fixture(scope="session")
def fails(invoke):
    """Runs a command that must end with status 2 and one line; returns that line."""

    def run(*arguments, status: int = 2) -> str:
        result = invoke(*arguments)
        assert result.exit_code == status, result.output
        lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, result.stderr
        assert "Traceback" not in result.output
        return lines[0]

    return run


@pytest.fixture(scope="session")
def tables(tmp_path_factory) -> Path:
    """A folder with train.csv and dev.csv."""
    folder = tmp_path_factory.mktemp("tables")
    write_table(folder / "train.csv", make_rows(160, seed=0))
    write_table(folder / "dev.csv", make_rows(40, seed=1))
    return folder


@pytest.fixture(scope="session")
def teacher_run(invoke, tables, tiny_hf_folder, tmp_path_factory) -> Path:
    """A finished run of `finetune`. Read only."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    train, dev = tables / "train.csv", tables / "dev.csv"
    source = ["--dev", dev, "--teacher", tiny_hf_folder]
    result = invoke("finetune", train, *source, "--out", folder, *TRAINING)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def exported(invoke, teacher_run, tmp_path_factory) -> Path:
    """The teacher as a float32 file."""
    path = tmp_path_factory.mktemp("exported") / "model.tflite"
    result = invoke("export", teacher_run, "--target", "float32", "--out", path)
    assert result.exit_code == 0, result.output
    return path
