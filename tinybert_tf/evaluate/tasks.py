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
from tinybert_tf.evaluate.translation import (
    SummaryReport,
    TranslationReport,
    evaluate_summaries,
    evaluate_translations,
    language_of,
)
from tinybert_tf.text.squad import Questions
from tinybert_tf.text.strides import EncodedQuestions

Report = (
    ClassificationReport
    | RegressionReport
    | EntityReport
    | AnswerReport
    | TranslationReport
    | SummaryReport
)
# What a report is summed up by: the name of its attribute, and how people call it.
MAIN_SCORES = {
    "classes": ("accuracy", "accuracy"),
    "labels": ("accuracy", "accuracy"),
    "score": ("spearman", "Spearman correlation"),
    "tokens": ("f1", "entity F1"),
    "spans": ("f1", "answer F1"),
    "embedding": ("spearman", "Spearman correlation"),
    "translation": ("chrf", "chrF"),
    "summarization": ("rougeL", "ROUGE-L"),
}


def kind_of_report(model) -> str:
    """The key of `MAIN_SCORES` for a model: its kind, or of two that generate what they do."""
    if model.kind != "seq2seq":
        return model.kind
    return getattr(model, "purpose", "translation")


def evaluate_model(model, examples, labels: Sequence) -> Report:
    """Runs a model on labelled examples and scores it as its task is scored.

    Args:
        model: a task model of tinybert_tf, or an exported file's runner.
        examples: raw examples as the model's `encode` takes them; of an embedder pairs of texts.
        labels: class names, scores, target texts, or lists of tags or answers, one an example. An
            embedder's cosines are compared with scores; what a sequence-to-sequence model
            generates greedily, with targets by BLEU and chrF, or of a summarizer by ROUGE.

    Raises:
        TinyBertError: If there are no examples, not as many as labels, or a label is unknown.
    """
    check_counts(examples, labels)
    if model.kind == "embedding":
        return evaluate_scores(cosines(model, examples), labels)
    if model.kind == "seq2seq":
        return evaluate_generated(model.generate(list(examples)), labels, kind_of_report(model))
    return report_outputs(model, model.predict_outputs(examples), examples, labels)


def evaluate_generated(
    texts: Sequence[str], targets: Sequence[str], purpose: str = "translation"
) -> TranslationReport | SummaryReport:
    """Scores generated texts, Chinese by character.

    Args:
        texts: list of strings.
        targets: list of strings.
        purpose: string. `"translation"` for BLEU and chrF, `"summarization"` for ROUGE. Defaults
            to `"translation"`.
    """
    compare = evaluate_summaries if purpose == "summarization" else evaluate_translations
    return compare(texts, targets, language_of(targets))


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
        found = answers_of(
            outputs, model.encode(examples), contexts, null_threshold=model.null_threshold
        )
        ids = [str(row) for row in range(len(contexts))]
        language = language_of([answer.text for own in labels for answer in own])
        return evaluate_answers(found, Questions(ids, questions, contexts, labels), language)
    return evaluate_probabilities(outputs, labels, model.labels, model.kind == "labels")


def cosines(embedder, pairs: tuple) -> np.ndarray:
    """The cosine of each pair of texts, float32 `(n, 1)`."""
    check_pairs(pairs)
    first, second = (embedder.embed(list(part)) for part in pairs)
    return np.sum(first * second, axis=-1, keepdims=True)


def check_pairs(examples) -> None:
    """Checks that examples are pairs of texts.

    Raises:
        TinyBertError: If they are single texts.
    """
    if not isinstance(examples, tuple):
        raise TinyBertError(
            "Expected pairs of texts with scores to judge an embedder. Received: single texts"
        )


def predicted_tags(model, outputs, examples) -> list[list[str]]:
    """The tags of each sentence's words from the outputs of all pieces."""
    return [best_tags(rows, model.labels) for rows in words_of(outputs, model.encode(examples))]


def words_of(outputs, encoded) -> list[np.ndarray]:
    """The outputs of each sentence's words, `(words, tags)`: those of their first pieces.

    Args:
        outputs: list of arrays `(length, tags)`, one a window.
        encoded: EncodedWords. The windows.
    """
    width = outputs[0].shape[-1] if len(outputs) else 0
    found = [np.zeros((count, width), "float32") for count in encoded.word_counts]
    for rows, row, first, words in zip(
        outputs, encoded.row, encoded.first_pieces, encoded.words, strict=True
    ):
        found[row][words] = rows[first]
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
