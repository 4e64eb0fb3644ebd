"""The learning curves of a run, from its results or, where those hold none, from its log."""

import os
import re
from pathlib import Path

import numpy as np

from tinybert_tf.runs import LOG

# What `EpochLog` writes: "time  stage: epoch 3 in 4 s: loss=0.1 accuracy=0.9".
_LINE = re.compile(r"^\S+ \S+  (?P<stage>[^:]+): epoch (?P<epoch>\d+) in [^:]*: (?P<values>.*)$")

History = dict[str, dict[str, list[float]]]


def read_history(folder: str | os.PathLike, metrics: dict | None = None) -> History:
    """Returns the metrics of every epoch, stage by stage.

    Args:
        folder: path. The run folder.
        metrics: dict. Its results; their history, which is not rounded, goes first. Defaults to
            `None`.

    Returns:
        Dict of stage to dict of metric to values, one an epoch. A run of one stage without a
        name has the stage `"training"`.
    """
    stored = (metrics or {}).get("history") or {}
    if not any(isinstance(value, dict) for value in stored.values()):
        stored = {"training": stored}
    stages = {name: _series(values) for name, values in stored.items() if isinstance(values, dict)}
    stages = {name: values for name, values in stages.items() if values}
    return stages or _from_log(Path(folder) / LOG)


def _series(values: dict) -> dict[str, list[float]]:
    return {
        name: [float(value) for value in row]
        for name, row in values.items()
        if isinstance(row, list) and row and np.ndim(row) == 1
    }


def _from_log(path: Path) -> History:
    """An epoch that was repeated after an interruption counts as it went last."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    epochs: dict[str, dict[int, dict[str, float]]] = {}
    for line in lines:
        found = _LINE.match(line)
        if found:
            pairs = (part.split("=", 1) for part in found["values"].split() if "=" in part)
            values = {name: float(value) for name, value in pairs}
            epochs.setdefault(found["stage"], {})[int(found["epoch"])] = values
    return {stage: _columns(rows) for stage, rows in epochs.items()}


def _columns(rows: dict[int, dict[str, float]]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for values in rows.values() for name in values)
    return {name: [rows[epoch].get(name, float("nan")) for epoch in sorted(rows)] for name in names}
