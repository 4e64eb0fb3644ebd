"""`tinybert-tf evaluate`: how good is a model on labelled texts?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import out, say, working
from tinybert_tf.cli.errors import guarded
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
    plots: Plots = False,
    out_folder: OutFolder = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    debug: options.Debug = False,
) -> None:
    """Report accuracy, F1, Matthews correlation and calibration, class by class.

    Examples:

        tinybert-tf evaluate runs/student dev.csv
        tinybert-tf evaluate runs/student dev.csv --plots
        tinybert-tf evaluate model.tflite dev.csv --plots --out report
    """
    from tinybert_tf.cli.data import check_known, inputs
    from tinybert_tf.cli.models import load_any
    from tinybert_tf.runs import read_config
    from tinybert_tf.text.readers import read_examples

    if out_folder is None and read_config(model) is not None:
        out_folder = model / "evaluation"
    if plots and out_folder is None:
        raise TinyBertError(
            f"Expected --out FOLDER for the plots of a model outside a run folder. "
            f"Received: {str(model)!r}"
        )
    with working("loading the model"):
        classifier = load_any(model)
    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    examples = read_examples(data, multi_label=classifier.multi_label, **columns)
    check_known(examples, classifier.labels)
    from tinybert_tf.evaluate import evaluate_probabilities

    with working(f"reading {len(examples):,} texts"):
        probabilities = classifier.predict_proba(inputs(examples))
    report = evaluate_probabilities(
        probabilities, examples.labels, classifier.labels, classifier.multi_label
    )
    out.print(report)
    if out_folder is not None:
        for path in _write(report, probabilities, examples, classifier, out_folder, plots):
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
