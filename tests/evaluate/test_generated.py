"""Generated texts are scored as their purpose and their language want it."""

import json

import pytest

from tinybert_tf.evaluate.regression import evaluate_scores
from tinybert_tf.evaluate.tasks import MAIN_SCORES, evaluate_model, kind_of_report
from tinybert_tf.evaluate.translation import (
    SummaryReport,
    TranslationReport,
    evaluate_translations,
    language_of,
)


class Parrot:
    """Generates its input."""

    kind = "seq2seq"

    def generate(self, texts):
        return list(texts)


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["我喜欢茶。"], "zh"),
        (["I like tea."], "en"),
        (["我喜欢Tom。", "他也是。"], "zh"),
        (["Tom likes 茶."], "en"),
        (["1 2 3"], "en"),
    ],
)
def test_language(texts, language):
    assert language_of(texts) == language


def test_a_model_without_a_purpose_translates():
    report = evaluate_model(Parrot(), ["我喜欢茶和水。"], ["我喜欢水和茶。"])
    assert isinstance(report, TranslationReport)
    assert report == evaluate_translations(["我喜欢茶和水。"], ["我喜欢水和茶。"], "zh")
    assert "tok:zh" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["chrf"] == report.chrf


def test_a_summarizer_is_scored_by_rouge():
    parrot = Parrot()
    parrot.purpose = "summarization"
    report = evaluate_model(parrot, ["a cat sat", "a b"], ["a cat ran", "a b"])
    assert isinstance(report, SummaryReport)
    attribute, _ = MAIN_SCORES[kind_of_report(parrot)]
    assert getattr(report, attribute) == pytest.approx((2 / 3 + 1) / 2)
    assert json.loads(json.dumps(report.to_dict()))["num_examples"] == 2
    assert str(report) == report.to_text()


def test_a_regression_report_can_be_written():
    report = evaluate_scores([0.0, 1.0, 2.0], [1.0, 2.0, 4.0])
    assert json.loads(json.dumps(report.to_dict()))["spearman"] == report.spearman
    assert str(report) == report.to_text()
