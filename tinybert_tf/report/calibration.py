"""How far probabilities can be trusted: the reliability diagram."""

import numpy as np

from tinybert_tf.evaluate.calibration import expected_calibration_error, reliability_bins
from tinybert_tf.report.charts import Axes, column_chart, svg
from tinybert_tf.report.markup import Markup, percent, tag

BINS = 15


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> tuple[Markup, float]:
    """Draws confidence against accuracy and returns the expected calibration error with it.

    Predictions fall into M = 15 bins of equal width by their confidence, and
    `ECE = sum over bins of |B_m| / n * |acc(B_m) - conf(B_m)|`: the mean distance of the columns
    from the diagonal, weighted by the predictions in each (Guo et al. 2017, "On Calibration of
    Modern Neural Networks", equation (3)).

    Args:
        probabilities: float array `(n, classes)`.
        labels: int array `(n,)`, or multi-hot `(n, classes)`.
    """
    bins = reliability_bins(probabilities, labels, BINS)
    error = expected_calibration_error(probabilities, labels, BINS)
    quarters = {k / 4: f"{25 * k} %" for k in range(5)}
    axes = Axes((0, 1), (0, 1), height=260)
    drawn = [axes.frame(quarters, quarters, "confidence (probability of the answer)")]
    for place, (count, confidence, right) in enumerate(zip(*bins, strict=True)):
        if count:
            drawn += _column(axes, place, int(count), float(confidence), float(right))
    ends = {"x1": axes.x(0), "x2": axes.x(1), "y1": axes.y(0), "y2": axes.y(1)}
    drawn.append(tag("line", **ends, class_="diagonal"))
    label = f"reliability diagram, expected calibration error {percent(error)}"
    figure = tag(
        "figure",
        svg(drawn, height=260, label=label),
        tag(
            "figcaption",
            tag("span", tag("i", class_="key right"), "right"),
            tag("span", tag("i", class_="key over"), "too sure: right less often"),
            tag("span", tag("i", class_="key under"), "too cautious: right more often"),
            tag("span", tag("i", class_="key dev"), "perfectly calibrated"),
            class_="legend",
        ),
    )
    tips = [
        f"{count:,} answers with a confidence of {percent(k / BINS)} to {percent((k + 1) / BINS)}"
        for k, count in enumerate(bins.counts)
    ]
    xticks = {BINS * k / 4: f"{25 * k} %" for k in range(5)}
    counts = column_chart(bins.counts.tolist(), tips, xticks, "confidence", "answers by confidence")
    caption = tag("figcaption", "answers in each bin", class_="legend")
    return tag("div", figure, tag("figure", counts, caption), class_="pair"), error


def _column(axes: Axes, place: int, count: int, confidence: float, right: float) -> list[Markup]:
    """The share that is right in a bin, and how far its mean confidence is from it."""
    left = axes.x((place + 0.06) / BINS)
    width = axes.x((place + 0.94) / BINS) - left
    tip = f"{count:,} answers: confidence {percent(confidence)}, right {percent(right)}"
    low, high = sorted((confidence, right))
    base, bottom, top = axes.y(0), axes.y(low), axes.y(high)
    kind = "over" if confidence > right else "under"
    shared = {"x": left, "width": width, "data_tip": tip}
    return [
        tag("rect", y=bottom, height=base - bottom, class_="bin", **shared),
        tag("rect", y=top, height=bottom - top, class_=f"gap {kind}", **shared),
    ]
