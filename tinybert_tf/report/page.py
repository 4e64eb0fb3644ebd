"""The page as a whole: one HTML file that needs nothing else."""

import os
from pathlib import Path

from tinybert_tf import __version__
from tinybert_tf.atomic import atomic_file
from tinybert_tf.report import sections
from tinybert_tf.report.contents import Contents
from tinybert_tf.report.markup import Markup, percent, tag
from tinybert_tf.report.script import SCRIPT
from tinybert_tf.report.style import STYLE


def write_report(path: str | os.PathLike, contents: Contents) -> Path:
    """Writes the page, whole or not at all.

    Args:
        path: path. The HTML file.
        contents: `Contents`.

    Raises:
        TinyBertError: If the file cannot be written.
    """
    page = render_report(contents)
    with atomic_file(path) as stream:
        stream.write(page)
    return Path(path)


def render_report(contents: Contents) -> str:
    """Returns the page as a string.

    Args:
        contents: `Contents`.
    """
    parts = {
        "Models": sections.models_section(contents),
        "Curves": sections.curves_section(contents),
        "Data": sections.data_section(contents),
        **_judgement(contents),
        "Attention": sections.attention_section(contents),
    }
    if contents.is_classification or contents.kind == "score":
        parts["Errors"] = sections.errors_section(contents)
    else:
        parts["Errors"] = sections.not_for_this_task("errors", "Worst errors")
    anchors = [tag("a", name, href=f"#{name.lower()}") for name in parts]
    title = f"{contents.name}: report"
    head = tag(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    body = tag(
        "body",
        _header(contents),
        tag("nav", tag("div", anchors), aria_label="sections"),
        tag("main", *parts.values(), sections.settings_section(contents)),
        tag("footer", f"made by tinybert-tf {__version__}; one file, no network"),
        tag("div", id="tip", role="status"),
        tag("script", Markup(SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _judgement(contents: Contents) -> dict[str, Markup]:
    """The sections that judge the model's outputs, by their names in the navigation."""
    if contents.is_classification:
        return {
            "Confusion": sections.confusion_section(contents),
            "Calibration": sections.calibration_section(contents),
        }
    return {
        "Scores": sections.scores_section(contents),
        "Confusion": sections.not_for_this_task("confusion", "Confusion matrix"),
        "Calibration": sections.not_for_this_task("calibration", "Calibration"),
    }


def _header(contents: Contents) -> Markup:
    config = contents.config
    started = str(config.get("started", "")).replace("T", " ")
    facts = [f"tinybert-tf {config['command']}"]
    if started:
        facts.append(f"started {started}")
    if contents.data is not None:
        facts.append(f"judged on {contents.data.source}")
    tiles = [
        tag("div", tag("b", value), tag("span", name), class_="tile")
        for name, value in _key_figures(contents).items()
    ]
    return tag(
        "header",
        tag(
            "div",
            tag(
                "button",
                "◐",
                id="theme",
                type="button",
                title="light or dark",
                aria_label="light or dark",
            ),
            tag("h1", contents.name),
            tag("p", " · ".join(facts), class_="facts"),
            tag("div", tiles, class_="tiles"),
        ),
    )


def _key_figures(contents: Contents) -> dict[str, str]:
    """The few numbers that a reader looks for first."""
    found, own = {}, contents.models[0]
    scale = 100 if contents.kind == "translation" else 1
    for name, score in own.scores.items():
        found[f"{contents.score_name}, {name}"] = f"{score:.1f}" if scale == 100 else percent(score)
    if contents.scores is not None and contents.is_classification:
        found["macro F1"] = percent(contents.scores.macro_f1)
        found["calibration error"] = percent(contents.scores.ece)
    if own.parameters:
        millions = own.parameters / 1e6
        found["parameters"] = f"{millions:.1f} M" if millions >= 0.1 else f"{own.parameters:,}"
    files = [model for model in contents.models if model.size_bytes]
    if files:
        smallest = min(files, key=lambda model: model.size_bytes)
        found["smallest file"] = f"{smallest.size_bytes / 1e6:.1f} MB"
        timed = [model.latency_ms for model in files if model.latency_ms]
        if timed:
            found["fastest file"] = f"{min(timed):.2f} ms"
    if "seconds" in contents.metrics:
        seconds = contents.metrics["seconds"]
        found["training"] = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return found
