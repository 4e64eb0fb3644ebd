"""`tinybert-tf export`: a trained classifier as one .tflite file."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, hint, out, pairs_table, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import task_of, texts_of
from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.targets import TARGETS

Target = Enum("Target", {name: name for name in TARGETS}, type=str)

TargetOption = Annotated[
    Target | None,
    typer.Option(
        "--target",
        help="What the file is for: universal (int8, CPU and GPU), small (int4 word table), "
        "weight_only (int8 stored, float32 computed: the same answer everywhere), nnapi (old "
        "phones' drivers), npu_int8 (int8 throughout) or float32.",
        show_default="as the run was quantized for, else universal",
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Option(
        "--texts",
        help="Training texts: they calibrate npu_int8 and choose the vocabulary of small, where "
        "the run was not quantized for them. Repeatable.",
        show_default=False,
    ),
]
OutFile = Annotated[
    Path, typer.Option("--out", help="The .tflite file to write.", show_default=False)
]
Length = Annotated[
    str | None,
    typer.Option(
        "--max-length",
        help="Tokens of the fixed input; shorter is faster. Several, such as 16,32,64, become "
        "signatures of one file (not for MediaPipe, which wants one).",
        show_default="as trained",
    ),
]
Metadata = Annotated[
    bool,
    typer.Option(
        "--metadata/--no-metadata", help="Pack MediaPipe metadata, vocabulary and class names."
    ),
]

Attention = Annotated[
    bool,
    typer.Option(
        "--attention",
        help="A second output: what the classification token attends to in the last block.",
    ),
]


@guarded
def export(
    run: options.RunOrModel,
    out_file: OutFile,
    task: options.Task = None,
    target: TargetOption = None,
    max_length: Length = None,
    texts: Texts = None,
    metadata: Metadata = True,
    attention: Attention = False,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    debug: options.Debug = False,
) -> None:
    """Write a classifier as a .tflite file for phones and browsers.

    A run of 'quantize' keeps the integers that it was trained with; any other
    model is quantized here, without training.

    Examples:

        tinybert-tf export runs/int8 --out model.tflite
        tinybert-tf export runs/student --target float32 --max-length 64 --out model.tflite
        tinybert-tf export runs/student --target npu_int8 --texts train.csv --out npu.tflite
    """
    from tinybert_tf.cli.models import is_tflite, load_model

    if not is_tflite(out_file):
        raise TinyBertError(f"Expected a file ending in .tflite. Received: {str(out_file)!r}")
    lengths = None if max_length is None else length_list(max_length)
    with working("loading the model"):
        classifier = load_model(run, task=None if task is None else task.value)
        columns = {"text": text_column, "text_pair": pair_column}
        corpus = None if texts is None else texts_of(classifier, texts, **columns)
        from tinybert_tf import export as exporting
    name = target.value if target is not None else target_of(classifier)
    with working(f"converting for target {name}"):
        if task_of(classifier).generates:
            result = _export_seq2seq(classifier, out_file, name, lengths, corpus)
        else:
            result = exporting.to_tflite(
                classifier,
                out_file,
                target=name,
                sequence_length=lengths,
                texts=corpus,
                metadata=metadata,
                attention=attention,
            )
    trained = classifier.backbone.quantization is not None
    rows = {
        "file": result.path,
        "target": result.target,
        "size": file_size(result.size_bytes),
        "numbers": f"{result.quantization}{', as trained' if trained else ''}",
        "input": f"{', '.join(map(str, result.sequence_lengths))} tokens",
        "task": task_of(classifier).name,
        "classes": getattr(classifier, "num_classes", None),
    }
    out.print(pairs_table("exported", rows))
    if not trained and result.quantization != "float32" and not task_of(classifier).generates:
        hint(f"tinybert-tf quantize --target {name} trains for these numbers")
    hint(f"next: tinybert-tf verify {out_file} dev.csv --against {run}")


def _export_seq2seq(model, out_file: Path, target: str, lengths: list[int] | None, corpus):
    """Encoder and decoder as two signatures of one file."""
    from tinybert_tf.export import seq2seq_to_tflite

    if corpus is not None or len(lengths or [0]) > 1:
        raise TinyBertError(
            "Expected one --max-length and no --texts for a model that writes texts. "
            f"Received: max_length={lengths}, texts={'none' if corpus is None else 'given'}"
        )
    length = None if lengths is None else lengths[0]
    return seq2seq_to_tflite(model, out_file, target=target, sequence_length=length)


def target_of(classifier) -> str:
    """The target that a classifier was quantized for; universal when it was not."""
    scheme = classifier.backbone.quantization or "dynamic_int8"
    return next((t.name for t in TARGETS.values() if t.scheme == scheme), "universal")


def length_list(value: str) -> list[int]:
    """Several numbers, separated by commas."""
    try:
        return [int(part) for part in value.split(",")]
    except ValueError as error:
        raise TinyBertError(
            "Expected --max-length to be a number, or several separated by commas. "
            f"Received: {value!r}"
        ) from error
