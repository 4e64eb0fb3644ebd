"""Small charts as SVG, drawn for a width of a phone so that their text stays readable."""

import math
from collections.abc import Sequence

from tinybert_tf.report.markup import Markup, join, significant, tag

WIDTH, HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 18, 10, 34


class Axes:
    """Data coordinates of a chart.

    Args:
        x: pair of floats. The range of the horizontal axis.
        y: pair of floats. The range of the vertical axis.
        log: bool. Whether the vertical axis is logarithmic. Defaults to `False`.
        height: int. Defaults to `HEIGHT`.
    """

    def __init__(self, x: tuple, y: tuple, log: bool = False, height: int = HEIGHT):
        self._x, self._log, self.height = x, log, height
        self._y = tuple(map(math.log10, y)) if log else y

    def x(self, value: float) -> float:
        """Where a value stands from the left, in pixels."""
        low, high = self._x
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Where a value stands from the top, in pixels."""
        low, high = self._y
        value = math.log10(value) if self._log else value
        return self.height - _BOTTOM - (self.height - _TOP - _BOTTOM) * (value - low) / (high - low)

    def frame(self, xticks: dict, yticks: dict, xname: str) -> Markup:
        """Grid, tick labels and the name of the horizontal axis.

        Args:
            xticks: dict of value to text.
            yticks: dict of value to text.
            xname: string.
        """
        base = self.height - _BOTTOM
        parts = []
        for value, text in yticks.items():
            y = self.y(value)
            parts.append(tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
            parts.append(tag("text", text, x=_LEFT - 6, y=y + 4, class_="tick end"))
        for value, text in xticks.items():
            parts.append(tag("text", text, x=self.x(value), y=base + 17, class_="tick middle"))
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        parts.append(tag("text", xname, x=middle, y=base + 31, class_="tick middle"))
        return join(parts)


def svg(*content, height: int = HEIGHT, label: str, width: int = WIDTH) -> Markup:
    """A drawing that fills the width of its place.

    Args:
        *content: as of `tag`.
        height: int. Defaults to `HEIGHT`.
        label: string. What screen readers say.
        width: int. Defaults to `WIDTH`.
    """
    return tag(
        "svg",
        *content,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=label,
        class_="chart",
    )


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that cover a range, about `count` steps of 1, 2 or 5 times a power of 10."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of 10 within a range; of a long one the powers alone."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [k * 10.0**power for power in powers for k in (1, 2, 5)]
    ticks = [tick for tick in every if low <= tick <= high]
    return ticks if len(ticks) <= 7 else [10.0**p for p in powers if low <= 10.0**p <= high]


def _tick_texts(ticks: list[float], log: bool) -> dict[float, str]:
    """Ticks as people write them, with as many places as tell them apart."""
    if log or len(ticks) < 2:
        return {tick: f"{tick:g}" for tick in ticks}
    places = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return {tick: f"{tick:,.{places}f}" for tick in ticks}


def line_chart(series: dict[str, list[float]], label: str, log: bool = False) -> Markup:
    """Curves over the epochs; what begins with `val_` is drawn dashed in its partner's colour.

    Args:
        series: dict of name to values, one an epoch; those that are not finite are left out.
        label: string. What screen readers say.
        log: bool. Whether the axis is logarithmic, if all values are above 0. Defaults to `False`.
    """
    finite = [v for values in series.values() for v in values if math.isfinite(v)]
    if not finite:
        return tag("p", "No finite value.", class_="missing")
    log = log and min(finite) > 0 and max(finite) / min(finite) > 10
    if log:
        low, high = min(finite) / 1.25, max(finite) * 1.25
        ticks = _log_ticks(low, high)
    else:
        ticks = nice_ticks(min(finite), max(finite))
        low, high = ticks[0], ticks[-1]
    epochs = max(map(len, series.values()))
    room = 0.5 if epochs == 1 else 0.04 * epochs
    axes = Axes((1 - room, epochs + room), (low, high), log)
    step = max(1, math.ceil(epochs / 8))
    numbers = {epoch: str(epoch) for epoch in range(1, epochs + 1, step)}
    drawn = [axes.frame(numbers, _tick_texts(ticks, log), "epoch")]
    names = list(dict.fromkeys(name.removeprefix("val_") for name in series))
    for name, values in series.items():
        color = names.index(name.removeprefix("val_")) % 6
        drawn.append(_curve(axes, name, values, color))
    return tag("figure", svg(drawn, label=label), legend(series, names))


def _curve(axes: Axes, name: str, values: list[float], color: int) -> Markup:
    dashed = " dev" if name.startswith("val_") else ""
    points = [(k, axes.x(k), axes.y(v), v) for k, v in enumerate(values, 1) if math.isfinite(v)]
    path = " ".join(f"{x:.1f},{y:.1f}" for _, x, y, _ in points)
    dots = [
        tag(
            "circle",
            cx=x,
            cy=y,
            r=3.5 if len(values) <= 40 else 1.5,
            class_=f"dot c{color}{dashed}",
            data_tip=f"{plain_name(name)}, epoch {epoch}: {value:.4g}",
        )
        for epoch, x, y, value in points
    ]
    return join(tag("polyline", points=path, class_=f"curve c{color}{dashed}"), dots)


def legend(series: dict, names: list[str]) -> Markup:
    """Colours and their names; says what dashes mean."""
    parts = [
        tag("span", tag("i", class_=f"key c{k % 6}"), plain_name(name))
        for k, name in enumerate(names)
    ]
    if any(name.startswith("val_") for name in series):
        parts.append(tag("span", tag("i", class_="key dev"), "dashed: development data"))
    return tag("figcaption", parts, class_="legend")


def plain_name(name: str) -> str:
    """A metric as people call it."""
    dev = ", dev" if name.startswith("val_") else ""
    return name.removeprefix("val_").replace("_", " ") + dev


def column_chart(
    counts: Sequence[float], tips: Sequence[str], xticks: dict, xname: str, label: str
) -> Markup:
    """Columns side by side.

    Args:
        counts: sequence of numbers, the heights.
        tips: sequence of strings, what hovering over each says.
        xticks: dict of column number (0.5 more is its middle) to text.
        xname: string.
        label: string. What screen readers say.
    """
    ticks = [tick for tick in nice_ticks(0, max(counts)) if tick == int(tick)]
    axes = Axes((0, len(counts)), (0, ticks[-1] or 1))
    drawn = [axes.frame(xticks, {tick: significant(tick) for tick in ticks}, xname)]
    gap = 0.08 if len(counts) <= 60 else 0
    for place, (count, tip) in enumerate(zip(counts, tips, strict=True)):
        left, right = axes.x(place + gap), axes.x(place + 1 - gap)
        top = axes.y(count)
        drawn.append(
            tag(
                "rect",
                x=left,
                y=top,
                width=right - left,
                height=axes.y(0) - top,
                class_="column",
                data_tip=tip,
            )
        )
    return svg(drawn, label=label)
