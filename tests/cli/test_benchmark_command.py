"""`benchmark` on a tiny exported file: what it prints, and how it refuses."""

import json
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def copy(exported, tmp_path_factory):
    return shutil.copy(exported, tmp_path_factory.mktemp("copy") / "copy.tflite")


def test_files_side_by_side(invoke, exported, copy):
    result = invoke("benchmark", exported, copy, "--threads", "1,2", "--repeats", "5", "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["rows"]
    assert [(row["file"], row["threads"]) for row in rows] == [
        (str(exported), 1),
        (str(copy), 1),
        (str(exported), 2),
        (str(copy), 2),
    ]
    assert [row["ratio"]["median"] == 1 for row in rows] == [True, False, True, False]
    assert all(row["size_bytes"] == exported.stat().st_size for row in rows)
    assert all(row["repeats"] == 5 for row in rows)
    if sys.platform == "linux":
        assert all(row["memory"]["resident_bytes"] > 0 for row in rows)


def test_the_table(invoke, exported, copy):
    shown = invoke("benchmark", exported, copy, "--repeats", "2", "--no-memory").stdout
    for word in ("tokens", "median ms", "x first", "MB file", "1.00", "copy"):
        assert word in shown
    assert "MB memory" not in shown
    alone = invoke("benchmark", exported, "--repeats", "2")
    assert "x first" not in alone.stdout
    assert "--by-operator" in alone.stderr


def test_by_operator(invoke, exported):
    arguments = ("benchmark", exported, "--repeats", "1", "--no-memory", "--by-operator")
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert "FULLY_CONNECTED" in result.stdout
    assert "the whole graph" in result.stdout
    report = json.loads(invoke(*arguments, "--json").stdout)
    (costs,) = report["operators"]
    assert costs["file"] == str(exported)
    assert costs["sequence_length"] == report["rows"][0]["tokens"]
    names = {row["operator"] for row in costs["operators"]}
    assert {"FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX"} <= names


def test_it_needs_no_tensorflow(exported):
    code = (
        "import sys; from tinybert_tf.cli import app\n"
        f"try: app(['benchmark', {str(exported)!r}, '--repeats', '1', '--by-operator'])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr


def test_bad_files(fails, exported, tmp_path):
    path = tmp_path / "bad.tflite"
    assert "bad.tflite" in fails("benchmark", exported, path)
    path.write_bytes(b"not a model")
    assert "Expected a TFLite file" in fails("benchmark", path)
    path.write_bytes(exported.read_bytes()[:5000])
    assert "bad.tflite" in fails("benchmark", exported, path)
    assert "each named once" in fails("benchmark", exported, exported)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--threads", "0"), ("--threads", "two"), ("--threads", "1,1"), ("--length", "16,")],
)
def test_bad_numbers(fails, exported, option, value):
    line = fails("benchmark", exported, option, value)
    assert f"Expected {option} to hold" in line
    assert repr(value) in line


def test_a_length_that_the_file_has_not(fails, exported):
    assert "Expected a file for 7 tokens" in fails("benchmark", exported, "--length", "7")
