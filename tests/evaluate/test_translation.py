"""BLEU, chrF and ROUGE, by hand where a hand suffices."""

import math
import sys

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.translation import (
    check_scorer,
    evaluate_summaries,
    evaluate_translations,
    is_chinese,
    language_of,
)

pytest.importorskip("sacrebleu")
pytest.importorskip("rouge_score")


def test_bleu_by_hand():
    """6 words against 7: precisions 6/6, 4/5, 3/4 and 2/3, brevity penalty exp(1 - 7/6)."""
    report = evaluate_translations(
        ["the cat sat on a mat"], ["the cat sat on a red mat"], target_language="en"
    )
    expected = 100 * math.exp(1 - 7 / 6) * (6 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert report.bleu == pytest.approx(expected)
    assert 0 < report.chrf < 100
    assert report.num_examples == 1
    assert "tok:13a" in report.bleu_signature


def test_chinese_is_compared_by_character():
    """Of 5 characters 4 stand alike in front: 4/5, 3/4, 2/3 and 1/2."""
    hypotheses, references = ["我喜欢茶水"], ["我喜欢茶！"]
    report = evaluate_translations(hypotheses, references, "zh-CN")
    assert report.bleu == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert "tok:zh" in report.bleu_signature
    assert evaluate_translations(hypotheses, references, "en").bleu < report.bleu


def test_perfect_and_useless_translations():
    texts = ["it rains today again", "we go home together now"]
    perfect = evaluate_translations(texts, texts, "en")
    assert perfect.summary() == {"bleu": pytest.approx(100), "chrf": pytest.approx(100)}
    useless = evaluate_translations(["zzz", "qqq"], texts, "en")
    assert useless.bleu == pytest.approx(0)
    assert useless.chrf == pytest.approx(0)
    assert perfect.to_text().startswith("BLEU 100.0, chrF 100.0 on 2 examples\n")


def test_rouge_by_hand():
    """Of "a b x c" against "a c b" 3 words agree, no pair of words, and 2 words in order."""
    report = evaluate_summaries(["a b x c", "same"], ["a c b", "same"])

    def f1(precision, recall):
        return 2 * precision * recall / (precision + recall)

    assert report.rouge1 == pytest.approx((f1(3 / 4, 3 / 3) + 1) / 2)
    assert report.rouge2 == 0
    assert report.rougeL == pytest.approx((f1(2 / 4, 2 / 3) + 1) / 2)
    assert report.to_text() == "rouge1 0.929, rouge2 0.000, rougeL 0.786 on 2 examples"


def test_chinese_summaries_by_character():
    report = evaluate_summaries(["我 喜欢"], ["我喜欢茶"], language="zh")
    assert report.rouge1 == pytest.approx(2 * 1 * 0.75 / 1.75)
    assert report.rouge2 == pytest.approx(2 * 1 * (2 / 3) / (5 / 3))
    assert evaluate_summaries(["我 喜欢"], ["我喜欢茶"]).rouge1 == 0  # no Latin words


@pytest.mark.parametrize(
    "code, expected", [("zh", True), ("cmn", True), ("ZH_tw", True), ("en", False), ("zhx", False)]
)
def test_language_codes(code, expected):
    assert is_chinese(code) is expected


@pytest.mark.parametrize(
    "hypotheses, references, message",
    [
        (["a"], ["a", "b"], "Received: 1 and 2"),
        ([], [], "Received: 0 and 0"),
        ("a", ["a"], "hypotheses to be a list of strings"),
        (["a"], [None], "references to be a list of strings"),
    ],
)
def test_bad_input(hypotheses, references, message):
    for evaluate in (
        lambda: evaluate_translations(hypotheses, references, "en"),
        lambda: evaluate_summaries(hypotheses, references),
    ):
        with pytest.raises(TinyBertError, match=message):
            evaluate()


def test_missing_packages_are_named(monkeypatch):
    for name in ("sacrebleu.metrics", "rouge_score.rouge_scorer"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TinyBertError, match="pip install sacrebleu"):
        evaluate_translations(["a"], ["a"], "en")
    with pytest.raises(TinyBertError, match="pip install rouge-score"):
        evaluate_summaries(["a"], ["a"])
    for purpose, package in (("translation", "sacrebleu"), ("summarization", "rouge-score")):
        with pytest.raises(TinyBertError, match=f"pip install {package}"):
            check_scorer(purpose)  # before hours of training


@pytest.mark.parametrize(
    "text", ["Мама мыла раму вчера.", "東京でラーメンを食べました。", "안녕하세요 세계"]
)
def test_rouge_of_other_scripts(text):
    report = evaluate_summaries([text], [text], language_of([text]))
    assert report.rouge1 == report.rougeL == 1.0
