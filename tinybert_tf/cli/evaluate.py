"""`tinybert-tf evaluate`: how good is a model on labelled texts?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import out, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.errors import TinyBertError

Plots = Annotated[
    bool,
    typer.Option("--plots", help="Draw confusion matrix and calibration (needs matplotlib)."),
]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for report.json and the plots.",
        show_default="MODEL/evaluation for run folders",
    ),
]


@guarded
def evaluate(
    model: options.RunOrFile,
    data: options.LabeledData,
    task: options.Task = None,
    plots: Plots = False,
    out_folder: OutFolder = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    debug: options.Debug = False,
) -> None:
    """Report accuracy, F1, Matthews correlation and calibration, class by class.

    Of other tasks: F1 of entities, type by type; exact match and F1 of answers;
    correlations of scores; BLEU and chrF of translations, ROUGE of summaries.

    Examples:

        tinybert-tf evaluate runs/student dev.csv
        tinybert-tf evaluate runs/student dev.csv --plots
        tinybert-tf evaluate model.tflite dev.csv --plots --out report
        tinybert-tf evaluate runs/ner dev.conll
    """
    from tinybert_tf.cli.models import load_any
    from tinybert_tf.runs import read_config

    if out_folder is None and read_config(model) is not None:
        out_folder = model / "evaluation"
    if plots and out_folder is None:
        raise TinyBertError(
            f"Expected --out FOLDER for the plots of a model outside a run folder. "
            f"Received: {str(model)!r}"
        )
    with working("loading the model"):
        found = load_any(model, None if task is None else task.value)
    if plots and found.kind not in ("classes", "labels"):
        raise TinyBertError(
            "Expected a text classifier for --plots. "
            f"Received: {str(model)!r}, a model for --task {task_of(found).name}"
        )
    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    examples = task_of(found).read(data, columns, found.kind == "labels", True)
    task_of(found).check_known(examples, found)
    from tinybert_tf.evaluate.tasks import evaluate_model, report_outputs

    with working(f"reading {len(examples):,} {task_of(found).rows}"):
        if plots:
            outputs = found.predict_outputs(examples.inputs)
            report = report_outputs(found, outputs, examples.inputs, examples.labels)
        else:
            outputs, report = None, evaluate_model(found, examples.inputs, examples.labels)
    out.print(report if hasattr(report, "__rich__") else report.to_text(), markup=False)
    if out_folder is not None:
        for path in _write(report, outputs, examples, found, out_folder, plots):
            say(f"wrote {path}")


def _write(report, probabilities, examples, classifier, folder: Path, plots: bool) -> list[Path]:
    from tinybert_tf.atomic import atomic_file
    from tinybert_tf.evaluate import plot_confusion_matrix, plot_reliability
    from tinybert_tf.evaluate.checks import encode_labels

    written = [folder / "report.json"]
    with atomic_file(written[0]) as stream:
        json.dump(report.to_dict(), stream, indent=2, ensure_ascii=False)
    if plots:
        labels = encode_labels(examples.labels, classifier.labels, classifier.multi_label)
        written += [folder / "confusion.png", folder / "reliability.png"]
        plot_confusion_matrix(report, written[1])
        plot_reliability(probabilities, labels, written[2])
    return written
