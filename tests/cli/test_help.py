"""Help answers at once and shows how to use each command."""

import os
import subprocess
import sys

import pytest

from tinybert_tf import __version__

COMMANDS = (
    "general",
    "finetune",
    "distill",
    "quantize",
    "prune-vocabulary",
    "evaluate",
    "report",
    "explain",
    "export",
    "bundle",
    "verify",
    "inspect",
    "benchmark",
    "predict",
    "info",
    "demo",
)


def test_help_takes_less_than_a_second_and_names_the_commands():
    before = os.times()
    command = [sys.executable, "-m", "tinybert_tf", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, cwd="/")
    after = os.times()
    assert (result.returncode, result.stderr) == (0, "")
    assert all(name in result.stdout for name in COMMANDS)
    # The processor's time: other work on the machine does not count.
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 1.0


def test_help_of_a_command_imports_no_tensorflow():
    code = (
        "import sys; from tinybert_tf.cli import app\n"
        "try: app(['distill', '--help'])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(invoke, command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "--debug" in result.stdout
    if command != "demo":
        assert f"tinybert-tf {command}" in result.stdout


def test_no_arguments_show_the_help(invoke):
    assert "finetune" in invoke().output


def test_version(invoke):
    assert invoke("--version").stdout == f"tinybert-tf {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [("explode",), ("finetune",), ("info", "--unknown"), ("finetune", "a.csv", "--epochs", "0")],
)
def test_wrong_usage_ends_with_two_and_no_traceback(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
