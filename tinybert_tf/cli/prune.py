"""`tinybert-tf prune-vocabulary`: a classifier with only the tokens that its texts need."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import hint, out, pairs_table, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import TaskData, refuse_generation, task_of, texts_of
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.tasks import MAIN_SCORES

REPORT = "coverage.json"


class Alphabet(str, Enum):
    """Single characters that stay; see `choose_tokens`."""

    corpus = "corpus"
    all = "all"


Corpus = Annotated[
    list[str],
    typer.Option(
        "--texts",
        help="Table, or .txt with a text a line, whose tokens stay: the training data. Repeatable.",
        show_default=False,
    ),
]
OutFolder = Annotated[
    Path, typer.Option("--out", help="Folder for the smaller model, a preset.", show_default=False)
]
Dev = Annotated[
    str | None,
    typer.Option(
        "--dev",
        help="Held-out texts to report on; where they have labels, the accuracy too.",
        show_default=False,
    ),
]
MinCount = Annotated[
    int,
    typer.Option(
        help="Drop tokens that occur less often; above 1, some of the texts split otherwise.",
        min=1,
    ),
]
MaxSize = Annotated[
    int | None,
    typer.Option(
        help="Keep this many tokens at most, the most frequent.", min=1, show_default="no limit"
    ),
]
Fill = Annotated[
    bool,
    typer.Option("--fill", help="Fill --max-size up with frequent tokens that the texts lack."),
]
AlphabetOption = Annotated[
    Alphabet,
    typer.Option(
        "--alphabet",
        help="Single characters to keep: those of the texts and of Latin keyboards, or all.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier output of this command.")
]


@guarded
def prune_vocabulary(
    run: options.RunOrModel,
    corpus: Corpus,
    out_folder: OutFolder,
    dev: Dev = None,
    min_count: MinCount = 1,
    max_size: MaxSize = None,
    fill: Fill = False,
    alphabet: AlphabetOption = Alphabet.corpus,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    overwrite: Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Drop the word vectors that texts never use, and say what changes.

    Texts of the corpus tokenize as before, other words may split into more pieces. The output is
    a preset: evaluate, distill, export and the other commands take it like a run folder.

    Examples:

        tinybert-tf prune-vocabulary runs/student --texts train.csv --dev dev.csv --out small
        tinybert-tf prune-vocabulary runs/student --texts train.csv \\
            --max-size 7000 --fill --out small
    """
    from tinybert_tf.cli.models import load_model

    _check_target(out_folder, overwrite)
    columns = {"text": text_column, "text_pair": pair_column}
    with working("loading the model"):
        classifier = load_model(run)
        refuse_generation(classifier, "prune-vocabulary")
        texts = texts_of(classifier, corpus, **columns)
        from tinybert_tf.compress import prune_vocabulary as prune
    examples = None if dev is None else _read_dev(dev, columns, label_column, classifier)
    with working("choosing tokens"):
        pruned = prune(
            classifier,
            texts,
            min_count=min_count,
            max_size=max_size,
            fill=fill,
            alphabet=alphabet.value,
            dev_texts=None if examples is None else examples.inputs,
        )
    out.print(pruned.coverage)
    accuracy = _accuracy(classifier, pruned.classifier, examples)
    report = {
        "source": str(run),
        "arguments": {
            "texts": corpus,
            "dev": dev,
            "min_count": min_count,
            "max_size": max_size,
            "fill": fill,
            "alphabet": alphabet.value,
        },
        "coverage": pruned.coverage.to_dict(),
        f"dev_{MAIN_SCORES[classifier.kind][0]}": accuracy,
    }
    _save(pruned.classifier, report, out_folder)
    say(f"wrote {out_folder}")
    hint(f"next: tinybert-tf export {out_folder} --out model.tflite")


def _read_dev(path: str, columns: dict, label_column: str | None, classifier):
    """The held-out texts, with their labels if there are any."""
    from tinybert_tf.text.corpus import corpus_texts, is_plain

    if is_plain(path):
        return TaskData(corpus_texts([path]), None, lambda row: path)
    task = task_of(classifier)
    columns = {**columns, "label": label_column}
    examples = task.read(path, columns, classifier.kind == "labels", False)
    task.check_known(examples, classifier)
    return examples


def _accuracy(before, after, examples) -> dict | None:
    """Scores both on held-out texts that have labels, and prints it."""
    if examples is None or examples.labels is None:
        return None
    from tinybert_tf.cli.results import percent
    from tinybert_tf.evaluate.tasks import evaluate_model

    attribute, called = MAIN_SCORES[before.kind]

    def score(model) -> float:
        return getattr(evaluate_model(model, examples.inputs, examples.labels), attribute)

    with working(f"scoring {len(examples):,} {task_of(before).rows} before and after"):
        found = {"before": score(before), "after": score(after)}
    shown = {name: percent(value) for name, value in found.items()}
    out.print(pairs_table(f"dev {called}", shown))
    return found


def _save(classifier, report: dict, folder: Path) -> None:
    from tinybert_tf.atomic import atomic_file, atomic_folder

    with atomic_folder(folder) as temporary:
        classifier.save_to_preset(str(temporary))
        with atomic_file(temporary / REPORT) as stream:
            json.dump(report, stream, indent=2, ensure_ascii=False)
            stream.write("\n")


def _check_target(folder: Path, overwrite: bool) -> None:
    """The folder is replaced whole, so it must be new, empty or of this command's making."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / REPORT).is_file():
        raise TinyBertError(
            "Expected a new or empty folder, or an earlier output of prune-vocabulary. "
            f"Received: {str(folder)!r}, which holds other files"
        )
    if not overwrite:
        raise TinyBertError(
            f"Expected a new folder, or --overwrite to replace it. Received: {str(folder)!r}"
        )
