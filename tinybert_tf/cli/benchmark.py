"""`tinybert-tf benchmark`: how fast exported files are, side by side."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tinybert_tf.cli import options
from tinybert_tf.cli.console import err, hint, out
from tinybert_tf.cli.errors import guarded
from tinybert_tf.errors import TinyBertError

# Rows of an operator table that are worth a line; the rest is summed up.
_SHOWN_SHARE = 0.005

Files = Annotated[
    list[Path],
    typer.Argument(help="The .tflite files; the others are compared with the first."),
]
Threads = Annotated[
    str, typer.Option(help="Threads of the interpreter, several separated by commas.")
]
Lengths = Annotated[
    str | None,
    typer.Option(
        "--length",
        help="Only these numbers of tokens, separated by commas, of files with several.",
        show_default="all",
    ),
]
Repeats = Annotated[int, typer.Option(help="Timed calls of each row.", min=1)]
MemoryOption = Annotated[
    bool, typer.Option("--memory/--no-memory", help="Measure memory, in new processes.")
]
ByOperator = Annotated[
    bool, typer.Option("--by-operator", help="Time each operator of each file on its own, too.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@guarded
def benchmark(
    files: Files,
    threads: Threads = "2",
    length: Lengths = None,
    repeats: Repeats = 100,
    memory: MemoryOption = True,
    by_operator: ByOperator = False,
    as_json: Json = False,
    debug: options.Debug = False,
) -> None:
    """Time exported files on this machine, side by side in one run.

    The files take turns, so that whatever else the machine does slows all of them alike: compare
    the ratios and the minima. A call is one text without its tokenization. Memory is how much a
    new process grows that loads the file and calls it.

    Examples:

        tinybert-tf benchmark int8.tflite float32.tflite --threads 1,2
        tinybert-tf benchmark model.tflite --length 32,128 --by-operator
    """
    from tinybert_tf.export.benchmark import compare_files, file_contenders

    counts, lengths = _numbers("threads", threads), length and _numbers("length", length)
    contenders = file_contenders(files, counts, lengths)
    with _progress() as progress:
        task = progress.add_task("timing")

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        timings = compare_files(contenders, repeats=repeats, memory=memory, progress=show)
        costs = _costs(contenders, repeats, progress) if by_operator else []
    if as_json:
        report = {"rows": [timing.to_dict() for timing in timings]}
        if by_operator:
            report["operators"] = [{"file": str(c.path), **cost.to_dict()} for c, cost in costs]
        out.print_json(json.dumps(report))
        return
    out.print(_table(timings))
    for contender, cost in costs:
        out.print()
        out.print(_operator_table(contender, cost))
    if by_operator:
        hint("an operator is timed alone; within the graph it may cost more or less")
    elif len(files) == 1:
        hint("more files are compared with the first; --by-operator shows where the time goes")


def _costs(contenders, repeats: int, progress: Progress) -> list:
    """Pairs of a contender and its OperatorCosts."""
    from tinybert_tf.export.operator_costs import operator_costs

    costs = []
    for contender in contenders:
        task = progress.add_task(f"operators of {escape(contender.path.name)}")

        def show(done: int, total: int, task=task) -> None:
            progress.update(task, completed=done, total=total)

        cost = operator_costs(
            contender.path,
            contender.entry,
            threads=contender.threads,
            rounds=max(3, repeats // 5),
            progress=show,
        )
        costs.append((contender, cost))
    return costs


def _table(timings: list) -> Table:
    paths = {timing.contender.path for timing in timings}
    several, names = len(paths) > 1, _names(paths)
    with_memory = any(timing.memory is not None for timing in timings)
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("file", overflow="fold")
    for heading in ("tokens", "threads", "median ms", "min", "max"):
        table.add_column(heading, justify="right")
    if several:
        table.add_column("x first", justify="right")
    table.add_column("MB file", justify="right")
    if with_memory:
        table.add_column("MB memory", justify="right")
    for row in timings:
        contender, latency, ratio = row.contender, row.timing.latency, row.timing.ratio
        cells = [
            escape(names[contender.path]),
            str(contender.entry.sequence_length or "-"),
            str(contender.threads),
            *map(_digits, (latency.median_ms, latency.min_ms, latency.max_ms)),
        ]
        if several:
            cells.append(f"{ratio.median:.2f}")
        cells.append(_digits(contender.size_bytes / 1e6))
        if with_memory:
            cells.append("-" if row.memory is None else _digits(row.memory.resident_bytes / 1e6))
        table.add_row(*cells)
    return table


def _operator_table(contender, costs) -> Table:
    """Operators of one file, the cheap ones summed up."""
    tokens, threads = contender.entry.sequence_length, contender.threads
    title = f"{contender.path.name}: {tokens or '-'} tokens, {threads} thread{'s'[: threads > 1]}"
    whole = f"{_digits(costs.whole.median_ms)} ms (min {_digits(costs.whole.min_ms)})"
    caption = f"sum {_digits(costs.sum_ms)} ms; the whole graph {whole}"
    table = Table(
        box=None,
        padding=(0, 1),
        pad_edge=False,
        title=escape(title),
        title_justify="left",
        caption=caption,
        caption_justify="left",
    )
    table.add_column("operator")
    table.add_column("numbers")
    for heading in ("count", "ms", "share"):
        table.add_column(heading, justify="right")
    rows, total = costs.by_operator(), costs.sum_ms or 1.0
    shown = [row for row in rows if row[3] / total >= _SHOWN_SHARE]
    rest = rows[len(shown) :]
    if rest:
        shown.append(("others", "", sum(row[2] for row in rest), sum(row[3] for row in rest)))
    for operator, kind, count, milliseconds in shown:
        share = f"{100 * milliseconds / total:.1f} %"
        table.add_row(escape(operator), kind, str(count), f"{milliseconds:.3f}", share)
    return table


def _digits(value: float) -> str:
    """Three digits that count, from 0.001 on."""
    return f"{value:.{1 if value >= 10 else 2 if value >= 1 else 3}f}"


def _names(paths: set[Path]) -> dict[Path, str]:
    """File names where they are all different, else whole paths."""
    short = {path: path.name for path in paths}
    return short if len(set(short.values())) == len(paths) else {p: str(p) for p in paths}


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _numbers(option: str, text: str) -> list[int]:
    """Whole numbers above zero, each once.

    Raises:
        TinyBertError: If the text is anything else.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise TinyBertError(
            f"Expected --{option} to hold different whole numbers above 0, separated by commas. "
            f"Received: {text!r}"
        )
    return numbers
