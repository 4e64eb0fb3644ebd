"""Plots as PNG files: confusion, reliability, training history, comparison.

They need matplotlib, the extra "plots". Colors are told apart by color-blind readers.
"""

import math
import os
from collections.abc import Mapping

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.calibration import expected_calibration_error, reliability_bins
from tinybert_tf.evaluate.comparison import Comparison
from tinybert_tf.evaluate.confusion_plot import plot_confusion_matrix
from tinybert_tf.evaluate.figures import (
    BLUE,
    GRAY,
    LIGHT_BLUE,
    LIGHT_GRAY,
    VERMILION,
    figure,
    label_text,
)

__all__ = ["plot_comparison", "plot_confusion_matrix", "plot_history", "plot_reliability"]

# Field of a comparison's rows, heading with unit, factor.
_COMPARED = (
    ("accuracy", "accuracy (%)", 100),
    ("size_mb", "file size (MB)", 1),
    ("latency_ms", "latency (ms)", 1),
)
_DEV_PREFIXES = ("val_", "dev_")


def plot_reliability(
    probabilities,
    labels,
    path: str | os.PathLike,
    bins: int = 15,
    title: str | None = None,
) -> None:
    """Draws how often predictions of each confidence are right.

    Args:
        probabilities: array-like, shape (n, classes).
        labels: array-like. Class indices (n,), or multi-hot (n, classes).
        path: path. The PNG to write.
        bins: int. Number of bins. Defaults to `15`.
        title: string. Defaults to the expected calibration error.

    Raises:
        TinyBertError: If the arrays are malformed, matplotlib is absent or the file cannot be
            written.
    """
    result = reliability_bins(probabilities, labels, bins)
    error = expected_calibration_error(probabilities, labels, bins)
    width = 100 / bins
    filled = result.counts > 0
    centers = [(k + 0.5) * width for k in range(bins)]
    with figure(path, 5.2, 5.8) as fig:
        top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        top.bar(centers, 100 * result.accuracy, width * 0.92, color=LIGHT_BLUE, label="share right")
        top.plot([0, 100], [0, 100], color="black", linestyle="--", label="perfectly calibrated")
        top.plot(
            100 * result.confidence[filled],
            100 * result.accuracy[filled],
            "o",
            color=VERMILION,
            markersize=4,
            label="mean confidence",
        )
        top.set_ylabel("right (%)")
        top.set_ylim(0, 102)
        top.set_title(title or f"Expected calibration error {100 * error:.1f} points")
        bottom.bar(centers, result.counts, width * 0.92, color=LIGHT_GRAY, edgecolor=GRAY)
        bottom.set_ylabel("predictions")
        bottom.set_xlabel("confidence (%)")
        bottom.set_xlim(0, 100)
        fig.legend(loc="outside lower center", ncols=3, fontsize=8)


def plot_history(history: Mapping, path: str | os.PathLike, title: str | None = None) -> None:
    """Draws one panel per loss component and metric over the epochs.

    Args:
        history: mapping. Either metric name -> values per epoch (Keras's `History.history`), or
            stage name -> such a mapping; stages then follow each other on one axis. Names with
            `val_` or `dev_` in front share the panel of the name behind it.
        path: path. The PNG to write.
        title: string. Defaults to none.

    Raises:
        TinyBertError: If there is nothing to draw, matplotlib is absent or the file cannot be
            written.
    """
    stages = _stages(history)
    panels = _panels(stages)
    columns = min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    with figure(path, 4.1 * columns + 0.3, 2.7 * rows + 0.5) as fig:
        grid = fig.subplots(rows, columns, squeeze=False).ravel()
        for axes, name in zip(grid, panels, strict=False):
            _history_panel(axes, name, stages)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        handles = {}
        for axes in grid:
            for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(name, handle)
        names = [name for name in ("train", "dev") if name in handles]
        fig.legend([handles[n] for n in names], names, loc="outside lower center", ncols=2)
        if title:
            fig.suptitle(title, x=0.01, ha="left")


def plot_comparison(comparison: Comparison, path: str | os.PathLike) -> None:
    """Draws accuracy, file size and latency of every row side by side; the first row is marked.

    Raises:
        TinyBertError: If there are no rows, matplotlib is absent or the file cannot be written.
    """
    rows = comparison.to_dict()["rows"]
    known = [c for c in _COMPARED if any(row[c[0]] is not None for row in rows)]
    places = range(len(rows))
    colors = [VERMILION, *[BLUE] * (len(rows) - 1)]
    with figure(path, 2.2 + 3.0 * len(known), 0.36 * len(rows) + 1.1) as fig:
        grid = fig.subplots(1, len(known), sharey=True, squeeze=False)[0]
        for axes, (key, heading, factor) in zip(grid, known, strict=True):
            values = [factor * (row[key] or 0) for row in rows]
            if key == "accuracy":
                axes.axvline(values[0], color=GRAY, linestyle="--", linewidth=1, zorder=0)
                axes.scatter(values, places, s=60, c=colors)
                axes.margins(x=0.3)
                for place, value in zip(places, values, strict=True):
                    worse = value < values[0]
                    axes.annotate(
                        f"{value:.1f}",
                        (value, place),
                        (-7 if worse else 7, 0),
                        textcoords="offset points",
                        ha="right" if worse else "left",
                        va="center",
                        fontsize=8,
                    )
            else:
                bars = axes.barh(places, values, color=colors, height=0.6)
                notes = [f"{value:.3g}" if value else "" for value in values]
                axes.bar_label(bars, notes, padding=3, fontsize=8)
                axes.margins(x=0.18)
            axes.set_title(heading)
            axes.grid(False, axis="y")
            axes.tick_params(axis="y", length=0)
        grid[0].set_yticks(places, [label_text(row["name"], 40) for row in rows])
        grid[0].set_ylim(len(rows) - 0.5, -0.5)
        if comparison.title:
            fig.suptitle(comparison.title, x=0.01, ha="left")


def _stages(history: Mapping) -> dict[str, dict[str, list[float]]]:
    """History as stage -> metric -> values; a flat one is a single stage without a name."""
    if any(isinstance(value, Mapping) for value in history.values()):
        nested = {name: value for name, value in history.items() if isinstance(value, Mapping)}
    else:
        nested = {"": history}
    stages = {}
    for stage, metrics in nested.items():
        series = {
            name: [float(value) for value in values]
            for name, values in metrics.items()
            if np.ndim(values) == 1 and len(values)
        }
        if series:
            stages[stage] = series
    if not stages:
        raise TinyBertError(
            f"Expected a history with at least one metric over at least one epoch. "
            f"Received: history={dict(history)!r}"
        )
    return stages


def _base_name(name: str) -> str:
    return next((name[len(p) :] for p in _DEV_PREFIXES if name.startswith(p)), name)


def _panels(stages: dict) -> list[str]:
    """Panel names: the total loss, its components, then the metrics."""
    names = dict.fromkeys(_base_name(name) for metrics in stages.values() for name in metrics)
    return sorted(names, key=lambda name: (name != "loss", "loss" not in name))


def _history_panel(axes, panel: str, stages: dict) -> None:
    """Draws one metric through all stages."""
    offset, drawn, longest = 0, [], 0
    for stage, metrics in stages.items():
        epochs = max(map(len, metrics.values()))
        for name, values in metrics.items():
            if _base_name(name) == panel:
                dev = name != panel
                axes.plot(
                    range(offset + 1, offset + len(values) + 1),
                    values,
                    marker="s" if dev else "o",
                    markersize=3.5 if epochs <= 40 else 0,
                    linestyle="--" if dev else "-",
                    color=VERMILION if dev else BLUE,
                    label="dev" if dev else "train",
                )
                drawn += values
        if stage:
            axes.annotate(
                label_text(stage, 16),
                (offset + 0.55, 1),
                (2, -2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                fontsize=7,
                color=GRAY,
            )
            if offset:
                axes.axvline(offset + 0.5, color=GRAY, linestyle=":", linewidth=1)
        offset += epochs
        longest = offset
    finite = [value for value in drawn if math.isfinite(value)]
    if "loss" in panel and finite and min(finite) > 0 and max(finite) / min(finite) > 10:
        axes.set_yscale("log")
    axes.set_xlim(0.5, longest + 0.5)
    axes.margins(y=0.15)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_xlabel("epoch")
    axes.set_title(panel.replace("_", " "))
