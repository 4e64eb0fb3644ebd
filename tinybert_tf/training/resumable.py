"""`fit` that goes on where a killed run stopped, with the same result."""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.resumable_batches import ResumableBatches
from tinybert_tf.training.best_epoch import BestEpoch
from tinybert_tf.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tinybert_tf.training.dev_score import DevScore

# Seconds between two saves within an epoch.
SAVE_EVERY = 60.0


class _Saver(keras.callbacks.Callback):
    """Saves the run every so many seconds, and at the end of each epoch."""

    def __init__(self, path: Path, progress: Progress, every: float, steps: int):
        super().__init__()
        self.path = path
        self.progress = progress
        self.steps = steps
        self.every = every
        self.saved_at = time.monotonic()

    def save(self):
        save_checkpoint(self.path, self.model, self.progress)
        self.saved_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step += 1
        if self.progress.step == self.steps:
            return  # the epoch's end saves, with its metrics
        if time.monotonic() - self.saved_at >= self.every:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        self.progress.epoch += 1
        self.progress.step = 0
        for name, value in (logs or {}).items():
            self.progress.history.setdefault(name, []).append(float(value))
        self.save()


class _Recorder(_Saver):
    """Keeps the progress only: for runs without a checkpoint file."""

    def save(self):
        self.saved_at = time.monotonic()


def fit_resumable(
    model: keras.Model,
    batches: ResumableBatches,
    epochs: int,
    checkpoint: str | os.PathLike | None = None,
    save_every: float | None = None,
    validation_data=None,
    callbacks: list | None = None,
    class_weight: dict | None = None,
    settings: dict | None = None,
    keep_best: bool = False,
    dev_score: DevScore | None = None,
    verbose: int | str = "auto",
) -> dict[str, list[float]]:
    """Runs `model.fit` over bucketed batches, saving as it goes.

    The order of the batches depends on seed and epoch only, and the checkpoint holds optimizer
    and dropout generators, so a run that was killed at any step ends with the weights of one
    that was not.

    Args:
        model: a compiled Keras model.
        batches: `ResumableBatches`, such as `LengthBucketedBatches`.
        epochs: int. Passes over the data in all.
        checkpoint: path of the .npz file. Defaults to `None`: nothing is saved.
        save_every: float. Seconds between two saves within an epoch. Defaults to `None`: 60.
        validation_data: a dataset, evaluated after each epoch. Defaults to `None`.
        callbacks: list of Keras callbacks. Defaults to `None`.
        class_weight: dict of class number to weight. Defaults to `None`.
        settings: dict. What else must agree for a checkpoint to be used. Defaults to `None`.
        keep_best: bool. Whether the model ends with the weights of its best epoch by the
            validation data, the starting weights included; see `BestEpoch`. Defaults to `False`.
        dev_score: `DevScore`. What `keep_best` goes by. Defaults to `None`: accuracy.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Metric name to one value an epoch, resumed epochs included. With `keep_best`,
        `"best_epoch"` is one number: the epoch, from 1, or 0 for the starting weights.

    Raises:
        TinyBertError: If the checkpoint belongs to another run or is damaged, or there is no
            validation data to keep the best epoch by.
    """
    if keep_best and validation_data is None:
        raise TinyBertError(
            "Expected validation data to choose the best epoch by. "
            "Received: keep_best=True, validation_data=None"
        )
    settings = dict(settings or {})
    if keep_best:
        settings["keep_best"] = True if dev_score is None else dev_score.name
    if class_weight is not None:
        settings["class_weight"] = {str(name): float(w) for name, w in class_weight.items()}
    fingerprint = _fingerprint(model, batches, epochs, settings)
    progress = Progress(fingerprint=fingerprint)
    model.optimizer.build(trained_variables(model))
    if checkpoint is not None:
        progress = load_checkpoint(checkpoint, model, fingerprint) or progress
    path = Path(checkpoint) if checkpoint is not None else Path()
    save_every = SAVE_EVERY if save_every is None else save_every
    saver = (_Saver if checkpoint is not None else _Recorder)(
        path, progress, save_every, len(batches)
    )
    best = []
    if keep_best:
        kept_path = None if checkpoint is None else path.with_suffix(".best.npz")
        best_epoch = BestEpoch(validation_data, kept_path, dev_score)
        best_epoch.start(model, fingerprint)
        best = [best_epoch] if dev_score is None else [dev_score, best_epoch]
    common = {
        "validation_data": validation_data,
        # The best weights are kept before the epoch is recorded as done.
        "callbacks": [*(callbacks or []), *best, saver],
        "class_weight": class_weight,
        "shuffle": False,
        "verbose": verbose,
    }
    if progress.step:  # the rest of the epoch that was interrupted
        model.fit(
            batches.dataset(progress.epoch, progress.step),
            initial_epoch=progress.epoch,
            epochs=progress.epoch + 1,
            **common,
        )
    if progress.epoch < epochs:
        model.fit(
            batches.stream(progress.epoch),
            steps_per_epoch=len(batches),
            initial_epoch=progress.epoch,
            epochs=epochs,
            **common,
        )
    if keep_best:
        best_epoch.restore()
        progress.history["best_epoch"] = best_epoch.epoch
    return progress.history


def trained_variables(model: keras.Model) -> list:
    """The variables that the model's training step updates."""
    reached = getattr(model, "reached_variables", None)
    return model.trainable_variables if reached is None else reached


def seed_dropout(model: keras.Model, seed: int) -> None:
    """Sets every dropout generator of a model from one seed, whatever built it."""
    generators = [
        layer.seed_generator
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0
    ]
    for index, generator in enumerate(generators):
        generator.state.assign(np.array([seed, index], generator.state.dtype))


def _fingerprint(model, batches, epochs: int, settings: dict) -> str:
    described = {
        "weights": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "steps": len(batches),
        "batch_size": batches.batch_size,
        "seed": batches.seed,
        "epochs": epochs,
        "data": batches.checksum(),
        **settings,
    }
    return json.dumps(described, sort_keys=True, default=str)
