"""Questions on contexts from SQuAD's JSON and from JSON lines, each answer checked in its place."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text
from tinybert_tf.text.tables import JSON_LINES, read_table

_SHAPE = 'SQuAD\'s JSON, {"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}, is expected.'


@dataclass(frozen=True)
class Answer:
    """An answer as it stands in its context.

    Attributes:
        text: string.
        start: int. The first character in the context, counted from 0 in code points.
    """

    text: str
    start: int

    @property
    def end(self) -> int:
        """The character after the last."""
        return self.start + len(self.text)


@dataclass
class Questions:
    """Questions with the contexts that answer them, row by row.

    Attributes:
        ids: list of strings, all different.
        questions: list of strings.
        contexts: list of strings.
        answers: list of lists of `Answer`, an empty list where the context holds none; None if
            the file holds no answers.
        source: string. The file, for messages.
        places: list of strings. Where each row stands, for messages.
    """

    ids: list[str]
    questions: list[str]
    contexts: list[str]
    answers: list[list[Answer]] | None = None
    source: str = ""
    places: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.questions)

    def place(self, row: int) -> str:
        """Returns file and question id of a row, for messages."""
        if row < len(self.places):
            return self.places[row]
        return f"row {row} of {self.source}" if self.source else f"row {row}"


def read_squad(path: str | os.PathLike, require_answers: bool = True) -> Questions:
    """Reads questions, contexts and answers.

    A .jsonl or .ndjson file holds one question a line with `question`, `context`, perhaps `id`,
    and `answers` as Hugging Face's data sets have it, `{"text": [...], "answer_start": [...]}`.
    Any other file is read as the JSON of SQuAD 1.1 or 2.0. Both may be compressed (.gz).

    Args:
        path: path. The file.
        require_answers: bool. Whether a question without `answers`, or with an empty list that
            `is_impossible` does not explain (SQuAD's JSON), is refused. Defaults to `True`.

    Returns:
        The `Questions`.

    Raises:
        TinyBertError: If the file is unreadable, empty or malformed, a field is missing, an id is
            repeated, or an answer does not stand in its context where it should; the message
            names the file and the question.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TinyBertError(f"`path` is expected to be a path. Received: path={path!r}")
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    read_rows = _json_lines_rows if suffixes[-1:] and suffixes[-1] in JSON_LINES else _squad_rows
    rows = list(read_rows(path, require_answers))
    if not rows:
        raise TinyBertError(f"At least one question is expected. Received: {str(path)!r} has none.")
    _check_ids(rows)
    unanswered = [row.place for row in rows if row.answers is None]
    if 0 < len(unanswered) < len(rows):
        raise TinyBertError(
            f"'answers' is expected in all questions or in none. Received: {unanswered[0]} lacks it"
        )
    return Questions(
        ids=[row.question_id for row in rows],
        questions=[row.question for row in rows],
        contexts=[row.context for row in rows],
        answers=None if unanswered else [row.answers for row in rows],
        source=str(path),
        places=[row.place for row in rows],
    )


@dataclass
class _Row:
    question_id: str
    question: str
    context: str
    answers: list[Answer] | None
    place: str


# === Files ===


def _squad_rows(path: str | os.PathLike, require_answers: bool) -> Iterator[_Row]:
    text = read_text(path)
    if not text.strip():
        raise TinyBertError(f"A file with data is expected. Received: {str(path)!r} is empty.")
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        hint = ". One object a line? Then name the file .jsonl" if "Extra" in str(error) else ""
        raise TinyBertError(f"{_SHAPE} Received: {path}: {error}{hint}") from error
    for number, article in enumerate(_objects(content, "data", str(path))):
        place = f"{path}: data[{number}]"
        for index, paragraph in enumerate(_objects(article, "paragraphs", place)):
            paragraph_place = f"{place}.paragraphs[{index}]"
            context = _text(paragraph, "context", paragraph_place)
            for position, item in enumerate(_objects(paragraph, "qas", paragraph_place)):
                question_id = _identity(item.get("id"), f"{paragraph_place}.qas[{position}]")
                place_of_question = f"{path}: question {question_id!r}"
                question = _text(item, "question", place_of_question)
                answers = _answers(item, context, place_of_question, require_answers)
                _check_impossible(item, answers, place_of_question, require_answers)
                yield _Row(question_id, question, context, answers, place_of_question)


def _json_lines_rows(path: str | os.PathLike, require_answers: bool) -> Iterator[_Row]:
    table = read_table(path)
    for line, values in zip(table.lines, table.rows, strict=True):
        place = f"{path}:{line}"
        item = dict(zip(table.columns, values, strict=True))
        question_id = str(line)
        if item.get("id") is not None:
            question_id = _identity(item["id"], place)
            place = f"{place}: question {question_id!r}"
        question, context = _text(item, "question", place), _text(item, "context", place)
        answers = _answers(item, context, place, require_answers)
        yield _Row(question_id, question, context, answers, place)


def _objects(parent: object, name: str, place: str) -> list[dict]:
    """Returns the list of objects under `name`."""
    items = parent.get(name) if isinstance(parent, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TinyBertError(
            f"{_SHAPE} Received: {place} without a list of objects in the field {name!r}"
        )
    return items


# === Fields ===


def _text(item: dict, name: str, place: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value.strip():
        received = "without it" if value is None else f"has {_shortened(value)}"
        raise TinyBertError(
            f"A text is expected in the field {name!r}. Received: {place} {received}"
        )
    return value


def _identity(value: object, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise TinyBertError(
            f"A string is expected in the field 'id'. Received: {place} has {_shortened(value)}"
        )
    return str(value)


def _check_ids(rows: list[_Row]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        if row.question_id in seen:
            raise TinyBertError(
                "Every question is expected to have its own id. "
                f"Received: {row.place} repeats the id of {seen[row.question_id]}"
            )
        seen[row.question_id] = row.place


def _check_impossible(
    item: dict, answers: list[Answer] | None, place: str, require_answers: bool
) -> None:
    impossible = item.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise TinyBertError(
            f"true or false is expected in the field 'is_impossible'. Received: {place} has "
            f"{_shortened(impossible)}"
        )
    if impossible and answers:
        raise TinyBertError(
            f"No answers are expected where 'is_impossible' is true. Received: {place} with "
            f"{_shortened(answers[0].text)}"
        )
    if require_answers and not impossible and not answers:
        raise TinyBertError(
            "At least one answer, or 'is_impossible': true, is expected. "
            f"Received: {place} without answers"
        )


def _answers(item: dict, context: str, place: str, require_answers: bool) -> list[Answer] | None:
    value = item.get("answers")
    if value is None and not require_answers:
        return None
    if isinstance(value, dict):
        value = _transposed(value, place)
    if not isinstance(value, list) or not all(isinstance(answer, dict) for answer in value):
        received = "without it" if value is None else f"has {_shortened(value)}"
        raise TinyBertError(
            "A list of {'text', 'answer_start'} is expected in the field 'answers'. "
            f"Received: {place} {received}"
        )
    return [_answer(answer, context, place) for answer in value]


def _transposed(columns: dict, place: str) -> list[dict]:
    """Turns `{"text": [...], "answer_start": [...]}` into a list of answers."""
    texts, starts = columns.get("text"), columns.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise TinyBertError(
            "Lists of the same length are expected in 'answers': 'text' and 'answer_start'. "
            f"Received: {place} with {_shortened(columns)}"
        )
    return [
        {"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)
    ]


def _answer(item: dict, context: str, place: str) -> Answer:
    text, start = _text(item, "text", f"{place}, an answer"), item.get("answer_start")
    if isinstance(start, bool) or not isinstance(start, int):
        raise TinyBertError(
            "A character offset is expected in the field 'answer_start'. "
            f"Received: {place}, answer {_shortened(text)}: answer_start={start!r}"
        )
    if start < 0 or not context.startswith(text, start):
        raise TinyBertError(
            "An answer is expected to stand in its context at 'answer_start', in characters. "
            f"Received: {place}, answer {_shortened(text)}: answer_start={start}, where "
            f"{_found(context, start, len(text))}; {_elsewhere(context, text, start)}"
        )
    return Answer(text, start)


def _found(context: str, start: int, length: int) -> str:
    if 0 <= start < len(context):
        return f"{_shortened(context[start : start + length])} stands"
    return f"nothing stands in a context of {len(context)} characters"


def _elsewhere(context: str, text: str, start: int) -> str:
    """Says where the answer nearest to `start` is."""
    after = context.find(text, max(start, 0))
    before = context.rfind(text, 0, max(start, 0) + len(text) - 1)
    places = [place for place in (before, after) if place >= 0]
    if not places:
        return "the context does not hold it"
    return f"the nearest place that holds it is {min(places, key=lambda at: abs(at - start))}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
