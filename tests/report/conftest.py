"""A finished run of a tiny classifier, made without training: its numbers are chosen here."""

from pathlib import Path

import pytest
from report_runs import DEV, HISTORY, write_data, write_run
from typer.testing import CliRunner

from tinybert_tf.cli import app


@pytest.fixture(scope="session")
def student_folder(loud_classifier, tmp_path_factory) -> Path:
    """A finished run of `distill` with recorded curves. Read only."""
    folder = tmp_path_factory.mktemp("report") / "student"
    metrics = {
        "dev": {"examples": 8, "accuracy": 0.875},
        "teacher_dev": {"accuracy": 0.9375},
        "kind": "classes",
        "labels": loud_classifier.labels,
        "parameters": loud_classifier.count_params(),
        "teacher_parameters": 123456,
        "seconds": 95.0,
        "history": HISTORY,
    }
    return write_run(folder, "distill", loud_classifier, metrics)


@pytest.fixture(scope="session")
def teacher_folder(build_tiny, tmp_path_factory) -> Path:
    """A teacher of three blocks, a preset. Read only."""
    folder = tmp_path_factory.mktemp("report") / "teacher"
    build_tiny(num_layers=3, num_heads=4).save_to_preset(str(folder))
    return folder


@pytest.fixture(scope="session")
def dev_file(tmp_path_factory) -> Path:
    return write_data(tmp_path_factory.mktemp("report") / "dev.csv", DEV)


@pytest.fixture(scope="session")
def invoke():
    """Runs a command in this process; returns its result."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(part) for part in arguments])

    return run


@pytest.fixture(scope="session")
def refused(invoke):
    """Runs a command that must end with status 2 and one line; returns that line."""

    def run(*arguments) -> str:
        result = invoke(*arguments)
        assert result.exit_code == 2, result.output
        lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, result.stderr
        assert "Traceback" not in result.output
        return lines[0]

    return run
