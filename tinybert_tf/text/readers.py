"""Labeled texts from CSV, TSV and JSON-lines files or the Hugging Face hub."""

import os
import re

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.columns import find_roles
from tinybert_tf.text.examples import Examples, check_classes, check_label_sets, sort_labels
from tinybert_tf.text.files import read_text
from tinybert_tf.text.hub import PREFIX, read_hub_table
from tinybert_tf.text.tables import read_table

__all__ = [
    "Examples",
    "check_classes",
    "check_label_sets",
    "read_examples",
    "read_labels",
    "sort_labels",
]


def read_examples(
    path: str | os.PathLike,
    text: str | None = None,
    label: str | None = None,
    text_pair: str | None = None,
    multi_label: bool = False,
    delimiter: str | None = None,
    require_labels: bool = True,
    scores: bool = False,
) -> Examples:
    """Reads texts and labels from a table with named columns.

    Args:
        path: path, or string. A .csv, .tsv or .jsonl file, perhaps with .gz, or
            `hf:NAME[:CONFIG][:SPLIT]`, a data set of the `datasets` library.
        text: string or None. The column of the texts. Defaults to `None`: recognized by the usual
            names (text, sentence, utterance, question, review, content, ...).
        label: string or None. The column of the labels. Defaults to `None`: recognized (label,
            intent, class, category, target, ...).
        text_pair: string or None. The column of the second texts. Defaults to `None`: recognized
            where the usual two stand together (sentence1 and sentence2, premise and hypothesis).
        multi_label: bool. Whether a row has any number of labels: a JSON list, or a cell that
            separates them by `|`, `;` or `,`. Defaults to `False`.
        delimiter: string or None. The character between fields. Defaults to `None`, by extension.
        require_labels: bool. Whether a file without a label column is refused. Defaults to `True`.
        scores: bool. Whether labels are scores: columns of that name are recognized too. Defaults
            to `False`.

    Returns:
        The `Examples`; labels are strings whatever the file holds.

    Raises:
        TinyBertError: If the file is unreadable, empty or malformed, a column is missing, or a row
            lacks its text or label; the message names file and line.
    """
    if isinstance(path, str) and path.startswith(PREFIX):
        table = read_hub_table(path)
    elif isinstance(path, (str, os.PathLike)):
        table = read_table(path, delimiter)
    else:
        raise TinyBertError(f"`path` is expected to be a path. Received: path={path!r}")
    roles = find_roles(table.columns, table.source, text, label, text_pair, require_labels, scores)

    def column(index: int | None, parse) -> list | None:
        if index is None:
            return None
        name = table.columns[index]
        return [
            parse(row[index], name, f"{table.source}:{line}")
            for line, row in zip(table.lines, table.rows, strict=True)
        ]

    return Examples(
        texts=column(roles.text, _text),
        labels=column(roles.label, _score if scores else _label_list if multi_label else _label),
        pairs=column(roles.text_pair, _text),
        source=table.source,
        lines=table.lines,
    )


def read_labels(path: str | os.PathLike) -> list[str]:
    """Reads a labels.txt: one label a line, in the order of the class ids.

    Raises:
        TinyBertError: If the file is unreadable or empty, or a line is blank or repeated.
    """
    lines = [line.strip() for line in read_text(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise TinyBertError(f"One label a line is expected. Received: {str(path)!r} is empty.")
    seen: dict[str, int] = {}
    for number, name in enumerate(lines, start=1):
        if not name or name in seen:
            fault = f"repeats {name!r} of line {seen[name]}" if name else "is blank"
            raise TinyBertError(
                f"Distinct labels, one a line, are expected. Received: {path}:{number} {fault}"
            )
        seen[name] = number
    return lines


def _text(value: object, column: str, place: str) -> str:
    # Token lists (slot-filling and tagging files) are texts too.
    if isinstance(value, list) and all(isinstance(token, str) for token in value):
        return " ".join(value)
    if not isinstance(value, str):
        raise TinyBertError(
            f"A text is expected in column {column!r}. Received: {place}: {value!r}"
        )
    return value


def _score(value: object, column: str, place: str) -> str:
    """A number as it is written, of JSON and hub data sets too."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    return _label(value, column, place)


def _label(value: object, column: str, place: str) -> str:
    name = _label_name(value)
    if not name:
        raise TinyBertError(
            f"A label is expected in column {column!r} of every row. Received: {place}: {value!r}"
        )
    return name


def _label_list(value: object, column: str, place: str) -> list[str]:
    values = re.split(r"[|;,]", value) if isinstance(value, str) else value
    if isinstance(values, (bool, int, float)):
        values = [values]
    names = [_label_name(item) for item in values] if isinstance(values, list) else [None]
    if isinstance(value, str):
        names = [name for name in names if name]
    if not all(names):
        raise TinyBertError(
            f"Labels are expected in column {column!r}: a list, or names between '|', ';' or ','. "
            f"Received: {place}: {value!r}"
        )
    return list(dict.fromkeys(names))


def _label_name(value: object) -> str | None:
    """Returns a label as a string, or None for a value that is no label."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int)):
        return str(value).strip()
    return None
