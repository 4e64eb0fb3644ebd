"""The report of each kind of task, from a Keras model's or a file's outputs alike."""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.entities import EntityReport, evaluate_entities
from tinybert_tf.evaluate.question_answering import AnswerReport, evaluate_answers
from tinybert_tf.evaluate.regression import RegressionReport, evaluate_scores
from tinybert_tf.evaluate.report import ClassificationReport, evaluate_probabilities
from tinybert_tf.evaluate.spans import Prediction, decode_spans
from tinybert_tf.evaluate.tag_decoding import best_tags
from tinybert_tf.text.squad import Questions
from tinybert_tf.text.strides import EncodedQuestions

Report = ClassificationReport | RegressionReport | EntityReport | AnswerReport
# What a report is summed up by: the name of its attribute, and how people call it.
MAIN_SCORES = {
    "classes": ("accuracy", "accuracy"),
    "labels": ("accuracy", "accuracy"),
    "score": ("spearman", "Spearman correlation"),
    "tokens": ("f1", "entity F1"),
    "spans": ("f1", "answer F1"),
    "embedding": ("spearman", "Spearman correlation"),
}


def evaluate_model(model, examples, labels: Sequence) -> Report:
    """Runs a model on labelled examples and scores it as its task is scored.

    Args:
        model: a task model of tinybert_tf, or an exported file's runner.
        examples: raw examples as the model's `encode` takes them; of an embedder pairs of texts.
        labels: class names, scores, or lists of tags or answers, one an example. An embedder's
            cosines are compared with scores.

    Raises:
        TinyBertError: If there are no examples, not as many as labels, or a label is unknown.
    """
    check_counts(examples, labels)
    if model.kind == "embedding":
        return evaluate_scores(cosines(model, examples), labels)
    return report_outputs(model, model.predict_outputs(examples), examples, labels)


def report_outputs(model, outputs, examples, labels: Sequence) -> Report:
    """Scores outputs that are there already.

    Args:
        model: as in `evaluate_model`; its `kind`, `labels` and `encode` are used.
        outputs: as `model.predict_outputs(examples)` returns them.
        examples: raw examples.
        labels: as in `evaluate_model`.
    """
    if model.kind == "score":
        return evaluate_scores(outputs, labels)
    if model.kind == "tokens":
        return evaluate_entities(labels, predicted_tags(model, outputs, examples))
    if model.kind == "spans":
        questions, contexts = examples
        found = answers_of(outputs, model.encode(examples), contexts)
        ids = [str(row) for row in range(len(contexts))]
        return evaluate_answers(found, Questions(ids, questions, contexts, labels))
    return evaluate_probabilities(outputs, labels, model.labels, model.kind == "labels")


def cosines(embedder, pairs: tuple) -> np.ndarray:
    """The cosine of each pair of texts, float32 `(n, 1)`."""
    first, second = (embedder.embed(list(part)) for part in pairs)
    return np.sum(first * second, axis=-1, keepdims=True)


def predicted_tags(model, outputs, examples) -> list[list[str]]:
    """The tags of each sentence's words from the outputs of all pieces."""
    return [best_tags(rows, model.labels) for rows in words_of(outputs, model.encode(examples))]


def words_of(outputs, encoded) -> list[np.ndarray]:
    """The rows of each word's first piece, `(words, tags)`; NaN for words that were cut off."""
    found = []
    for rows, first, count in zip(outputs, encoded.first_pieces, encoded.word_counts, strict=True):
        words = np.full((count, rows.shape[-1]), np.nan, "float32")
        words[: len(first)] = rows[first]
        found.append(words)
    return found


def answers_of(
    logits: list[np.ndarray], encoded: EncodedQuestions, contexts: list[str], **options
) -> list[Prediction]:
    """The best span of each question from the windows' logits `(length, 2)`."""
    starts, ends = ([window[:, column] for window in logits] for column in (0, 1))
    return decode_spans(encoded, starts, ends, contexts, **options)


def check_counts(examples, labels: Sequence) -> int:
    """Checks that there is one label an example, and returns their number."""
    count = len(examples[0]) if isinstance(examples, tuple) else len(examples)
    if not count or len(labels) != count:
        raise TinyBertError(
            "Expected one label a text, and at least one text. "
            f"Received: {count} texts, {len(labels)} labels"
        )
    return count
