"""Everything a training run needs to go on exactly where it stopped, in one file."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from tinybert_tf.atomic import atomic_path
from tinybert_tf.errors import TinyBertError


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: int. Epochs completed.
        step: int. Steps completed of the next epoch.
        history: dict of metric name to one value a completed epoch.
        fingerprint: string. Describes data and recipe; a checkpoint of another is refused.
    """

    epoch: int = 0
    step: int = 0
    history: dict = field(default_factory=dict)
    fingerprint: str = ""


def save_checkpoint(path: str | os.PathLike, model: keras.Model, progress: Progress) -> None:
    """Writes weights, dropout generators, optimizer state and progress to one .npz, atomically.

    Args:
        path: path of the file.
        model: a compiled model whose optimizer is built.
        progress: `Progress`.
    """
    groups = {"model": model_state(model), "optimizer": model.optimizer.variables}
    _write(path, groups, asdict(progress))


def load_checkpoint(
    path: str | os.PathLike, model: keras.Model, fingerprint: str
) -> Progress | None:
    """Restores what `save_checkpoint` wrote; `None` when there is no such file.

    Raises:
        TinyBertError: If the file is damaged or belongs to another run.
    """
    if not Path(path).exists():
        return None
    groups = {"model": model_state(model), "optimizer": model.optimizer.variables}
    return Progress(**_read(path, groups, fingerprint))


def save_weights(path: str | os.PathLike, model: keras.Model, info: dict) -> None:
    """Writes weights and dropout generators to one .npz, atomically.

    Args:
        path: path of the file.
        model: keras.Model.
        info: dict that JSON can hold, with the run's fingerprint.
    """
    _write(path, {"model": model_state(model)}, info)


def load_weights(
    path: str | os.PathLike, model: keras.Model, fingerprint: str, assign: bool = True
) -> dict:
    """Restores what `save_weights` wrote, or only returns its info.

    Raises:
        TinyBertError: If the file is damaged or belongs to another run.
    """
    return _read(path, {"model": model_state(model)} if assign else {}, fingerprint)


def model_state(model: keras.Model) -> list:
    """The model's variables, the dropout generators included, without metrics."""
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    return [v for v in model.variables if id(v) not in metrics]


def _write(path, groups: dict[str, list], info: dict) -> None:
    arrays = {
        f"{name}_{index}": variable.numpy()
        for name, variables in groups.items()
        for index, variable in enumerate(variables)
    }
    arrays["progress"] = np.frombuffer(json.dumps(info).encode(), "uint8")
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


def _read(path, groups: dict[str, list], fingerprint: str) -> dict:
    """Assigns the variables of each group; returns the info."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            info = json.loads(stored["progress"].tobytes())
            found = info["fingerprint"]
            arrays = (
                {
                    f"{name}_{index}": stored[f"{name}_{index}"]
                    for name, variables in groups.items()
                    for index in range(len(variables))
                }
                if found == fingerprint
                else {}
            )
    except Exception as error:
        raise TinyBertError(
            "Expected a complete checkpoint; delete the file to start anew. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    if found != fingerprint:
        raise TinyBertError(
            "Expected a checkpoint of the same data, model and settings; choose another output "
            f"folder, or delete the file to start anew. Received: {str(path)!r}, made with "
            f"{found}, now {fingerprint}"
        )
    for name, variables in groups.items():
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"{name}_{index}"])
    return info
