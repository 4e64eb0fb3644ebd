"""What watches over a training stage: TensorBoard, the run's log, an estimate of the time."""

import sys
import time

import keras
import tensorflow as tf

from tinybert_tf.cli.console import clear_line, duration, say
from tinybert_tf.runs import Run

# Steps after which a training time can be foretold: the first ones trace and warm up.
_WARM, _MEASURED = 5, 20


class Estimate(keras.callbacks.Callback):
    """Says how long all epochs will take, as soon as some steps have been timed."""

    def __init__(self):
        super().__init__()
        self._said = False

    def on_train_begin(self, logs=None):
        self._steps_done = 0
        self._epochs_left = None

    def on_epoch_begin(self, epoch, logs=None):
        if self._epochs_left is None:
            self._epochs_left = self.params["epochs"] - epoch

    def on_train_batch_end(self, batch, logs=None):
        self._steps_done += 1
        if self._steps_done == _WARM:
            self._started = time.monotonic()
        if self._steps_done == _WARM + _MEASURED and not self._said:
            step = (time.monotonic() - self._started) / _MEASURED
            steps_left = (self.params["steps"] or 0) * self._epochs_left - self._steps_done
            if steps_left > 0:
                self._said = True
                clear_line()  # Keras draws its bar again below
                say(f"about {duration(step * steps_left)} to go ({1000 * step:.0f} ms a step)")


class Events(keras.callbacks.Callback):
    """Writes TensorBoard events: every metric an epoch, and the loss every ten steps.

    Keras' own callback needs the tensorboard package to write; this one only to be looked at.
    """

    _EVERY = 10

    def __init__(self, folder):
        super().__init__()
        self._folder = str(folder)
        self._writer = None

    def on_epoch_begin(self, epoch, logs=None):
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(self._folder)
            self._metadata = tf.compat.v1.SummaryMetadata()
            self._metadata.plugin_data.plugin_name = "scalars"

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations)
        if step % self._EVERY == 0:
            self._write("batch_loss", (logs or {}).get("loss"), step)

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self._write(f"epoch_{name}", value, epoch)
        self._writer.flush()

    def on_train_end(self, logs=None):
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, tag: str, value, step: int) -> None:
        if value is not None:
            with self._writer.as_default():
                tf.summary.write(tag, tf.constant(value, "float32"), step, self._metadata)


class EpochLog(keras.callbacks.Callback):
    """Writes a line an epoch to the run's log."""

    def __init__(self, run: Run, stage: str):
        super().__init__()
        self._run = run
        self._stage = stage

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        values = " ".join(f"{name}={value:.4f}" for name, value in (logs or {}).items())
        seconds = time.monotonic() - self._started
        self._run.log(f"{self._stage}: epoch {epoch + 1} in {seconds:.0f} s: {values}")


def stage_callbacks(run: Run, stage: str) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of one training stage."""
    return [Events(run.tensorboard / stage), EpochLog(run, stage), Estimate()]


def verbosity() -> int:
    """Keras' bar on a terminal, a line an epoch elsewhere."""
    return 1 if sys.stdout.isatty() else 2
