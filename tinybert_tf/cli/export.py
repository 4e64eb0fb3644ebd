"""`tinybert-tf export`: a trained classifier as one .tflite file."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, hint, out, pairs_table, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.errors import TinyBertError


class Format(str, Enum):
    """Number formats of `export.to_tflite`."""

    float32 = "float32"
    dynamic_int8 = "dynamic_int8"


FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="dynamic_int8: a quarter of the size and faster; float32: exact to 1e-4.",
    ),
]
OutFile = Annotated[
    Path, typer.Option("--out", help="The .tflite file to write.", show_default=False)
]
Length = Annotated[
    int | None,
    typer.Option(
        "--max-length",
        help="Tokens of the fixed input; shorter is faster.",
        min=3,
        show_default="as trained",
    ),
]
Metadata = Annotated[
    bool,
    typer.Option(
        "--metadata/--no-metadata", help="Pack MediaPipe metadata, vocabulary and class names."
    ),
]


@guarded
def export(
    run: options.RunOrModel,
    out_file: OutFile,
    format: FormatOption = Format.dynamic_int8,
    max_length: Length = None,
    metadata: Metadata = True,
    debug: options.Debug = False,
) -> None:
    """Write a classifier as a .tflite file for phones and browsers.

    Examples:

        tinybert-tf export runs/student --out model.tflite
        tinybert-tf export runs/student --format float32 --max-length 64 --out model.tflite
    """
    from tinybert_tf.cli.models import is_tflite, load_classifier

    if not is_tflite(out_file):
        raise TinyBertError(f"Expected a file ending in .tflite. Received: {str(out_file)!r}")
    with working("loading the model"):
        classifier = load_classifier(run)
        from tinybert_tf import export as exporting
    with working("converting"):
        result = exporting.to_tflite(
            classifier,
            out_file,
            sequence_length=max_length,
            quantization=format.value,
            metadata=metadata,
        )
    rows = {
        "file": result.path,
        "size": file_size(result.size_bytes),
        "format": result.quantization,
        "input": f"{result.sequence_length} tokens",
        "classes": classifier.num_classes,
    }
    out.print(pairs_table("exported", rows))
    hint(f"next: tinybert-tf verify {out_file} dev.csv --against {run}")
