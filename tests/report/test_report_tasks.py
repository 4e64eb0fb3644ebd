"""`tinybert-tf report` on runs of the other tasks: what applies is shown, the rest is refused."""

import json

import numpy as np
import pytest
from report_runs import DEV, Page, write_data, write_run

from tinybert_tf.models import (
    TinyBertQuestionAnswering,
    TinyBertSentenceEmbedder,
    TinyBertTextClassifier,
    TinyBertTokenClassifier,
)

pytestmark = pytest.mark.slow


def page_of(invoke, run, *more) -> Page:
    result = invoke("report", run, *more)
    assert result.exit_code == 0, result.output
    return Page((run / "report.html").read_text("utf-8"))


def refuses_classification(page: Page, *names: str) -> bool:
    return all("applies to text classification" in page.text(name) for name in names)


def test_a_regression(invoke, build_tiny, tmp_path):
    tiny = build_tiny()
    model = TinyBertTextClassifier(tiny.backbone, num_classes=1, preprocessor=tiny.preprocessor)
    run = write_run(tmp_path / "run", "finetune", model, {"kind": "score", "parameters": 1})
    rows = [(text, str(k / 8)) for k, (text, _) in enumerate(DEV)]
    data = write_data(tmp_path / "dev.csv", rows, header=("text", "score"))
    page = page_of(invoke, run, "--data", data)
    assert "spearman" in page.text("scores")
    assert refuses_classification(page, "confusion", "calibration")
    scores = model.predict_scores([text for text, _ in DEV])[:, 0]
    worst = int(np.abs(scores - np.arange(8) / 8).argmax())
    shown = [e["text"] for e in page.all("span", "errors") if e["attrs"].get("class") == "text"]
    assert shown[0] == DEV[worst][0]
    assert len(page.attention()) == 3


def test_a_tagger(invoke, build_tiny, tmp_path):
    tiny = build_tiny()
    model = TinyBertTokenClassifier(
        tiny.backbone, labels=["O", "B-film"], preprocessor=tiny.preprocessor
    )
    run = write_run(tmp_path / "run", "finetune", model, {"kind": "tokens", "parameters": 1})
    data = tmp_path / "dev.conll"
    data.write_text("the\tO\nfilm\tB-film\n\na\tO\nplot\tB-film\n\n")
    page = page_of(invoke, run, "--data", data)
    assert "token accuracy" in page.text("scores")
    assert refuses_classification(page, "confusion", "calibration", "errors")
    assert [one["text"] for one in page.attention()] == ["the film", "a plot"]


def test_question_answering(invoke, build_tiny, tmp_path):
    tiny = build_tiny()
    model = TinyBertQuestionAnswering(tiny.backbone, tiny.preprocessor)
    run = write_run(tmp_path / "run", "finetune", model, {"kind": "spans", "parameters": 1})
    answer = {"text": "plot", "answer_start": 4}
    question = {"id": "1", "question": "a film", "answers": [answer]}
    paragraph = {"context": "the plot was bad", "qas": [question]}
    data = tmp_path / "dev.json"
    squad = {"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]}
    data.write_text(json.dumps(squad))
    page = page_of(invoke, run, "--data", data)
    assert "exact" in page.text("scores")
    assert refuses_classification(page, "confusion", "calibration", "errors")
    (sentence,) = page.attention()
    tokens = "[CLS] a film [SEP] the plot was bad [SEP]".split()
    assert sentence["models"][0]["tokens"] == tokens


def test_an_embedder(invoke, build_tiny, tmp_path):
    tiny = build_tiny()
    model = TinyBertSentenceEmbedder(tiny.backbone, tiny.preprocessor)
    run = write_run(tmp_path / "run", "distill", model, {"kind": "embedding", "parameters": 1})
    rows = [("good", "great", "1"), ("bad film", "fine film", "0"), ("a plot", "plot", "0.8")]
    data = write_data(tmp_path / "dev.csv", rows, header=("sentence1", "sentence2", "score"))
    page = page_of(invoke, run, "--data", data)
    assert "spearman" in page.text("scores")
    assert refuses_classification(page, "confusion", "calibration", "errors")
    # An embedder reads one text at a time.
    assert page.attention()[0]["models"][0]["tokens"] == ["[CLS]", "good", "[SEP]"]


def test_a_translator(invoke, refused, tmp_path):
    pytest.importorskip("sacrebleu", reason="needs sacrebleu (translation extra)")
    import tinybert_tf as tb
    from tinybert_tf.models.seq2seq import TinyBertSeq2Seq
    from tinybert_tf.models.seq2seq_preprocessor import TinyBertSeq2SeqPreprocessor
    from tinybert_tf.text.wordpiece import WordPiece

    words = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "one", "two", "three"])
    backbone = tb.TinyBertBackbone(words.vocabulary_size, 1, 2, 16, 32, max_sequence_length=12)
    preprocessor = TinyBertSeq2SeqPreprocessor.from_wordpieces(
        words, words, sequence_length=8, target_length=6
    )
    model = TinyBertSeq2Seq(backbone, preprocessor, max_target_length=8)
    run = write_run(tmp_path / "run", "finetune", model, {"kind": "translation", "parameters": 1})
    rows = [("one two", "two one"), ("three", "three")]
    data = write_data(tmp_path / "dev.csv", rows, header=("source", "target"))
    page = page_of(invoke, run, "--data", data)
    assert "bleu" in page.text("scores") and "chrF" in page.text("models")
    assert refuses_classification(page, "confusion", "calibration", "errors")
    assert "writes texts with a decoder" in page.text("attention")
    assert "Expected no --text for a model with a decoder" in refused("report", run, "--text", "a")
    assert "Expected no --file for a model" in refused("report", run, "--file", "m.tflite")
    assert "Expected a model for --task classification" in refused("explain", run, "one two")
