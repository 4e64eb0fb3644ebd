"""The confusion matrix, readable with two classes and with 150."""

from dataclasses import dataclass

import numpy as np

from tinybert_tf.report.charts import svg
from tinybert_tf.report.markup import Markup, bar, join, percent, shortened, table, tag

# Up to so many classes cells show their counts; up to so many the axes show names.
_COUNTED, _NAMED = 30, 50
_LETTER = 6.4


@dataclass(frozen=True)
class _Grid:
    """Where the cells stand, in pixels."""

    count: int
    cell: int
    left: float
    top: float
    upright: bool  # whether the names on top are not turned

    @classmethod
    def of(cls, names: list[str]) -> "_Grid":
        count = len(names)
        sizes = ((3, 84), (10, 44), (_NAMED, 24))
        cell = next((size for most, size in sizes if count <= most), max(4, 800 // count))
        if count > _NAMED:
            return cls(count, cell, 24, 24, True)
        longest = _LETTER * max(len(shortened(name, 20)) for name in names)
        upright = longest < cell
        return cls(count, cell, 28 + longest, 42 if upright else 28 + longest, upright)

    @property
    def side(self) -> int:
        return self.cell * self.count

    def x(self, column: float) -> float:
        return self.left + self.cell * column

    def y(self, row: float) -> float:
        return self.top + self.cell * row


def confusion_matrix(confusion: np.ndarray, names: list[str]) -> Markup:
    """Draws truth (rows) against prediction (columns); empty cells are not drawn.

    The strength of a colour is the share of the row's examples; what is right is blue, what is
    wrong is red, and hovering names a cell.

    Args:
        confusion: int array `(classes, classes)`, rows the truth.
        names: list of strings, the classes.
    """
    grid = _Grid.of(names)
    drawn = [_frame(grid)]
    if grid.count <= _NAMED:
        drawn.append(_names(names, grid))
    support = confusion.sum(axis=1)
    for row, column in zip(*np.nonzero(confusion), strict=True):
        number = int(confusion[row, column])
        share = float(number / support[row])
        tip = f"{names[row]} → {names[column]}: {number} of these texts ({percent(share)})"
        drawn.append(_cell(grid, row, column, number, share, tip))
    width, height = round(grid.x(grid.count) + 4), round(grid.y(grid.count) + 4)
    label = "confusion matrix; the tables name the most frequent mistakes"
    picture = svg(drawn, width=width, height=height, label=label)
    style = f"min-width:{min(width, 620)}px;max-width:{width}px"
    box = tag("div", picture, class_="matrix", style=style)
    return tag("div", box, class_="scroll", tabindex="0")


def _frame(grid: _Grid) -> Markup:
    """Frame, grid lines, and the names of the axes."""
    right, bottom = grid.x(grid.count), grid.y(grid.count)
    parts = [
        tag("rect", x=grid.left, y=grid.top, width=grid.side, height=grid.side, class_="frame")
    ]
    for place in range(0, grid.count, 1 if grid.count <= _NAMED else 10):
        x, y = grid.x(place), grid.y(place)
        parts.append(tag("line", x1=x, x2=x, y1=grid.top, y2=bottom, class_="grid"))
        parts.append(tag("line", x1=grid.left, x2=right, y1=y, y2=y, class_="grid"))
    x, y = grid.x(grid.count / 2), grid.y(grid.count / 2)
    turn = f"rotate(-90 12 {y:.0f})"
    parts.append(tag("text", "predicted", x=x, y=14, class_="axis middle"))
    parts.append(tag("text", "truth", x=12, y=y, class_="axis middle", transform=turn))
    return join(parts)


def _names(names: list[str], grid: _Grid) -> Markup:
    parts = []
    for place, name in enumerate(names):
        text, y, x = shortened(name, 20), grid.y(place + 0.5) + 4, grid.x(place + 0.5)
        parts.append(tag("text", text, x=grid.left - 6, y=y, class_="tick end"))
        above = grid.top - 6
        if grid.upright:
            parts.append(tag("text", text, x=x, y=above, class_="tick middle"))
        else:
            turn = f"rotate(-90 {x + 4:.0f} {above:.0f})"
            parts.append(tag("text", text, x=x + 4, y=above, class_="tick", transform=turn))
    return join(parts)


def _cell(grid: _Grid, row: int, column: int, number: int, share: float, tip: str) -> Markup:
    # A single mistake stays visible where cells are small.
    strength = 0.12 + 0.88 * share if grid.cell > 12 else 0.7 + 0.3 * share
    box = {"x": grid.x(column) + 0.5, "y": grid.y(row) + 0.5}
    box |= {"width": grid.cell - 1, "height": grid.cell - 1, "fill_opacity": strength}
    drawn = [tag("rect", **box, class_="right" if row == column else "wrong", data_tip=tip)]
    if grid.count <= _COUNTED:
        style = "count strong" if strength > 0.55 else "count"
        x, y = grid.x(column + 0.5), grid.y(row + 0.5) + 4
        drawn.append(tag("text", str(number), x=x, y=y, class_=style))
    return join(drawn)


def confusion_lists(scores, limit: int = 8) -> Markup:
    """The most frequent mistakes and the classes with the lowest F1, as tables.

    Args:
        scores: `ClassificationReport`.
        limit: int. Rows of each. Defaults to `8`.
    """
    parts = []
    pairs = [] if scores.multi_label else scores.most_confused(limit)
    if pairs:
        rows = [
            [
                pair.label,
                pair.predicted,
                str(pair.count),
                bar(pair.share, percent(pair.share), "bad"),
            ]
            for pair in pairs
        ]
        heads = ["truth", "predicted", "texts", "share"]
        parts.append(tag("div", tag("h3", "Most frequent mistakes"), table(heads, rows, (2,))))
    rows = [
        [
            found.label,
            bar(found.f1, f"{found.f1:.3f}"),
            f"{found.precision:.3f}",
            f"{found.recall:.3f}",
            str(found.support),
        ]
        for found in scores.weakest_classes(limit)
    ]
    heads = ["class", "F1", "precision", "recall", "texts"]
    title = "Classes" if len(scores.label_names) <= limit else "Weakest classes"
    parts.append(tag("div", tag("h3", title), table(heads, rows, (2, 3, 4))))
    return tag("div", parts, class_="pair")
