"""`inspect`: the screen, the JSON and what it says of files that are none."""

import json
import os
import subprocess
import sys

import pytest

from tinybert_tf.export import to_tflite


@pytest.fixture(scope="module")
def file(build_tiny, tmp_path_factory):
    """An untrained classifier as a float32 file."""
    return to_tflite(build_tiny(), tmp_path_factory.mktemp("inspect") / "m.tflite", "float32").path


def test_shows_operators_delegates_sizes_and_signatures(invoke, file):
    result = invoke("inspect", file)
    assert result.exit_code == 0, result.output
    for words in (
        "FULLY_CONNECTED",
        "all operators",
        "GPU LiteRT",
        "refuses 2 GELU (version 1): not mapped to NNAPI",
        "feature level 6: Android 13 (API 33)",
        "word table",
        "serving_default",
        "probabilities: float32 (1, 2)",
        "vocab.txt",
    ):
        assert words in " ".join(result.stdout.split()), words


@pytest.mark.parametrize("columns", [80, 100])
def test_no_line_is_wider_than_the_terminal(file, columns):
    environment = {**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "tinybert_tf", "inspect", file.name]
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=file.parent
    )
    assert result.returncode == 0, result.stderr
    assert max(len(line) for line in result.stdout.splitlines()) <= columns
    assert "✓" in result.stdout


def test_a_terminal_without_unicode_gets_words(file):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "tinybert_tf", "inspect", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/")
    assert result.returncode == 0, result.stderr
    assert "yes" in result.stdout and "✓" not in result.stdout


def test_one_delegate_with_layers_and_sources(invoke, file):
    result = invoke("inspect", file, "--delegate", "nnapi")
    assert result.exit_code == 0
    assert "in: encoder_block_0/feed_forward" in result.stdout
    assert "nnapi_delegate.cc" in result.stdout
    assert "XNNPACK" not in result.stdout


def test_json_holds_every_operator(invoke, file):
    result = invoke("inspect", file, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["labels"] == ["negative", "positive"]
    assert len(found["operators"]) == found["delegates"]["gpu_litert"]["accepted"]


def test_files_that_are_none(fails, tmp_path):
    text = tmp_path / "notes.tflite"
    text.write_text("not a model at all, but long enough")
    assert "Expected a TFLite file" in fails("inspect", text)
    assert "No such file" in fails("inspect", tmp_path / "absent.tflite")
    assert "Is a directory" in fails("inspect", tmp_path)


def test_an_unknown_delegate_is_wrong_usage(invoke, file):
    result = invoke("inspect", file, "--delegate", "npu")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_it_is_quick(file):
    code = (
        "import sys; from tinybert_tf.cli import app\n"
        f"try: app(['inspect', {str(file)!r}])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert result.returncode == 0, result.stderr


def test_help(invoke):
    result = invoke("inspect", "--help")
    assert result.exit_code == 0
    assert "tinybert-tf inspect" in result.stdout
    assert "inspect" in invoke("--help").stdout
