"""Extractive question answering scored as SQuAD's script does: exact match and F1."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.spans import Prediction, decode_spans
from tinybert_tf.text.strings import check_strings

if TYPE_CHECKING:
    from tinybert_tf.text.squad import Questions

__all__ = [
    "AnswerReport",
    "AnswerScores",
    "Prediction",
    "decode_spans",
    "evaluate_answers",
    "exact_match",
    "f1_score",
    "normalize_answer",
]

LANGUAGES = ("en", "zh")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
# The blocks of CJK ideographs.
_CHINESE = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")


# === Scores of one answer ===


def normalize_answer(text: str, language: str = "en") -> str:
    """Returns what answers are compared by: words in lower case with single spaces between.

    Args:
        text: string.
        language: string. `"en"` drops ASCII punctuation and the articles, as SQuAD's
            `evaluate-v2.0.py`; `"zh"` drops all of Unicode's punctuation and makes each Chinese
            character a word, as MLQA's script. Defaults to `"en"`.

    Raises:
        TinyBertError: If the language is another.
    """
    if language not in LANGUAGES:
        raise TinyBertError(
            f"Expected `language` to be one of {', '.join(map(repr, LANGUAGES))}. "
            f"Received: language={language!r}"
        )
    text = text.lower().translate(_NO_PUNCTUATION)
    if language == "zh":
        text = "".join(c for c in text if not unicodedata.category(c).startswith("P"))
        text = _CHINESE.sub(r" \1 ", text)
    else:
        text = _ARTICLES.sub(" ", text)
    return " ".join(text.split())


def exact_match(prediction: str, golds: Sequence[str], language: str = "en") -> float:
    """Returns 1 if the normalized prediction equals one of the normalized answers, else 0.

    Args:
        prediction: string. Empty for no answer.
        golds: list of strings. The right answers; empty where the context holds none.
        language: string. As in `normalize_answer`. Defaults to `"en"`.
    """
    golds = _normalized(golds, language)
    return float(normalize_answer(prediction, language) in golds)


def f1_score(prediction: str, golds: Sequence[str], language: str = "en") -> float:
    """Returns the F1 of the words that prediction and answer share, best of the answers.

    SQuAD's `evaluate-v2.0.py`; where words are left after normalization, also
    `evaluate-v1.1.py`. If either has no words, it is 1 where both have none, else 0.

    Args:
        prediction: string. Empty for no answer.
        golds: list of strings. The right answers; empty where the context holds none.
        language: string. As in `normalize_answer`. Defaults to `"en"`.
    """
    words = normalize_answer(prediction, language).split()
    return max(_word_f1(words, gold.split()) for gold in _normalized(golds, language))


def _normalized(golds: Sequence[str], language: str) -> list[str]:
    """The answers that have words; the empty answer if none has."""
    normalized = [normalize_answer(gold, language) for gold in check_strings(golds, "golds")]
    return [gold for gold in normalized if gold] or [""]


def _word_f1(words: list[str], gold: list[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    common = (Counter(words) & Counter(gold)).total()
    return 2 * common / (len(words) + len(gold))


# === Report ===


@dataclass(frozen=True)
class AnswerScores:
    """Exact match and F1, each from 0 to 1, of some of the questions."""

    num_questions: int
    exact: float
    f1: float


@dataclass(frozen=True)
class AnswerReport:
    """Results on questions with known answers; `evaluate_answers` makes it.

    Attributes:
        num_questions: int.
        exact: float. Share of the questions whose answer matches, 0 to 1.
        f1: float. Mean F1 of the words, 0 to 1.
        has_answer: AnswerScores or None. Of the questions with an answer, where there are others.
        no_answer: AnswerScores or None. Of the questions without, where there are any.
    """

    num_questions: int
    exact: float
    f1: float
    has_answer: AnswerScores | None = None
    no_answer: AnswerScores | None = None

    def to_dict(self) -> dict:
        """Returns everything as a dict that JSON can hold."""
        return asdict(self)

    def summary(self) -> dict[str, float]:
        """Returns the scores by name."""
        scores = {"exact": self.exact, "f1": self.f1}
        for name, part in self._parts().items():
            scores |= {f"{name}_exact": part.exact, f"{name}_f1": part.f1}
        return scores

    def to_text(self, digits: int = 3) -> str:
        """Returns one line for all questions, and one for each part.

        Args:
            digits: int. Decimal places. Defaults to `3`.
        """
        return "\n".join(
            f"{name}: exact {part.exact:.{digits}f}, F1 {part.f1:.{digits}f} "
            f"on {part.num_questions:,}"
            for name, part in self._rows()
        )

    def rich_table(self, title: str | None = None) -> Table:
        """Returns a table for the terminal.

        Args:
            title: string. Title of the table. Defaults to the number of questions.
        """
        table = Table(title=title or f"Question answering, {self.num_questions:,} questions")
        table.add_column("questions")
        for name in ("exact", "F1", "number"):
            table.add_column(name, justify="right")
        for name, part in self._rows():
            table.add_row(name, f"{part.exact:.3f}", f"{part.f1:.3f}", f"{part.num_questions:,}")
        return table

    def __rich__(self) -> Table:
        return self.rich_table()

    def __str__(self) -> str:
        return self.to_text()

    def _parts(self) -> dict[str, AnswerScores]:
        parts = {"has_answer": self.has_answer, "no_answer": self.no_answer}
        return {name: part for name, part in parts.items() if part is not None}

    def _rows(self) -> list[tuple[str, "AnswerScores | AnswerReport"]]:
        parts = [(name.replace("_", " "), part) for name, part in self._parts().items()]
        return [("all questions", self), *parts]


def evaluate_answers(
    predictions: Sequence[Prediction | str], questions: "Questions", language: str = "en"
) -> AnswerReport:
    """Scores predictions against the answers.

    Args:
        predictions: list of `Prediction` or of strings, one for each question.
        questions: Questions. With their answers.
        language: string. As in `normalize_answer`. Defaults to `"en"`.

    Raises:
        TinyBertError: If there are no questions or no answers, or not as many predictions.
    """
    if questions.answers is None or not len(questions):
        raise TinyBertError(
            "Expected questions with answers. "
            f"Received: {len(questions)} questions, answers={questions.answers}"
        )
    if len(predictions) != len(questions):
        raise TinyBertError(
            "Expected one prediction for each question. "
            f"Received: {len(predictions)} predictions for {len(questions)} questions"
        )
    scores = np.zeros((len(questions), 2))
    for row, (prediction, answers) in enumerate(zip(predictions, questions.answers, strict=True)):
        text = prediction if isinstance(prediction, str) else prediction.text
        golds = [answer.text for answer in answers]
        scores[row] = exact_match(text, golds, language), f1_score(text, golds, language)
    has_answer = np.array([bool(answers) for answers in questions.answers])
    parts = {}
    if not has_answer.all():
        parts["no_answer"] = _mean(scores[~has_answer])
        parts["has_answer"] = _mean(scores[has_answer]) if has_answer.any() else None
    exact, f1 = scores.mean(axis=0)
    return AnswerReport(len(questions), float(exact), float(f1), **parts)


def _mean(scores: np.ndarray) -> AnswerScores:
    exact, f1 = scores.mean(axis=0)
    return AnswerScores(len(scores), float(exact), float(f1))
