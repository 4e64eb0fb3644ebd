"""Ctrl-C: a status of 130, a word about what was kept, and the same weights in the end."""

import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from tiny_job import TRAINING

# Training and export of many small models.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def interrupted(tables, tiny_hf_folder, tmp_path_factory):
    """A run stopped by SIGINT after an epoch: (arguments, folder, process result)."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    data = [tables / "train.csv", "--dev", tables / "dev.csv", "--teacher", tiny_hf_folder]
    arguments = [str(part) for part in ("finetune", *data, *TRAINING, "--out", folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tinybert_tf", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite started in the background of a shell ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    saved, end = folder / "checkpoints/finetune.npz", time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None and not saved.exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    return arguments, folder, process.returncode, stderr


def weights(folder) -> dict[str, np.ndarray]:
    found = {}
    for name in ("model.weights.h5", "task.weights.h5"):
        with h5py.File(folder / "model" / name) as file:
            file.visititems(
                lambda key, item, name=name: (
                    found.update({f"{name}/{key}": item[()]})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return found


def test_ctrl_c_ends_with_one_line_and_130(interrupted):
    _, folder, status, stderr = interrupted
    assert status == 130, stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("error: interrupted; kept in")
    assert "finetune: " in last
    assert last.endswith("the same command goes on from here")
    assert "Traceback" not in stderr
    assert "I0000" not in stderr
    assert "interrupted; kept in" in (folder / "log.txt").read_text()
    assert not (folder / "model").exists()


def test_the_same_command_goes_on_to_the_same_weights(invoke, interrupted, teacher_run):
    arguments, folder, _, _ = interrupted
    assert (folder / "checkpoints/finetune.npz").is_file()
    assert "not finished; kept in" in invoke("info", folder).stdout.replace("\n", " ")
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    log = (folder / "log.txt").read_text()
    assert "resumed" in log
    assert log.count("epoch 1 in") == 1
    whole, resumed = weights(teacher_run), weights(folder)
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, rtol=0, atol=1e-6, err_msg=name)
