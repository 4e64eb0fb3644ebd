"""`tinybert-tf predict`: labels for texts."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tinybert_tf.cli import options
from tinybert_tf.cli.console import out, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.errors import TinyBertError

Texts = Annotated[
    list[str] | None,
    typer.Argument(help="Texts to classify.", show_default=False),
]
FileOption = Annotated[
    str | None,
    typer.Option(
        "--file",
        help="More texts: a table, a .txt with one text a line, or - for standard input.",
        show_default=False,
    ),
]
Top = Annotated[int, typer.Option(help="How many labels a text.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a text.")]


@guarded
def predict(
    model: options.RunOrFile,
    texts: Texts = None,
    file: FileOption = None,
    top: Top = 1,
    as_json: Json = False,
    text_column: options.TextColumn = None,
    debug: options.Debug = False,
) -> None:
    """Classify texts with a trained run or an exported file.

    On a terminal it prints a table, into a pipe lines of label, probability and text.

    Examples:

        tinybert-tf predict runs/student "turn the lights off" "wake me at six"
        tinybert-tf predict model.tflite --file messages.csv --json
    """
    texts = [*(texts or []), *(_read(file, text_column) if file else [])]
    if not texts:
        raise TinyBertError("Expected texts to classify, or --file. Received: none")
    with working("loading the model"):
        from tinybert_tf.cli.models import load_any

        classifier = load_any(model)
    probabilities = classifier.predict_proba(texts)
    order = probabilities.argsort(axis=1)[:, ::-1][:, :top]
    rows = [
        (text, [(classifier.labels[column], float(row[column])) for column in best])
        for text, row, best in zip(texts, probabilities, order, strict=True)
    ]
    _print(rows, as_json)


def _read(file: str, column: str | None) -> list[str]:
    from tinybert_tf.text.readers import read_examples
    from tinybert_tf.text.tables import read_text

    if file == "-":
        return [line for line in sys.stdin.read().splitlines() if line.strip()]
    if Path(file).suffix.lower() == ".txt":
        return [line for line in read_text(file).split("\n") if line.strip()]
    return read_examples(file, text=column, require_labels=False).texts


def _print(rows: list, as_json: bool) -> None:
    if as_json:
        for text, best in rows:
            labels = [{"label": name, "probability": round(p, 6)} for name, p in best]
            print(json.dumps({"text": text, "labels": labels}, ensure_ascii=False))
    elif out.is_terminal:
        table = Table("text", "label", box=None, padding=(0, 2))
        table.add_column("probability", justify="right")
        for text, best in rows:
            shown = text if len(text) <= 80 else f"{text[:79]}…"
            for position, (name, p) in enumerate(best):
                table.add_row("" if position else escape(shown), escape(name), f"{p:.3f}")
        out.print(table)
    else:
        for text, best in rows:
            for name, p in best:
                print(f"{name}\t{p:.6f}\t{' '.join(text.split())}")
