"""Confusion matrices that stay readable from 2 to a few hundred classes."""

import os

import numpy as np

from tinybert_tf.evaluate.figures import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    VERMILION,
    figure,
    label_text,
)
from tinybert_tf.evaluate.report import ClassificationReport

# Up to here every class gets its name at the axes and every cell its number.
_NAMED_CLASSES = 40
_LISTED = 20


def plot_confusion_matrix(
    report: ClassificationReport, path: str | os.PathLike, title: str | None = None
) -> None:
    """Draws where predictions go wrong, as PNG.

    Up to 40 classes: a matrix with names and counts; hits are blue, mistakes orange, the depth of
    a color is the share of the true class. Above: the matrix without names, beside it the most
    confused pairs and the classes found least often. Multi-label reports: hits, misses and false
    alarms of every label (of the 40 with the most errors).

    Args:
        report: `ClassificationReport`.
        path: path. The PNG to write.
        title: string. Defaults to the accuracy and the number of examples.

    Raises:
        TinyBertError: If matplotlib is absent or the file cannot be written.
    """
    if title is None:
        what = "All labels right" if report.multi_label else "Accuracy"
        title = f"{what}: {100 * report.accuracy:.1f} % of {report.num_examples:,} examples"
    if report.multi_label:
        _multi_label(report, path, title)
    elif len(report.label_names) <= _NAMED_CLASSES:
        _named_matrix(report, path, title)
    else:
        _matrix_with_lists(report, path, title)


def _named_matrix(report: ClassificationReport, path, title: str) -> None:
    classes = len(report.label_names)
    names = [label_text(name) for name in report.label_names]
    upright = classes <= 4 and max(map(len, names)) <= 14
    cell = 0.95 if classes <= 4 else 0.58 if classes <= 10 else 0.36
    side = max(cell * classes, 2.8)
    margin = 0.075 * max(map(len, names)) + 0.4
    with figure(path, side + margin + 1.0, side + (0.45 if upright else margin) + 0.4) as fig:
        axes = fig.subplots()
        shares = _draw_cells(axes, report.confusion, bar=0.15 / side)
        size = 11 if classes <= 4 else 9 if classes <= 10 else 7
        for (row, column), count in np.ndenumerate(report.confusion):
            if count:
                text = f"{count:,}"
                if classes <= 10:
                    text += f"\n{100 * shares[row, column]:.1f} %"
                color = "white" if row == column and shares[row, column] > 0.5 else "black"
                style = {"ha": "center", "va": "center", "fontsize": size, "color": color}
                axes.text(column, row, text, in_layout=False, **style)
        axes.set_xticks(range(classes), names, rotation=0 if upright else 90)
        axes.set_yticks(range(classes), names)
        axes.set_title(title)


def _matrix_with_lists(report: ClassificationReport, path, title: str) -> None:
    with figure(path, 15.5, 8.0) as fig:
        left, right = fig.subfigures(1, 2, width_ratios=(8.6, 6.9))
        axes = left.subplots()
        _draw_cells(axes, report.confusion, bar=0.02, power=0.45)
        step = next(s for s in (10, 20, 50, 100, 500) if len(report.label_names) / s <= 16)
        ticks = range(0, len(report.label_names), step)
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        axes.set_xlabel("predicted class (position among the labels, from 0)")
        axes.set_ylabel("true class (position among the labels, from 0)")
        axes.set_title(title)
        top, bottom = right.subplots(2, 1)
        _most_confused(report, top)
        _least_recalled(report, bottom)


def _draw_cells(axes, confusion: np.ndarray, bar: float, power: float = 1.0) -> np.ndarray:
    """Colors the cells by their share of the true class and returns the shares.

    `bar` is the width of a color scale as a share of the matrix; a `power` below 1 makes small
    shares stand out.
    """
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    support = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.maximum(support, 1)
    diagonal = np.eye(len(shares), dtype=bool)
    layers = (
        ("right", ~diagonal | (support == 0), ("#E8F1F8", BLUE)),
        ("wrong", diagonal | (shares == 0), ("#FDEBCF", ORANGE, VERMILION)),
    )
    axes.grid(False)
    for position, (name, hidden, colors) in enumerate(layers):
        palette = LinearSegmentedColormap.from_list(name, colors)
        cells = np.ma.array(100 * shares, mask=hidden)
        image = axes.imshow(cells, cmap=palette, norm=PowerNorm(power, 0, 100), aspect="equal")
        scale = axes.inset_axes((1.02 + 1.1 * bar * position, 0, bar, 1))
        color_bar = axes.figure.colorbar(image, cax=scale)
        color_bar.outline.set_visible(False)
        color_bar.ax.tick_params(
            labelsize=7, length=2, labelright=position == 1, right=position == 1
        )
    color_bar.set_label("share of the true class (%): blue right, orange wrong", fontsize=8)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return shares


def _most_confused(report: ClassificationReport, axes) -> None:
    pairs = report.most_confused(_LISTED)
    names = [f"{label_text(p.label)} → {label_text(p.predicted)}" for p in pairs]
    notes = [f"{p.count:,} ({100 * p.share:.0f} %)" for p in pairs]
    _bars(axes, names, [p.count for p in pairs], notes, ORANGE)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_title("Most confused, true → predicted: examples (share of the class)", loc="right")


def _least_recalled(report: ClassificationReport, axes) -> None:
    present = [result for result in report.per_class if result.support]
    weakest = sorted(present, key=lambda result: result.recall)[:_LISTED]
    names = [label_text(result.label) for result in weakest]
    values = [100 * result.recall for result in weakest]
    notes = [
        f"{value:.0f} % of {result.support:,}"
        for value, result in zip(values, weakest, strict=True)
    ]
    _bars(axes, names, values, notes, BLUE)
    axes.set_xlim(0, 118)
    axes.set_title("Found least often: recall (% of the class's examples)", loc="right")


def _bars(axes, names: list[str], values: list[float], notes: list[str], color: str) -> None:
    """Horizontal bars with a note at the end of each."""
    if not names:
        axes.text(0.5, 0.5, "none", ha="center", va="center", color=GRAY)
        axes.set_axis_off()
        return
    bars = axes.barh(range(len(names)), values, color=color, height=0.72)
    axes.bar_label(bars, notes, padding=3, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7.5)
    axes.invert_yaxis()
    axes.margins(x=0.16, y=0.01)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def _multi_label(report: ClassificationReport, path, title: str) -> None:
    counts = report.confusion
    errors = counts[:, 0, 1] + counts[:, 1, 0]
    shown = np.sort(np.argsort(-errors, kind="stable")[:_NAMED_CLASSES])
    names = [label_text(report.label_names[index]) for index in shown]
    with figure(path, 9, 0.24 * len(shown) + 1.6) as fig:
        axes = fig.subplots()
        start = np.zeros(len(shown))
        parts = (
            ("found", counts[shown, 1, 1], BLUE),
            ("missed", counts[shown, 1, 0], ORANGE),
            ("false alarm", counts[shown, 0, 1], GREEN),
        )
        for name, values, color in parts:
            axes.barh(range(len(shown)), values, left=start, color=color, label=name, height=0.74)
            start += values
        axes.set_yticks(range(len(shown)), names, fontsize=8)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("examples")
        left_out = len(report.label_names) - len(shown)
        more = f"; {left_out} labels with fewer errors not shown" if left_out else ""
        axes.set_title(f"{title}{more}")
        fig.legend(loc="outside lower right", ncols=3)
