"""The parts of the page, from top to bottom."""

import json
import math
from collections import Counter

import numpy as np

from tinybert_tf.evaluate.checks import encode_labels
from tinybert_tf.report.attention_view import attention_view, caption
from tinybert_tf.report.calibration import reliability
from tinybert_tf.report.charts import column_chart, line_chart
from tinybert_tf.report.confusion import confusion_lists, confusion_matrix
from tinybert_tf.report.contents import Contents, LabelledTexts
from tinybert_tf.report.errors import error_table, worst_errors
from tinybert_tf.report.markup import (
    Markup,
    bar,
    join,
    missing,
    percent,
    section,
    significant,
    table,
    tag,
)

DATA_OPTION = "--data dev.csv"
_ONLY_CLASSES = "This applies to text classification; the run's task is another."
# Bars of the class balance; more classes than these become one chart.
_BARS = 12
# Kinds whose models have a decoder.
_WRITERS = ("translation", "summarization")
# Fields of `ModelFigures`: their headings, and how their values are written.
_WRITTEN = {
    "parameters": ("parameters", lambda n: f"{n / 1e6:.1f} M" if n >= 1e5 else f"{n:,}"),
    "size_bytes": ("size", lambda n: f"{n / 1e6:.2f} MB"),
    "latency_ms": ("latency", lambda ms: f"{ms:.2f} ms"),
}


def models_section(contents: Contents) -> Markup:
    """Score, size and latency of every stage and file."""
    models = contents.models
    names = list(dict.fromkeys(name for model in models for name in model.scores))
    names.sort(key=lambda name: name != "dev")
    largest = {field: max(getattr(model, field) or 0 for model in models) for field in _WRITTEN}
    shown = [field for field, value in largest.items() if value]
    scale = 100 if contents.kind == "translation" else 1
    rows = []
    for model in models:
        form = model.form
        if model.size_bytes:
            form += ", measured now" if model.measured else ", recorded"
        row: list = [join(tag("strong", model.name), tag("small", form))]
        for name in names:
            score = model.scores.get(name)
            row.append("" if score is None else bar(score / scale, _score(score, scale), "good"))
        for field in shown:
            value, write = getattr(model, field), _WRITTEN[field][1]
            row.append("" if value is None else bar(value / largest[field], write(value)))
        rows.append(row)
    heads = ["model", *(f"{contents.score_name}, {name}" for name in names)]
    parts = [table([*heads, *(_WRITTEN[field][0] for field in shown)], rows)]
    if "latency_ms" not in shown and contents.kind not in _WRITERS:
        parts.append(missing("No exported file was measured.", "--file model.tflite"))
    lead = "Every stage of the run and every exported file. Latency is the median of one call with "
    return section("models", "Models and files", f"{lead}2 threads on this machine.", parts)


def _score(score: float, scale: int) -> str:
    return f"{score:.1f}" if scale == 100 else percent(score)


def curves_section(contents: Contents) -> Markup:
    """Loss terms and metrics of every stage."""
    if not contents.history:
        return section("curves", "Learning curves", "", missing("The run recorded no epochs."))
    parts = []
    for stage, metrics in contents.history.items():
        losses = {name: row for name, row in metrics.items() if name.endswith("loss")}
        others = {
            name: row
            for name, row in metrics.items()
            if name not in losses and not name.endswith("best_epoch")
        }
        for name in ("", "val_"):  # one term alone is the total
            terms = [key for key in losses if key.startswith("val_") == bool(name)]
            if len(terms) == 2 and f"{name}loss" in terms:
                (term,) = set(terms) - {f"{name}loss"}
                if np.allclose(losses[term], losses[f"{name}loss"], equal_nan=True):
                    del losses[f"{name}loss"]
        charts = [line_chart(losses, f"losses of stage {stage}", log=True)] if losses else []
        if others:
            charts.append(line_chart(others, f"metrics of stage {stage}"))
        parts.append(
            tag("div", tag("h3", stage), tag("div", charts, class_="pair"), class_="stage")
        )
    lead = "Every loss term and metric after each epoch, stage by stage."
    return section("curves", "Learning curves", lead, parts)


def data_section(contents: Contents) -> Markup:
    """Rows, lengths and class balance."""
    recorded = _recorded_rows(contents)
    data = contents.data
    if data is None:
        gone = missing("No labelled texts were given.", DATA_OPTION)
        return section("data", "Data", recorded, gone)
    lengths = np.array(data.lengths)
    cut = int((lengths > data.max_length).sum())
    facts = (
        f"{len(data.texts):,} rows in {data.source}; "
        f"{int(np.median(lengths))} tokens in the median, {lengths.max()} at most"
        + (f"; {cut:,} are cut to {data.max_length} tokens." if cut else "; none is cut.")
    )
    charts = [_length_chart(lengths)]
    if data.class_names:
        charts.append(_balance(data))
    body = tag("div", charts, class_="pair")
    return section("data", "Data", join(facts, " ", recorded), body)


def _recorded_rows(contents: Contents) -> str:
    arguments = contents.config["arguments"]
    if "train_rows" in arguments:
        return (
            f"The run trained on {arguments['train_rows']:,} rows and watched "
            f"{arguments.get('dev_rows', 0):,}."
        )
    if "per_intent" in arguments:
        return f"The run trained on {arguments['per_intent']:,} embedded sentences an intent."
    return ""


def _length_chart(lengths: np.ndarray) -> Markup:
    width = max(1, math.ceil((lengths.max() + 1) / 24))
    counts = np.bincount(lengths // width)
    tips = [
        f"{count:,} texts of {k * width}"
        + (f" to {(k + 1) * width - 1}" if width > 1 else "")
        + " tokens"
        for k, count in enumerate(counts)
    ]
    step = max(1, len(counts) // 6)
    xticks = {k + (0.5 if width == 1 else 0): str(k * width) for k in range(0, len(counts), step)}
    chart = column_chart(counts.tolist(), tips, xticks, "tokens", "lengths of the texts")
    return tag("figure", tag("h3", "Length"), chart)


def _balance(data: LabelledTexts) -> Markup:
    own = Counter(
        name for label in data.labels for name in ([label] if isinstance(label, str) else label)
    )
    counts = [(name, own.get(name, 0)) for name in data.class_names]
    most = max(count for _, count in counts) or 1
    heading = tag("h3", f"Class balance, {len(counts)} classes")
    if len(counts) <= _BARS:
        rows = [[name, bar(count / most, f"{count:,}")] for name, count in counts]
        return tag("figure", heading, table(["class", "texts"], rows))
    counts.sort(key=lambda pair: -pair[1])
    tips = [f"{name}: {count:,} texts" for name, count in counts]
    chart = column_chart(
        [count for _, count in counts], tips, {}, "classes, the largest first", "class balance"
    )
    ends = f"Largest: {tips[0]}. Smallest: {tips[-1]}."
    if counts[0][1] == counts[-1][1]:
        ends = f"Each class has {counts[0][1]:,} texts."
    return tag("figure", heading, chart, tag("figcaption", ends, class_="legend"))


def scores_section(contents: Contents) -> Markup:
    """Of tasks without classes: the report of the task."""
    if contents.scores is None:
        gone = missing("The model was not scored.", DATA_OPTION)
        return section("scores", "Scores", "", gone)
    rows = [[name.replace("_", " "), significant(value)] for name, value in _summary(contents)]
    return section("scores", "Scores", f"On {contents.data.source}.", table(["", ""], rows, (1,)))


def _summary(contents: Contents) -> list[tuple[str, float]]:
    found = contents.scores.summary().items()
    return [(name, value) for name, value in found if isinstance(value, (int, float))]


def confusion_section(contents: Contents) -> Markup:
    """Which classes are taken for which."""
    if contents.scores is None:
        gone = missing("No labelled texts were given.", DATA_OPTION)
        return section("confusion", "Confusion matrix", "", gone)
    scores, parts = contents.scores, []
    if scores.multi_label:
        lead = "A text may have several labels, so that no class is taken for another."
    else:
        lead = (
            "Rows are the truth, columns the prediction. Blue is right, red wrong; hover for names."
        )
        parts.append(confusion_matrix(scores.confusion, list(scores.label_names)))
    parts.append(confusion_lists(scores))
    return section("confusion", "Confusion matrix", lead, parts)


def calibration_section(contents: Contents) -> Markup:
    """Whether an answer of 80 % is right in 80 of 100 cases."""
    if contents.scores is None:
        gone = missing("No labelled texts were given.", DATA_OPTION)
        return section("calibration", "Calibration", "", gone)
    names = list(contents.scores.label_names)
    labels = encode_labels(contents.data.labels, names, contents.scores.multi_label)
    drawn, error = reliability(contents.outputs, labels)
    lead = (
        f"Expected calibration error {percent(error)}: how far confidence and accuracy are apart, "
        "on average over 15 bins (Guo et al. 2017). Colours show where, and hovering how far."
    )
    return section("calibration", "Calibration", lead, drawn)


def attention_section(contents: Contents) -> Markup:
    """Attention maps of teacher and student."""
    if contents.kind in _WRITERS:
        gone = missing("Maps are drawn of encoders; this model writes texts with a decoder.")
        return section("attention", "Attention", "", gone)
    if not contents.sentences:
        gone = missing("No sentence was chosen.", '--text "a sentence"')
        return section("attention", "Attention", "", gone)
    parts = [attention_view(contents.sentences)]
    if not contents.has_teacher:
        parts.append(missing("The teacher's maps are not shown.", "--teacher RUN"))
    return section("attention", "Attention", caption(contents.sentences), parts)


def errors_section(contents: Contents) -> Markup:
    """The worst errors."""
    title = "Largest errors" if contents.kind == "score" else "Worst errors"
    if contents.data is None:
        gone = missing("No labelled texts were given.", DATA_OPTION)
        return section("errors", title, "", gone)
    names = contents.data.class_names
    errors = worst_errors(contents.outputs, contents.data.labels, contents.kind, names)
    if not errors:
        return section("errors", title, "", tag("p", "Every answer is right.", class_="fine"))
    total = len(contents.data.texts)
    lead = {
        "classes": f"{len(errors):,} of {total:,} answers are wrong; first those that the model "
        "was surest of.",
        "labels": f"{len(errors):,} of {total:,} texts have a wrong label; the worst first.",
        "score": "The scores that are furthest off.",
    }[contents.kind]
    return section("errors", title, lead, error_table(contents, errors))


def settings_section(contents: Contents) -> Markup:
    """What the run was told, and the versions."""
    arguments = contents.config["arguments"]
    rows = [[name.replace("_", " "), _plain(value)] for name, value in arguments.items()]
    versions = [[name, value] for name, value in contents.config.get("versions", {}).items()]
    body = tag(
        "details",
        tag("summary", "Settings and versions"),
        tag(
            "div",
            table(["setting", "value"], rows),
            table(["package", "version"], versions),
            class_="pair",
        ),
    )
    return tag("section", body, id="settings")


def _plain(value) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "–"
    return json.dumps(value, ensure_ascii=False)


def not_for_this_task(name: str, title: str) -> Markup:
    """A section of classification on a page of another task."""
    return section(name, title, "", missing(_ONLY_CLASSES))
