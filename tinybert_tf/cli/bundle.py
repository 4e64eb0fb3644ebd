"""`tinybert-tf bundle`: the folder that an app copies."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, hint, out, pairs_table, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.export import (
    Attention,
    Length,
    TargetOption,
    Texts,
    length_list,
    target_of,
)
from tinybert_tf.cli.results import percent
from tinybert_tf.cli.tasks import task_of, texts_of
from tinybert_tf.errors import TinyBertError
from tinybert_tf.runs import read_config

Source = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|FILE", help="Run folder, preset, or exported .tflite file.", show_default=False
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Labelled texts: the file is scored on them, and some become golden vectors.",
        show_default=False,
    ),
]
OutOfScope = Annotated[
    str | None,
    typer.Option(
        "--out-of-scope",
        help="Texts of no known class: with --data they choose the threshold from which on the "
        "file answers with no label. Of a run.",
        show_default=False,
    ),
]
Name = Annotated[str | None, typer.Option(help="What the model is called.", show_default=False)]
License = Annotated[
    str | None,
    typer.Option(help="Licence of the weights, such as Apache-2.0.", show_default=False),
]


@guarded
def bundle(
    source: Source,
    out_folder: OutFolder,
    data: Data = None,
    target: TargetOption = None,
    max_length: Length = None,
    texts: Texts = None,
    attention: Attention = False,
    out_of_scope: OutOfScope = None,
    name: Name = None,
    license: License = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Write the folder that an app copies: model, vocabulary, manifest, golden vectors, README.

    A run is exported first, as 'export' does it. 'verify FOLDER' checks a bundle later.

    Examples:

        tinybert-tf bundle runs/int8 --data dev.csv --out bundle
        tinybert-tf bundle runs/student --target small --texts train.csv --out bundle
        tinybert-tf bundle runs/int8 --data dev.csv --out-of-scope other.csv --out bundle
        tinybert-tf bundle model.tflite --out bundle
    """
    from tinybert_tf.cli.models import is_tflite, load_file
    from tinybert_tf.export.bundle import write_bundle

    if out_of_scope is not None and data is None:
        raise TinyBertError(
            "Expected --data with --out-of-scope: the threshold parts texts of both kinds. "
            "Received: no --data"
        )
    with tempfile.TemporaryDirectory(prefix="tinybert_tf-") as folder:
        file, write = source, None
        if is_tflite(source):
            _refuse_export_options(source, target, max_length, texts, attention, out_of_scope)
        else:
            file = Path(folder) / "model.tflite"
            found_in = {"text": text_column, "text_pair": pair_column}
            write = _exporter(source, file, target, max_length, texts, attention, found_in)
            write()
        runner = load_file(file)
        inputs = labels = None
        if data is not None:
            columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
            examples = task_of(runner).read(data, columns, runner.kind == "labels", True)
            task_of(runner).check_known(examples, runner)
            inputs, labels = examples.inputs, examples.labels
        if out_of_scope is not None:
            with working("choosing the out-of-scope threshold"):
                threshold = _threshold(runner, inputs, labels, out_of_scope, found_in)
            write(threshold)
        with working("scoring, timing and writing"):
            found = write_bundle(
                file,
                out_folder,
                examples=inputs,
                labels=labels,
                origin=_origin(source),
                name=name,
                license=license,
                overwrite=overwrite,
            )
    measured = found.manifest["measured"]
    rows = {
        "model": f"{file_size(found.manifest['model']['size_bytes'])}, "
        f"{found.manifest['model']['quantization']}",
        "folder": f"{file_size(found.size_bytes)} in all",
        measured.get("score_name", "score"): percent(measured.get("score")),
        "latency": f"{measured['latency_ms']:.2f} ms a text, on this machine",
        "golden vectors": found.manifest["golden"]["rows"],
        "out of scope": None if out_of_scope is None else threshold.rule,
    }
    out.print(pairs_table(str(found.folder), rows))
    if data is None:
        hint("--data dev.csv scores the file and adds typical texts to the golden vectors")
    hint(f"next: tinybert-tf verify {out_folder}; {out_folder}/README.md says what to copy")


def _refuse_export_options(
    source: Path, target, max_length, texts, attention: bool, out_of_scope
) -> None:
    given = {
        "--target": target,
        "--max-length": max_length,
        "--texts": texts,
        "--attention": attention or None,
        "--out-of-scope": out_of_scope,
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise TinyBertError(
            f"Expected a run folder for {', '.join(named)}; a file is bundled as it is. "
            f"Received: {str(source)!r}"
        )


def _exporter(
    run: Path, file: Path, target, max_length: str | None, texts, attention: bool, columns: dict
) -> Callable:
    """Loads a run; returns a function that exports it, perhaps with a threshold."""
    from tinybert_tf.cli.models import load_model

    lengths = None if max_length is None else length_list(max_length)
    with working("loading the model"):
        classifier = load_model(run)
        corpus = None if texts is None else texts_of(classifier, texts, **columns)
        from tinybert_tf.export import to_tflite
    name = target.value if target is not None else target_of(classifier)

    def write(threshold=None) -> None:
        with working(f"converting for target {name}"):
            to_tflite(
                classifier,
                file,
                target=name,
                sequence_length=lengths,
                texts=corpus,
                attention=attention,
                out_of_scope=threshold,
            )

    return write


def _threshold(runner, inputs, labels: list, path: str, columns: dict):
    """The entropy that parts right answers from texts of no class best, both of them found."""
    from tinybert_tf.evaluate import choose_threshold, out_of_scope_scores
    from tinybert_tf.text.corpus import corpus_texts

    if runner.kind != "classes":
        raise TinyBertError(
            "Expected a classifier with one class a text for --out-of-scope. "
            f"Received: a model for --task {task_of(runner).name}"
        )
    others = corpus_texts([path], **columns)
    known, other = (runner.predict_proba(texts) for texts in (inputs, others))
    answers = [runner.labels[place] for place in known.argmax(-1)]
    correct = [answer == label for answer, label in zip(answers, labels, strict=True)]
    scores = [out_of_scope_scores(rows, "entropy") for rows in (known, other)]
    return choose_threshold(*scores, "entropy", correct=correct)


def _origin(source: Path) -> dict | None:
    """How a run was made: its command and settings, without paths of this machine."""
    config = read_config(source) if source.is_dir() else None
    if config is None:
        return None
    return {
        "command": config["command"],
        "settings": config["arguments"],
        "started": config.get("started"),
    }
