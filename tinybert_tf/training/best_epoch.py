"""The best weights of a training run by its validation data, kept through a kill."""

import os
from pathlib import Path

import keras

from tinybert_tf.training.checkpoint import load_weights, model_state, save_weights
from tinybert_tf.training.dev_score import DevScore


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch; those before the first epoch compete too.

    Better is a higher score (entity F1 of taggers, answer F1 of spans, else accuracy), and where
    two are equal, or there is none, a lower validation loss. Selection on the validation data
    makes its score optimistic.

    Args:
        validation_data: a dataset, on which the starting weights are evaluated.
        path: path of the .npz file that holds the best weights. Defaults to `None`: in memory.
        dev_score: `DevScore`, called before this one. Defaults to `None`: accuracy counts.

    Attributes:
        epoch: int. The best epoch so far, from 1; 0 are the starting weights.
        score: tuple of floats, larger is better; `None` before the first evaluation.
    """

    def __init__(
        self,
        validation_data,
        path: str | os.PathLike | None = None,
        dev_score: DevScore | None = None,
    ):
        super().__init__()
        self.validation_data = validation_data
        self.path = None if path is None else Path(path)
        self.dev_score = dev_score
        self.epoch = 0
        self.score: tuple[float, ...] | None = None
        self._values: list | None = None

    def start(self, model: keras.Model, fingerprint: str) -> None:
        """Evaluates the starting weights, or takes up what a killed run had found.

        Raises:
            TinyBertError: If the file belongs to another run or is damaged.
        """
        self.set_model(model)
        self.fingerprint = fingerprint
        found = None
        if self.path is not None and self.path.exists():
            found = load_weights(self.path, model, fingerprint, assign=False)
        if found is not None:
            self.epoch, self.score = found["epoch"], tuple(found["score"])
            return
        logs = model.evaluate(self.validation_data, verbose=0, return_dict=True)
        if self.dev_score is not None:
            logs[self.dev_score.name] = self.dev_score.measure()
        self._keep(0, self._score(logs))

    def on_epoch_end(self, epoch, logs=None):
        validation = {
            name.removeprefix("val_"): value
            for name, value in (logs or {}).items()
            if name.startswith("val_")
        }
        score = self._score(validation)
        if score > self.score:
            self._keep(epoch + 1, score)

    def restore(self) -> None:
        """Gives the model the best weights."""
        if self.path is not None:
            load_weights(self.path, self.model, self.fingerprint)
            return
        for variable, value in zip(model_state(self.model), self._values, strict=True):
            variable.assign(value)

    def _keep(self, epoch: int, score: tuple[float, ...]) -> None:
        self.epoch, self.score = epoch, score
        if self.path is None:
            self._values = [variable.numpy() for variable in model_state(self.model)]
        else:
            info = {"fingerprint": self.fingerprint, "epoch": epoch, "score": list(score)}
            save_weights(self.path, self.model, info)

    def _score(self, logs: dict) -> tuple[float, ...]:
        """The score first, then the negative loss: tuples compare in that order."""
        name = "accuracy" if self.dev_score is None else self.dev_score.name
        return float(logs.get(name, 0.0)), -float(logs["loss"])
