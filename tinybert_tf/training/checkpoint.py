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
    arrays = {f"model_{i}": v.numpy() for i, v in enumerate(_state(model))}
    arrays |= {f"optimizer_{i}": v.numpy() for i, v in enumerate(model.optimizer.variables)}
    arrays["progress"] = np.frombuffer(json.dumps(asdict(progress)).encode(), "uint8")
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


def load_checkpoint(
    path: str | os.PathLike, model: keras.Model, fingerprint: str
) -> Progress | None:
    """Restores what `save_checkpoint` wrote; `None` when there is no such file.

    Raises:
        TinyBertError: If the file is damaged or belongs to another run.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        progress = Progress(**json.loads(arrays.pop("progress").tobytes()))
    except Exception as error:
        raise TinyBertError(
            "Expected a complete checkpoint; delete the file to start anew. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    if progress.fingerprint != fingerprint:
        raise TinyBertError(
            "Expected a checkpoint of the same data, model and settings; choose another output "
            f"folder, or delete the file to start anew. Received: {str(path)!r}, made with "
            f"{progress.fingerprint}, now {fingerprint}"
        )
    for name, variables in (("model", _state(model)), ("optimizer", model.optimizer.variables)):
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"{name}_{index}"])
    return progress


def _state(model: keras.Model) -> list:
    """The model's variables, the dropout generators included, without metrics."""
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    return [v for v in model.variables if id(v) not in metrics]
