"""CSV, TSV and JSON-lines files as tables whose rows know their line numbers."""

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")


@dataclass
class Table:
    """Named columns; each row is a list of values beside the line that it starts at."""

    columns: list[str]
    rows: list[list[object]]
    lines: list[int]
    source: str


def read_table(path: str | os.PathLike, delimiter: str | None = None) -> Table:
    """Reads a file by its extension: .csv, .tsv, .tab, .jsonl, .ndjson, each perhaps with .gz.

    CSV follows RFC 4180 (quoted fields may hold delimiters and line breaks). TSV has no quoting.
    Blank lines are skipped. A byte order mark is accepted, and any of the usual line ends.

    Args:
        path: path. The file.
        delimiter: string or None. One character that separates fields, for any extension; a tab
            is read as TSV, others as CSV. Defaults to `None`, by extension; a .csv whose header
            has semicolons and no comma is parted by semicolons.

    Raises:
        TinyBertError: If the file cannot be read or is malformed; the message names the line.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = "".join(suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    if delimiter is None and suffix not in DELIMITERS and suffix not in JSON_LINES:
        raise TinyBertError(
            f"A file ending in {', '.join([*DELIMITERS, *JSON_LINES])} (and perhaps .gz) is "
            f"expected, or `delimiter`. Received: {str(path)!r}"
        )
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise TinyBertError(
            f"`delimiter` is expected to be one character. Received: delimiter={delimiter!r}"
        )
    text = read_text(path)
    if not text.strip():
        raise TinyBertError(f"A file with data is expected. Received: {str(path)!r} is empty.")
    if delimiter is None and suffix in JSON_LINES:
        return _parse_json_lines(text, str(path))
    if delimiter is None and suffix == ".csv" and _parted_by_semicolons(text):
        delimiter = ";"
    return _parse_delimited(text, str(path), delimiter or DELIMITERS[suffix])


# === Delimited ===


def _parted_by_semicolons(text: str) -> bool:
    """Whether the header is one that spreadsheets write where the comma is a decimal mark."""
    header = text.lstrip().partition("\n")[0]
    return ";" in header and "," not in header


def _parse_delimited(text: str, source: str, delimiter: str) -> Table:
    records = _records(text, source, delimiter)
    line, header = next(records, (1, [""]))
    columns = [name.strip() for name in header]
    _check_columns(columns, f"{source}:{line}")
    rows, lines = [], []
    for line, row in records:
        if len(row) != len(columns):
            quoting = "" if delimiter == "\t" else "; a field that holds the delimiter needs quotes"
            raise TinyBertError(
                f"{len(columns)} fields ({', '.join(columns)}) are expected in every row. "
                f"Received: {source}:{line} has {len(row)}{quoting}"
            )
        rows.append(row)
        lines.append(line)
    return Table(columns, _require_rows(rows, source), lines, source)


def _records(text: str, source: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yields `(first line, fields)` of each record that is not blank."""
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            with _long_fields():
                row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TinyBertError(
                f"Well-formed fields are expected. Received: {source}:{line}: {error}"
            ) from error
        if len(row) > 1 or any(field.strip() for field in row):
            yield line, row


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Lifts the csv module's process-wide limit of 131,072 characters a field for a while."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _check_columns(columns: list[str], place: str) -> None:
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise TinyBertError(
            "Distinct column names are expected. "
            f"Received: {place} repeats {', '.join(map(repr, repeated))}"
        )


def _require_rows(rows: list, source: str) -> list:
    if not rows:
        raise TinyBertError(
            f"At least one row after the header is expected. Received: {source!r} has none."
        )
    return rows


# === JSON lines ===


def _parse_json_lines(text: str, source: str) -> Table:
    objects, lines = [], []
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            objects.append(_parse_object(content, f"{source}:{line}"))
            lines.append(line)
    columns = list(dict.fromkeys(name for row in objects for name in row))
    rows = [[row.get(name) for name in columns] for row in objects]
    return Table(columns, _require_rows(rows, source), lines, source)


def _parse_object(content: str, place: str) -> dict:
    def pairs(items: list[tuple[str, object]]) -> dict:
        _check_columns([name for name, _ in items], place)
        return dict(items)

    try:
        value = json.loads(content, object_pairs_hook=pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise TinyBertError(
            f"One JSON object a line is expected. Received: {place}: {error}"
        ) from error
    if not isinstance(value, dict):
        raise TinyBertError(
            f"One JSON object a line is expected. Received: {place} holds a {type(value).__name__}"
        )
    return value
