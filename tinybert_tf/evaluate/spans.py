"""Spans of a context out of start and end logits."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinybert_tf.errors import TinyBertError

if TYPE_CHECKING:
    from tinybert_tf.text.strides import EncodedQuestions

# Scripts without spaces: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Prediction:
    """The answer to one question.

    Attributes:
        text: string. The slice `[start:end]` of the context; empty for no answer.
        start: int. Its first character.
        end: int. The character after its last.
        score: float. Start logit plus end logit: those of `[CLS]` for no answer.
        null_score: float or None. Start logit plus end logit of `[CLS]`, the least of the
            question's windows. Defaults to `None`.
    """

    text: str
    start: int
    end: int
    score: float
    null_score: float | None = None


def decode_spans(
    encoded: "EncodedQuestions",
    start_logits: Sequence[np.ndarray],
    end_logits: Sequence[np.ndarray],
    contexts: Sequence[str],
    max_answer_tokens: int = 30,
    null_threshold: float | None = None,
    top: int = 20,
) -> list[Prediction]:
    """Finds each question's best span over all of its windows, as BERT's `run_squad.py`.

    A span lies in the context and starts at a piece that has its most context in this window. An
    answer holds whole words: the pieces beside its ends that belong to them come with it.

    Args:
        encoded: EncodedQuestions. The windows.
        start_logits: list of float arrays `(length,)`, one a window. What a row has beyond the
            window's length counts as padding.
        end_logits: list of float arrays, as `start_logits`.
        contexts: list of strings, one for each question, as they were encoded.
        max_answer_tokens: int. Pieces of an answer at most. Defaults to `30`.
        null_threshold: float or None. There is no answer where the null score less the best
            span's exceeds this (SQuAD 2.0). Defaults to `None`: every question has an answer.
        top: int. How many starts of a window are tried, best first, each with its best end.
            Defaults to `20`.

    Returns:
        List of `Prediction`, one for each question; one without text where the context has no
        pieces.

    Raises:
        TinyBertError: If logits and windows, or contexts and questions, do not fit each other, a
            logit is not finite, or `max_answer_tokens` or `top` is below 1.
    """
    _check_logits(encoded, start_logits, end_logits)
    if len(contexts) != encoded.num_questions:
        raise TinyBertError(
            "Expected the contexts that were encoded. "
            f"Received: {len(contexts)} contexts for {encoded.num_questions} questions"
        )
    if max_answer_tokens < 1 or top < 1:
        raise TinyBertError(
            "Expected at least one piece an answer and one start to try. "
            f"Received: max_answer_tokens={max_answer_tokens!r}, top={top!r}"
        )
    best = [(-np.inf, 0, 0)] * len(contexts)
    null_scores = np.full(len(contexts), np.inf)
    for window, row in enumerate(encoded.row):
        length = len(encoded.token_ids[window])
        starts = np.asarray(start_logits[window], "float64")[:length]
        ends = np.asarray(end_logits[window], "float64")[:length]
        null_scores[row] = min(null_scores[row], starts[0] + ends[0])
        candidates = np.flatnonzero(encoded.best_context[window])
        candidates = candidates[np.argsort(-starts[candidates], kind="stable")[:top]]
        if not len(candidates):
            continue
        ends = np.where(encoded.context_mask[window], ends, -np.inf)
        score, first, last = _best_span(starts, ends, candidates, min(max_answer_tokens, length))
        if score > best[row][0]:
            offsets = encoded.offsets[window]
            best[row] = score, int(offsets[first, 0]), int(offsets[last, 1])
    return [
        _prediction(context, *span, float(null_score), null_threshold)
        for context, span, null_score in zip(contexts, best, null_scores, strict=True)
    ]


def _best_span(
    starts: np.ndarray, ends: np.ndarray, candidates: np.ndarray, longest: int
) -> tuple[float, int, int]:
    """Returns score, first and last piece of the best span that starts at a candidate."""
    padded = np.concatenate([ends, np.full(longest, -np.inf)])
    scores = starts[candidates, None] + padded[candidates[:, None] + np.arange(longest)]
    choice, more = np.unravel_index(scores.argmax(), scores.shape)
    first = int(candidates[choice])
    return float(scores[choice, more]), first, first + int(more)


def _prediction(
    context: str, score: float, start: int, end: int, null_score: float, threshold: float | None
) -> Prediction:
    no_answer = threshold is not None and null_score - score > threshold
    if no_answer or score == -np.inf:
        return Prediction("", 0, 0, null_score, null_score)
    start, end = _whole_words(context, start, end)
    return Prediction(context[start:end], start, end, score, null_score)


def _whole_words(context: str, start: int, end: int) -> tuple[int, int]:
    while 0 < start < end and _in_one_word(context[start - 1], context[start]):
        start -= 1
    while start < end < len(context) and _in_one_word(context[end - 1], context[end]):
        end += 1
    return start, end


def _in_one_word(first: str, second: str) -> bool:
    """Whether two neighbours are letters or digits of a script that has words."""
    return all(
        (character.isalnum() or unicodedata.category(character) == "Mn")
        and not _UNSPACED.match(character)
        for character in (first, second)
    )


def _check_logits(encoded: "EncodedQuestions", start_logits, end_logits) -> None:
    for name, logits in (("start_logits", start_logits), ("end_logits", end_logits)):
        if len(logits) != len(encoded):
            raise TinyBertError(
                f"Expected one row of `{name}` for each window. "
                f"Received: {len(logits)} rows for {len(encoded)} windows"
            )
        for window, row in enumerate(logits):
            length = len(encoded.token_ids[window])
            if np.ndim(row) != 1 or len(row) < length:
                raise TinyBertError(
                    f"Expected rows of `{name}` of shape ({length},). "
                    f"Received: {name}[{window}].shape={np.shape(row)}"
                )
            if not np.isfinite(row[:length]).all():
                raise TinyBertError(
                    f"Expected finite logits. Received: NaN or infinity in {name}[{window}]"
                )
