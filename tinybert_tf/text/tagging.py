"""Sentences with one tag a word (entities, slots): CoNLL files and tables, and their tags."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.examples import LISTED, listed
from tinybert_tf.text.files import read_text
from tinybert_tf.text.hub import PREFIX, read_hub_table
from tinybert_tf.text.tables import DELIMITERS, JSON_LINES, Table, read_table
from tinybert_tf.text.tags import check_tag, entity_tags, is_tag, to_bio

__all__ = ["TaggedSentences", "check_tags", "entity_tags", "read_tagged", "to_bio"]

# In the order of preference; compared without case.
WORD_NAMES = ("tokens", "words", "text", "sentence")
TAG_NAMES = ("tags", "ner_tags", "slots", "labels")


@dataclass
class TaggedSentences:
    """Sentences as lists of words, each word with its tag.

    Attributes:
        words: list of lists of strings.
        tags: list of lists of strings, `"O"`, `"B-X"` or `"I-X"` for each word; None if the file
            holds no tags.
        source: string. The file or data set, for messages.
        lines: list of ints. Where each sentence starts: the line of the file, from 1, or the row
            of the data set, from 0.
    """

    words: list[list[str]]
    tags: list[list[str]] | None = None
    source: str = ""
    lines: list[int] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.words)

    def place(self, row: int) -> str:
        """Returns `"file:line"` of a sentence, for messages."""
        if row < len(self.lines):
            return f"{self.source}:{self.lines[row]}"
        return f"row {row} of {self.source}" if self.source else f"row {row}"


# === Checks ===


def check_tags(
    train: TaggedSentences | Sequence[Sequence[str]],
    dev: TaggedSentences | Sequence[Sequence[str]] | None = None,
) -> list[str]:
    """Checks that every type of `dev` occurs in `train`, and returns the labels of `train`.

    Args:
        train: `TaggedSentences`, or list of lists of tags.
        dev: the same, or None. Defaults to `None`.

    Returns:
        `entity_tags` of `train`.

    Raises:
        TinyBertError: If a tag is malformed, `train` holds no entity, or `dev` holds types that
            `train` lacks (named, with the first sentence of each).
    """
    train, dev = (_as_tagged(rows) for rows in (train, dev or []))
    known = entity_tags(train.tags or [])
    if len(known) == 1:
        raise TinyBertError(
            "Tagged sentences with at least one entity are expected. "
            f"Received: {train.source or 'tags'} without any"
        )
    unknown: dict[str, int] = {}
    for row, tags in enumerate(dev.tags or []):
        for tag in tags:
            if tag not in known:
                unknown.setdefault(tag.partition("-")[2], row)
    if unknown:
        found = ", ".join(
            f"{name!r} at {dev.place(row)}" for name, row in list(unknown.items())[:LISTED]
        )
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        types = listed(tag[2:] for tag in known[1::2])
        raise TinyBertError(
            "Entity types of the development data are expected to occur in the training data: "
            f"{types}. Received: {found}{more}"
        )
    return known


def _as_tagged(rows: TaggedSentences | Sequence[Sequence[str]]) -> TaggedSentences:
    if isinstance(rows, TaggedSentences):
        return rows
    tags = [to_bio(row, f"tags[{index}]") for index, row in enumerate(rows)]
    return TaggedSentences([[""] * len(row) for row in tags], tags)


# === Files ===


def read_tagged(
    path: str | os.PathLike,
    words: str | None = None,
    tags: str | None = None,
    require_tags: bool = True,
) -> TaggedSentences:
    """Reads sentences with one tag a word.

    Two kinds of file, told apart by the extension, are read, each perhaps with .gz:

    - CoNLL (.conll, .txt, .bio, .iob2, ...): one word a line, columns between tabs or else
      spaces, a blank line after a sentence. `-DOCSTART-` lines are skipped, and before a sentence
      comment lines that start with `# `.
    - Tables (.tsv, .csv, .jsonl) or `hf:NAME[:CONFIG][:SPLIT]`: one sentence a row. Words and
      tags are JSON lists, or strings with spaces between the words and between the tags.

    Args:
        path: path, or string.
        words: string or None. The column of the words: its name in a table, its number from 1 in
            a CoNLL file. Defaults to `None`: tokens, words, text or sentence; the first.
        tags: string or None. The column of the tags. Defaults to `None`: tags, ner_tags, slots or
            labels; the last.
        require_tags: bool. Whether a file without tags is refused. Defaults to `True`.

    Returns:
        The `TaggedSentences`, their tags converted to BIO; see `to_bio`.

    Raises:
        TinyBertError: If the file is unreadable, empty or malformed, a column is missing, a
            sentence has not as many tags as words, or a tag is of no accepted scheme; the message
            names file and line.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TinyBertError(f"`path` is expected to be a path. Received: path={path!r}")
    if isinstance(path, str) and path.startswith(PREFIX):
        return _from_table(read_hub_table(path), words, tags, require_tags)
    suffix = Path(os.fspath(path).lower().removesuffix(".gz")).suffix
    if suffix in DELIMITERS or suffix in JSON_LINES:
        return _from_table(read_table(path), words, tags, require_tags)
    return _from_conll(path, words, tags, require_tags)


# === CoNLL ===


def _from_conll(
    path: str | os.PathLike, words: str | None, tags: str | None, require_tags: bool
) -> TaggedSentences:
    source = str(path)
    word_index = 0 if words is None else _number("words", words)
    tag_index = -1 if tags is None else _number("tags", tags)
    starts, sentences = _conll_sentences(read_text(path))
    if not sentences:
        raise TinyBertError(
            f"A file with at least one sentence is expected. Received: {source!r} has none."
        )
    columns = max(len(fields) for sentence in sentences for fields in sentence)
    tagged = require_tags or columns > word_index + 1
    result = TaggedSentences([], [] if tagged else None, source, starts)
    for start, sentence in zip(starts, sentences, strict=True):
        row_words, row_tags = [], []
        for line, fields in enumerate(sentence, start=start):
            row_words.append(_field(fields, word_index))
            row_tags.append(_field(fields, tag_index) if len(fields) > 1 else "")
            if not row_words[-1] or (tagged and not row_tags[-1]):
                raise TinyBertError(
                    f"A word{' and its tag' if tagged else ''} is expected in every line, with a "
                    f"tab or a space between columns. Received: {source}:{line}: "
                    f"{' '.join(fields)!r}"
                )
            if tagged:
                check_tag(row_tags[-1], f"{source}:{line}: the tag of {row_words[-1]!r}")
        result.words.append(row_words)
        if tagged:
            result.tags.append(to_bio(row_tags))
    return result


def _conll_sentences(text: str) -> tuple[list[int], list[list[list[str]]]]:
    """Returns the first line of each sentence, and each sentence's lines as lists of fields."""
    starts, sentences = [], []
    inside = False
    # Not splitlines(): words may hold U+2028 and the like.
    for line, content in enumerate(text.split("\n"), start=1):
        content = content.rstrip(" \t\r")
        fields = _fields(content)
        if not content or fields[0] == "-DOCSTART-":
            inside = False
        elif inside:
            sentences[-1].append(fields)
        elif not _is_comment(content, fields):
            starts.append(line)
            sentences.append([fields])
            inside = True
    return starts, sentences


def _fields(content: str) -> list[str]:
    if "\t" in content:
        return [part.strip(" ") for part in content.split("\t")]
    return [part for part in content.split(" ") if part]


def _is_comment(content: str, fields: list[str]) -> bool:
    """Tells `# text = Hi` from the word `#` with its tag, and from `# a` with a tag."""
    if not content.startswith("# "):
        return False
    if "\t" in content:  # MultiCoNER's "# id 7f2c<tab>domain=en"
        return fields[0] != "#" and any("=" in field for field in fields)
    return fields[2:3] == ["="] or not is_tag(fields[-1])


def _field(fields: list[str], index: int) -> str:
    return fields[index] if index < len(fields) else ""


def _number(argument: str, value: str) -> int:
    if not str(value).isdecimal() or int(value) < 1:
        raise TinyBertError(
            f"`{argument}` is expected to be the number of a column, from 1, for a CoNLL file "
            f"(names are for .tsv, .csv and .jsonl). Received: {argument}={value!r}"
        )
    return int(value) - 1


# === Tables ===


def _from_table(
    table: Table, words: str | None, tags: str | None, require_tags: bool
) -> TaggedSentences:
    word_index = _find_column(table, "words", words, WORD_NAMES)
    tag_index = _find_column(table, "tags", tags, TAG_NAMES, required=require_tags)
    result = TaggedSentences([], None if tag_index is None else [], table.source, table.lines)
    for row, values in enumerate(table.rows):
        place = result.place(row)
        row_words = _cell(values[word_index], table.columns[word_index], place)
        result.words.append(row_words)
        if tag_index is None:
            continue
        row_tags = _cell(values[tag_index], table.columns[tag_index], place)
        if len(row_tags) != len(row_words):
            raise TinyBertError(
                "As many tags as words are expected. "
                f"Received: {place} has {len(row_words)} words and {len(row_tags)} tags"
            )
        for position, tag in enumerate(row_tags):
            check_tag(tag, f"{place}: tag {position + 1}")
        result.tags.append(to_bio(row_tags))
    return result


def _find_column(
    table: Table, argument: str, name: str | None, usual: tuple[str, ...], required: bool = True
) -> int | None:
    if name is not None:
        if name in table.columns:
            return table.columns.index(name)
        expected = f"The {argument} column {name!r} is expected"
    else:
        folded = [column.casefold() for column in table.columns]
        found = next((folded.index(candidate) for candidate in usual if candidate in folded), None)
        if found is not None or not required:
            return found
        expected = (
            f"A {argument} column is expected: one of {', '.join(usual)}, or the one that the "
            f"argument `{argument}` names; one sentence a row"
        )
    hint = ""
    if is_tag(table.columns[-1]):
        hint = ". Is it a CoNLL file, one word a line? Then let its name end in .conll"
    raise TinyBertError(
        f"{expected}. Received: {table.source} with the columns {listed(table.columns)}{hint}"
    )


def _cell(value: object, column: str, place: str) -> list[str]:
    """Returns the strings of a JSON list, or those between the spaces of a string."""
    if isinstance(value, str):
        value = _json_list(value) or [part for part in re.split("[ \t\r\n]+", value) if part]
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value
    raise TinyBertError(
        f"Column {column!r} is expected to hold a list of strings, or a string with spaces "
        f"between them. Received: {place}: {value!r}"
    )


def _json_list(text: str) -> list[str] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return None
    return value if all(isinstance(item, str) for item in value) else None
