"""`tinybert-tf inspect`: what is in an exported file, and what each delegate does with it."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, out, pairs_table
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.results import percent


class Delegate(str, Enum):
    """The delegates that the rules are about."""

    nnapi = "nnapi"
    gpu_classic = "gpu_classic"
    gpu_litert = "gpu_litert"
    xnnpack = "xnnpack"


File = Annotated[Path, typer.Argument(help="A .tflite file of any origin.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
OneDelegate = Annotated[
    Delegate | None,
    typer.Option("--delegate", help="Only this one, with layers and sources.", show_default=False),
]

_SHOWN_LAYERS = 4


@guarded
def inspect(
    file: File,
    as_json: AsJson = False,
    delegate: OneDelegate = None,
    debug: options.Debug = False,
) -> None:
    """Show what is in a .tflite file and what each delegate takes of it, and why not the rest.

    Delegates: NNAPI, TFLite's classic GPU delegate, LiteRT's GPU accelerator (ML Drift) and
    XNNPACK on the CPU. The verdicts come from a table of rules; nothing is run.

    Examples:

        tinybert-tf inspect model.tflite
        tinybert-tf inspect model.tflite --delegate nnapi
        tinybert-tf inspect model.tflite --json
    """
    from tinybert_tf.export.delegates import DELEGATES
    from tinybert_tf.export.inspection import inspect_file

    found = inspect_file(file)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
        return
    names = DELEGATES if delegate is None else (delegate.value,)
    summaries = [found.delegates.summary(name) for name in names]
    out.print(Text(f"{file}: {file_size(found.file.size_bytes)}", style="bold"), soft_wrap=True)
    out.print(_operators(found, summaries))
    for summary in summaries:
        _print_summary(summary, detailed=delegate is not None)
    if delegate is None:
        _print_contents(found)


def _operators(found, summaries) -> Table:
    """Each operator and version, and how many of it each delegate takes."""
    table = _table(show_footer=True)
    total = sum(row.count for row in found.operators)
    table.add_column("operator", footer="all operators", no_wrap=True)
    table.add_column("version", justify="right")
    table.add_column("count", justify="right", footer=f"{total:,}")
    for summary in summaries:
        footer = _cell(summary.accepted, bool(summary.cautions), total)
        table.add_column(summary.title, justify="center", footer=footer)
    for row in found.operators:
        alike = [
            finding
            for finding in found.delegates.operators
            if (finding.operator, finding.version) == (row.operator, row.version)
        ]
        cells = []
        for summary in summaries:
            verdicts = [finding.verdicts[summary.delegate] for finding in alike]
            accepted = sum(verdict.accepted for verdict in verdicts)
            cells.append(_cell(accepted, any(v.caution for v in verdicts), row.count))
        table.add_row(escape(row.operator), str(row.version), f"{row.count:,}", *cells)
    return table


def _cell(accepted: int, caution: bool, count: int) -> Text:
    unicode = out.encoding.lower().startswith("utf")
    if accepted == count:
        tick = "✓" if unicode else "yes"
        return Text(f"{tick} !" if caution else tick, style="yellow" if caution else "green")
    if accepted:
        return Text(f"{accepted}/{count}", style="yellow")
    return Text("✗" if unicode else "no", style="red")


def _print_summary(summary, detailed: bool) -> None:
    pieces = ", ".join(map(str, summary.partitions))
    line = f"takes {summary.accepted:,} of {summary.total:,} operators in {pieces} piece"
    line += "" if pieces == "1" else "s"
    if summary.api_level is not None:
        line += f"; needs feature level {summary.feature_level}: Android {summary.android}"
    color = "green" if summary.takes_all else "yellow"
    out.print(f"[bold {color}]{escape(summary.title)}[/] {escape(line)}")
    for word, style, objections in (
        ("refuses", "red", summary.refused),
        ("beware of", "yellow", summary.cautions),
    ):
        for objection in objections:
            _print_objection(word, style, objection, detailed)
    if detailed:
        out.print()


def _print_objection(word: str, style: str, objection, detailed: bool) -> None:
    name = escape(objection.describe())
    _print_indented(2, f"[{style}]{word}[/] {name}: {escape(objection.reason)}")
    layers = [layer for layer in objection.layers if layer]
    more = f" and {len(layers) - _SHOWN_LAYERS} more" if len(layers) > _SHOWN_LAYERS else ""
    notes = {"fix": objection.fix}
    if detailed:
        notes["in"] = ", ".join(layers[:_SHOWN_LAYERS]) + more
        notes["source"] = objection.source
    for title, note in notes.items():
        if note:
            _print_indented(4, f"[dim]{title}:[/] {escape(note)}")


def _print_indented(columns: int, markup: str) -> None:
    out.print(Padding(markup, (0, 0, 0, columns), expand=False))


def _print_contents(found) -> None:
    file = found.file
    table = _table()
    table.add_column("sizes")
    table.add_column("bytes", justify="right")
    table.add_column("share", justify="right")
    table.add_column("types")
    for group in found.sizes:
        table.add_row(group.name, file_size(group.size_bytes), percent(group.share), group.types)
    out.print(table)
    out.print(_signatures(found.signatures))
    labels = file.labels
    metadata = file.metadata
    packed = [f"{name} ({file_size(len(content))})" for name, content in file.packed.items()]
    rows = {
        "format": file.quantization,
        "name": None if metadata is None else metadata.name,
        "inputs in the metadata": None if metadata is None else ", ".join(metadata.input_names),
        "packed files": ", ".join(packed) or "none",
        "labels": "none" if labels is None else f"{len(labels):,}",
    }
    out.print(pairs_table("Metadata" if metadata is not None else "No metadata", rows))


def _signatures(signatures) -> Table:
    table = _table()
    for heading in ("signature", "inputs", "outputs"):
        table.add_column(heading)
    for signature in signatures:
        name = signature.name or "none: the main graph"
        table.add_row(escape(name), _tensors(signature.inputs), _tensors(signature.outputs))
    return table


def _tensors(tensors) -> str:
    """Names, types and shapes; tensors that differ in their name only share a line."""
    alike: dict[str, list[str]] = {}
    for tensor in tensors:
        kind = f"{tensor.type} ({', '.join(map(str, tensor.shape))})"
        alike.setdefault(kind, []).append(tensor.name)
    return escape("\n".join(f"{', '.join(names)}: {kind}" for kind, names in alike.items()))


def _table(**arguments) -> Table:
    return Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, **arguments)
