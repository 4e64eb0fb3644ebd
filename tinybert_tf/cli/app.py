"""Gathers the commands. Importing this must stay quick: TensorFlow loads inside the commands."""

import sys
from typing import Annotated

import typer

from tinybert_tf import __version__
from tinybert_tf.cli.benchmark import benchmark
from tinybert_tf.cli.bundle import bundle
from tinybert_tf.cli.demo import demo
from tinybert_tf.cli.distill import distill
from tinybert_tf.cli.evaluate import evaluate
from tinybert_tf.cli.explain import explain
from tinybert_tf.cli.export import export
from tinybert_tf.cli.finetune import finetune
from tinybert_tf.cli.general import general
from tinybert_tf.cli.info import info
from tinybert_tf.cli.inspect import inspect
from tinybert_tf.cli.predict import predict
from tinybert_tf.cli.prune import prune_vocabulary
from tinybert_tf.cli.quantize import quantize
from tinybert_tf.cli.report import report
from tinybert_tf.cli.verify import verify

app = typer.Typer(
    name="tinybert-tf",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="[bold]tinybert-tf COMMAND --help[/bold] shows options and examples of a command.",
)

# In the order of the work.
for _command, _group in (
    (general, "Train"),
    (finetune, "Train"),
    (distill, "Train"),
    (quantize, "Train"),
    (evaluate, "Judge"),
    (report, "Judge"),
    (explain, "Judge"),
    (prune_vocabulary, "Ship"),
    (export, "Ship"),
    (bundle, "Ship"),
    (verify, "Ship"),
    (inspect, "Ship"),
    (benchmark, "Ship"),
    (predict, "Use"),
    (info, "Use"),
    (demo, "Use"),
):
    app.command(rich_help_panel=_group)(_command)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"tinybert-tf {__version__}")
        raise typer.Exit


@app.callback()
def tinybert_tf(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Distil a BERT into a TinyBERT and ship it as a verified [bold].tflite[/bold] file.

    A text classifier in five steps:

        tinybert-tf finetune train.csv --teacher bert-base-uncased --out runs/teacher
        tinybert-tf distill  train.csv --teacher runs/teacher --out runs/student
        tinybert-tf quantize train.csv --teacher runs/teacher --student runs/student --out runs/int8
        tinybert-tf export   runs/int8 --out model.tflite
        tinybert-tf verify   model.tflite dev.csv --against runs/int8
    """


def main() -> None:
    """Entry point; an interruption before a command has begun ends quietly."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
