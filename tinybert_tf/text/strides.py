"""Questions with long contexts as overlapping windows, each piece with its place in the text."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.squad import Answer
from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.wordpiece import WordPiece


@dataclass(frozen=True, eq=False)
class EncodedQuestions:
    """Windows `[CLS] question [SEP] part of the context [SEP]`, in the order of the questions.

    Each list has one int32 array a window, of the window's length.

    Attributes:
        token_ids: list of arrays `(length,)`.
        segment_ids: list of arrays `(length,)`. 0 up to the first `[SEP]`, 1 after.
        row: int32 array `(windows,)`. Which question; every question has at least one window.
        offsets: list of arrays `(length, 2)`. First character of each context piece in its
            context, and the one after its last; -1 for all other pieces.
        context_mask: list of arrays `(length,)`. 1 on context pieces.
        best_context: list of arrays `(length,)`. 1 on each context piece in that one window of
            its question where it has most context.
    """

    token_ids: list[np.ndarray]
    segment_ids: list[np.ndarray]
    row: np.ndarray
    offsets: list[np.ndarray]
    context_mask: list[np.ndarray]
    best_context: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def num_questions(self) -> int:
        """The number of questions."""
        return int(self.row[-1]) + 1 if len(self) else 0


def encode_questions(
    wordpiece: WordPiece,
    questions: Iterable[str],
    contexts: Iterable[str],
    max_length: int = 384,
    stride: int = 128,
    max_question: int = 64,
) -> EncodedQuestions:
    """Turns questions and contexts of any length into windows of at most `max_length` pieces.

    Windows are those of BERT's `run_squad.py`: each starts `stride` pieces after the one before
    (its `doc_stride`) until one reaches the end of the context.

    Args:
        wordpiece: WordPiece. The tokenizer.
        questions: list of strings.
        contexts: list of strings, one for each question. One without pieces has a window without
            context.
        max_length: int. Pieces of a window, special tokens included. Defaults to `384`.
        stride: int. How many pieces after the one before a window starts; less where the window
            itself is shorter. Defaults to `128`.
        max_question: int. Longer questions are cut at the end. Defaults to `64`.

    Raises:
        TinyBertError: If a row is no string, the numbers of questions and contexts differ, or
            `max_length` leaves no room for a context beside a question of `max_question` pieces.
    """
    questions, contexts = check_strings(questions, "questions"), check_strings(contexts, "contexts")
    if len(questions) != len(contexts):
        raise TinyBertError(
            "Expected one context for each question. "
            f"Received: {len(questions)} questions and {len(contexts)} contexts"
        )
    for name, value in (("stride", stride), ("max_question", max_question)):
        _check_integer(name, value, 1)
    _check_integer("max_length", max_length, max_question + 4)

    places = dict.fromkeys(contexts)
    for context, (ids, offsets) in zip(places, wordpiece.encode_offsets(places), strict=True):
        places[context] = ids, _with_marks(context, offsets)
    windows = []
    for row, (question, _) in enumerate(wordpiece.encode_offsets(questions)):
        ids, offsets = places[contexts[row]]
        head = np.array([wordpiece.cls_id, *question[:max_question], wordpiece.sep_id], "int32")
        spans = _spans(len(ids), max_length - len(head) - 1, stride)
        best = _best_windows(len(ids), spans)
        for number, (start, end) in enumerate(spans):
            token_ids = np.concatenate([head, ids[start:end], [wordpiece.sep_id]], dtype="int32")
            part = slice(len(head), len(token_ids) - 1)
            best_context = best[start:end] == number
            windows.append(_window(token_ids, part, offsets[start:end], best_context, row))
    columns = [list(column) for column in zip(*windows, strict=True)] or [[] for _ in range(6)]
    columns[2] = np.array(columns[2], "int32")
    return EncodedQuestions(*columns)


def answer_positions(encoded: EncodedQuestions, answers: Sequence[Sequence[Answer]]) -> np.ndarray:
    """Finds the first answer of each question in the windows.

    Args:
        encoded: EncodedQuestions.
        answers: list of lists of `Answer`, one list for each question, empty where the context
            holds no answer.

    Returns:
        int32 array `(windows, 2)`: the first and the last piece of the answer, counted from the
        start of the window; `(0, 0)`, which is `[CLS]`, where the window does not hold the whole
        answer.

    Raises:
        TinyBertError: If there is not one list for each question.
    """
    if len(answers) != encoded.num_questions:
        raise TinyBertError(
            "Expected one list of answers for each question. "
            f"Received: {len(answers)} lists for {encoded.num_questions} questions"
        )
    positions = np.zeros((len(encoded), 2), "int32")
    first_start = np.full(len(answers), np.iinfo("int32").max)
    last_end = np.full(len(answers), -1)
    for window, row in enumerate(encoded.row):
        if not answers[row]:
            continue
        answer, offsets = answers[row][0], encoded.offsets[window]
        held = np.flatnonzero((offsets[:, 0] < answer.end) & (offsets[:, 1] > answer.start))
        if len(held):
            positions[window] = held[0], held[-1]
            first_start[row] = min(first_start[row], offsets[held[0], 0])
            last_end[row] = max(last_end[row], offsets[held[-1], 1])
    for window, (start, end) in enumerate(positions):
        row, offsets = encoded.row[window], encoded.offsets[window]
        if offsets[start, 0] > first_start[row] or offsets[end, 1] < last_end[row]:
            positions[window] = 0
    return positions


# === Windows ===


def _spans(count: int, room: int, stride: int) -> list[tuple[int, int]]:
    """Cuts `count` pieces into spans of at most `room`; one empty span if there are none."""
    spans = [(0, min(count, room))]
    while spans[-1][1] < count:
        start = spans[-1][0] + min(room, stride)
        spans.append((start, min(count, start + room)))
    return spans


def _best_windows(count: int, spans: list[tuple[int, int]]) -> np.ndarray:
    """Chooses for each piece the span where it has most context on its poorer side, `(count,)`.

    `_check_is_max_context` in BERT's `run_squad.py`: 100 pieces more of span count as one more of
    context, and of equal spans the first is chosen.
    """
    best, scores = np.zeros(count, "int32"), np.full(count, -np.inf)
    for number, (start, end) in enumerate(spans):
        left = np.arange(end - start)
        score = np.minimum(left, left[::-1]) + 0.01 * (end - start)
        better = score > scores[start:end]
        best[start:end][better] = number
        scores[start:end][better] = score[better]
    return best


def _window(
    token_ids: np.ndarray, part: slice, offsets: np.ndarray, best: np.ndarray, row: int
) -> tuple:
    """Lays out one window, in the order of the fields of `EncodedQuestions`."""
    segment_ids, context_mask, best_context = np.zeros((3, len(token_ids)), "int32")
    segment_ids[part.start :] = 1
    context_mask[part] = 1
    best_context[part] = best
    places = np.full((len(token_ids), 2), -1, "int32")
    places[part] = offsets
    return token_ids, segment_ids, row, places, context_mask, best_context


def _with_marks(text: str, offsets: np.ndarray) -> np.ndarray:
    """Stretches pieces over the accents behind them, which the tokenizer strips from the ends."""
    if text.isascii():
        return offsets
    marks = np.array([unicodedata.category(character) == "Mn" for character in text])
    if not marks.any():
        return offsets
    others = np.append(np.flatnonzero(~marks), len(text))
    # The first character from each end on that is no accent, but not beyond the next piece.
    ends = others[np.searchsorted(others, offsets[:, 1])]
    following = np.append(offsets[1:, 0], len(text))
    stretched = np.maximum(offsets[:, 1], np.minimum(ends, following))
    return np.stack([offsets[:, 0], stretched], axis=1).astype("int32")


def _check_integer(name: str, value: object, minimum: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < minimum:
        because = ": the question, a piece of context, [CLS] and two [SEP]"
        raise TinyBertError(
            f"Expected `{name}` to be an integer of at least {minimum}"
            f"{because if name == 'max_length' else ''}. Received: {name}={value!r}"
        )
