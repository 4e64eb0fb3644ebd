"""Training in a process of its own that kills itself mid-epoch."""

import os
import subprocess
import sys
import textwrap

# A script says `callbacks=[Killer()]`; without a limit nothing is killed.
_KILLER = """
import os, signal, sys
import keras, numpy as np
from tinybert_tf.training import resumable

class Killer(keras.callbacks.Callback):
    steps = 0
    def on_train_batch_end(self, batch, logs=None):
        Killer.steps += 1
        if Killer.steps == {kill_at}:
            os.kill(os.getpid(), signal.SIGKILL)

resumable.SAVE_EVERY = 0.0  # a save after each step
keras.utils.set_random_seed(1)
"""


def run_killed(script: str, kill_at: int = 0, **values) -> int:
    """Runs a script behind `Killer`; returns its exit status, 0 being demanded without a limit.

    Args:
        script: string. With `values` in braces.
        kill_at: int. The step that ends with SIGKILL. Defaults to `0`: none.
        **values: what the script's braces stand for.
    """
    code = _KILLER.format(kill_at=kill_at) + textwrap.dedent(script).format(**values)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not kill_at:
        assert done.returncode == 0, done.stderr[-3000:]
    return done.returncode
