"""Sources and targets side by side: translations, articles with their summaries."""

import os
from dataclasses import dataclass

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.examples import listed
from tinybert_tf.text.tables import Table, read_table

# In the order of preference; compared without case.
SOURCE_NAMES = ("source", "src", "article", "document", "dialogue", "text", "english", "en")
TARGET_NAMES = (
    *("target", "tgt", "translation", "summary", "highlights", "abstract", "headline"),
    *("chinese", "zh", "cmn"),
)


@dataclass(frozen=True)
class ParallelTexts:
    """Texts beside what a model is to make of them.

    Attributes:
        sources: list of strings.
        targets: list of strings, one a source.
        source: string. The file.
        lines: list of ints. The line of each pair, from 1.
    """

    sources: list[str]
    targets: list[str]
    source: str
    lines: list[int]

    def __len__(self) -> int:
        return len(self.sources)

    def place(self, row: int) -> str:
        """`file:line` of a pair."""
        return f"{self.source}:{self.lines[row]}"


def read_parallel(
    path: str | os.PathLike,
    source: str | int | None = None,
    target: str | int | None = None,
    delimiter: str | None = None,
) -> ParallelTexts:
    """Reads pairs from a .csv, .tsv or .jsonl file, perhaps with .gz.

    Args:
        path: path. The file.
        source: string or int. The column of the sources, by name, or by position from 0 in a file
            whose first row is data. Defaults to `None`: recognized by the usual names (source,
            src, article, ...).
        target: string or int. The column of the targets. Defaults to `None`: recognized (target,
            translation, summary, ...).
        delimiter: string. The character between fields. Defaults to `None`, by extension.

    Raises:
        TinyBertError: If the file is unreadable or malformed, a column is missing, or a side of a
            pair is empty; the message names file and line.
    """
    table = read_table(path, delimiter)
    positions = [isinstance(column, int) for column in (source, target)]
    if any(positions) and not all(positions):
        raise TinyBertError(
            "Expected two names of columns or two positions. "
            f"Received: source={source!r}, target={target!r}"
        )
    if all(positions):
        table = _without_header(table, max(source, target))
        columns = (source, target)
    else:
        columns = (
            _find_column(table, "source", source, SOURCE_NAMES),
            _find_column(table, "target", target, TARGET_NAMES),
        )
    if columns[0] == columns[1] or min(columns) < 0:
        raise TinyBertError(
            f"Expected two different columns. Received: source={source!r}, target={target!r}"
        )
    sources, targets = (
        [
            _text(row[column], side, f"{table.source}:{line}")
            for line, row in zip(table.lines, table.rows, strict=True)
        ]
        for side, column in zip(("source", "target"), columns, strict=True)
    )
    return ParallelTexts(sources, targets, table.source, table.lines)


def _without_header(table: Table, last: int) -> Table:
    """The table with its first row, which was read as names, as data."""
    if last >= len(table.columns):
        raise TinyBertError(
            f"Expected positions up to {len(table.columns) - 1}. "
            f"Received: position {last}, {table.source} with {len(table.columns)} columns"
        )
    rows, lines = [list(table.columns), *table.rows], [1, *table.lines]
    return Table(table.columns, rows, lines, table.source)


def _find_column(table: Table, side: str, name: str | None, usual: tuple[str, ...]) -> int:
    if name is not None:
        if name in table.columns:
            return table.columns.index(name)
        raise TinyBertError(
            f"Expected the {side} column {name!r}. "
            f"Received: {table.source} with the columns {listed(table.columns)}"
        )
    position = {column.casefold(): index for index, column in enumerate(table.columns)}
    found = next((position[name] for name in usual if name in position), None)
    if found is None:
        raise TinyBertError(
            f"Expected a {side} column: one of {', '.join(usual)}, or the one that the argument "
            f"`{side}` names. In a file without a header give positions, such as source=0, "
            f"target=1. Received: {table.source} with the columns {listed(table.columns)}"
        )
    return found


def _text(value: object, side: str, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TinyBertError(f"Expected a {side} text in every row. Received: {place}: {value!r}")
    return value.strip()
