"""`tinybert-tf info`: what a model is, or which architectures there are."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tinybert_tf.cli import options
from tinybert_tf.cli.console import duration, file_size, out, pairs_table
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.results import shown
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.config import ARCHITECTURES
from tinybert_tf.errors import TinyBertError

ALL = "architectures"
# BERT's English uncased vocabulary, which the parameter counts are for.
_VOCABULARY, _POSITIONS, _SEGMENTS = 30522, 512, 2
_SHOWN_LABELS = 8

What = Annotated[
    str,
    typer.Argument(help="Run folder, preset, .tflite file, or architectures."),
]


@guarded
def info(model: What = ALL, debug: options.Debug = False) -> None:
    """Describe a run, a saved model or a .tflite file, or list the architectures.

    Examples:

        tinybert-tf info
        tinybert-tf info runs/student
        tinybert-tf info model.tflite
    """
    if model == ALL:
        out.print(_architectures())
        return
    from tinybert_tf.cli.models import is_tflite
    from tinybert_tf.runs import read_config

    path = Path(model)
    if is_tflite(path):
        rows = _file(path)
    elif read_config(path) is not None:
        rows = _run(path)
    elif (path / "task.json").is_file():
        rows = _preset(path)
    else:
        raise TinyBertError(
            f"Expected a run folder, a preset, a .tflite file or {ALL!r}. Received: {model!r}"
        )
    out.print(pairs_table(model, rows))


def parameters(num_layers: int, hidden_dim: int, num_heads: int, intermediate_dim: int) -> int:
    """Counts an encoder's weights, pooler included, with BERT's English vocabulary."""
    norm = 2 * hidden_dim
    embeddings = (_VOCABULARY + _POSITIONS + _SEGMENTS) * hidden_dim + norm
    attention = 4 * (hidden_dim * hidden_dim + hidden_dim)
    feed_forward = 2 * hidden_dim * intermediate_dim + intermediate_dim + hidden_dim
    pooler = hidden_dim * hidden_dim + hidden_dim
    return embeddings + num_layers * (attention + feed_forward + 2 * norm) + pooler


def _architectures() -> Table:
    table = Table(caption="parameters: with BERT's English vocabulary and the pooler")
    table.add_column("architecture")
    for heading in ("blocks", "width", "heads", "feed-forward", "parameters"):
        table.add_column(heading, justify="right")
    for name, shape in ARCHITECTURES.items():
        values = (shape[key] for key in ("num_layers", "hidden_dim", "num_heads"))
        million = f"{parameters(**shape) / 1e6:.1f} M"
        table.add_row(name, *map(str, values), f"{shape['intermediate_dim']:,}", million)
    return table


def _run(path: Path) -> dict:
    from tinybert_tf.runs import Run, read_config

    config, run = read_config(path), Run(path)
    settings = config["arguments"]
    rows = {
        "command": config["command"],
        "started": config["started"],
        "teacher": settings.get("teacher"),
        "student": settings.get("student"),
        "texts": _texts(settings),
        "epochs": settings["epochs"],
        "learning rate": settings["learning_rate"],
        "seed": config["seed"],
        "versions": ", ".join(f"{name} {value}" for name, value in config["versions"].items()),
    }
    if not run.is_finished:
        return {**rows, "state": f"not finished; {run.kept()}"}
    metrics = run.metrics()
    dev = metrics.get("dev") or {}
    return {
        **rows,
        "state": f"finished in {duration(metrics['seconds'])}",
        **{
            f"dev {name.replace('_', ' ')}": shown(metrics.get("kind", "classes"), dev.get(name))
            for name in _SCORES
        },
        "parameters": f"{metrics['parameters']:,}",
        "labels": _labels(metrics["labels"]) if metrics.get("labels") else None,
    }


def _texts(settings: dict) -> str | None:
    if "train_rows" not in settings:  # raw text
        return None
    return f"{settings['train_rows']:,} for training, {settings['dev_rows']:,} for dev"


# What a finished run may have been scored by.
_SCORES = ("accuracy", "f1", "spearman", "bleu", "chrf", "rougeL")


def _preset(path: Path) -> dict:
    saved = json.loads((path / "task.json").read_text("utf-8"))
    task = saved["config"]
    backbone = task["backbone"]["config"]
    return {
        "blocks": backbone["num_layers"],
        "width": backbone["hidden_dim"],
        "heads": backbone["num_heads"],
        "vocabulary": f"{backbone['vocabulary_size']:,}",
        "class": saved["class_name"],
        "labels": _labels(task["labels"]) if "labels" in task else None,
        "multi-label": task.get("multi_label"),
    }


def _file(path: Path) -> dict:
    from tinybert_tf.cli.models import load_file

    file = load_file(path)
    metadata = getattr(file, "metadata", None)
    return {
        "size": file_size(file.size_bytes),
        "format": file.quantization,
        "input": f"{file.sequence_length} tokens",
        "task": task_of(file).name,
        "labels": _labels(file.labels) if hasattr(file, "labels") else None,
        "multi-label": getattr(file, "multi_label", None),
        "metadata": metadata.name if metadata is not None else "none",
    }


def _labels(labels: list[str]) -> str:
    more = f", ... ({len(labels)})" if len(labels) > _SHOWN_LABELS else ""
    return ", ".join(labels[:_SHOWN_LABELS]) + more
