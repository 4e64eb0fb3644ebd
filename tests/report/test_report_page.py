"""The page: one file, right numbers, every text escaped, every gap explained."""

import re

import numpy as np
import pytest
from report_runs import DEV, HISTORY, Page, unpacked

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import evaluate_probabilities
from tinybert_tf.report import (
    AttentionMaps,
    Contents,
    LabelledTexts,
    ModelFigures,
    Sentence,
    read_history,
    render_report,
    write_report,
)

SECTIONS = ["models", "curves", "data", "confusion", "calibration", "attention", "errors"]
LABELS = ["negative", "positive"]
# One class is right in 3 of 4 cases.
PROBABILITIES = np.array(
    [
        [0.9, 0.1],
        [0.8, 0.2],
        [0.3, 0.7],
        [0.6, 0.4],
        [0.05, 0.95],
        [0.7, 0.3],
        [0.2, 0.8],
        [0.4, 0.6],
    ]
)


def maps_of(tokens, layers=2, heads=3, seed=0):
    numbers = np.random.default_rng(seed).random((layers, heads, len(tokens), len(tokens)))
    return AttentionMaps(tokens, (numbers / numbers.sum(-1, keepdims=True)).astype("float32"))


def contents(texts=None, labels=None, names=LABELS, probabilities=PROBABILITIES, **changes):
    texts = texts or [text for text, _ in DEV]
    labels = labels or [label for _, label in DEV]
    arguments = {
        "name": "student",
        "config": {"command": "distill", "arguments": {"train_rows": 160}, "versions": {}},
        "metrics": {"seconds": 95.0},
        "kind": "classes",
        "history": HISTORY,
        "models": [
            ModelFigures("student", "Keras", {"dev": 0.875}, 17_000_000),
            ModelFigures("m.tflite", "file, int8", {"dev": 0.75}, None, 4_200_000, 1.25, True),
        ],
        "data": LabelledTexts("dev.csv", texts, None, labels, [6] * len(texts), 24, names),
        "outputs": probabilities,
        "scores": evaluate_probabilities(probabilities, labels, names),
        "sentences": [Sentence("good film", {"student": maps_of(["[CLS]", "good", "[SEP]"])})],
    }
    return Contents(**{**arguments, **changes})


def test_sections_and_numbers():
    page = Page(render_report(contents()))
    assert page.sections == [*SECTIONS, "settings"]
    figures = page.text("models")
    for shown in ("87.5 %", "75.0 %", "17.0 M", "4.20 MB", "1.25 ms"):
        assert shown in figures
    assert "dev.csv" in page.text("data")
    tips = page.tips("curves")
    assert "attention loss, epoch 2: 2" in tips
    assert "loss, dev, epoch 1: 6.5" in tips
    assert "accuracy, dev, epoch 1: 0.875" in tips


def test_confusion_counts_are_those_of_a_loop():
    counts = {}
    for row, (_, label) in zip(PROBABILITIES, DEV, strict=True):
        key = (label, LABELS[row.argmax()])
        counts[key] = counts.get(key, 0) + 1
    found = {}
    for tip in Page(render_report(contents())).tips("confusion"):
        truth, predicted, count = re.match(r"(\w+) → (\w+): (\d+) of", tip).groups()
        found[truth, predicted] = int(count)
    assert found == counts
    assert len(found) > 2  # there are mistakes


def test_calibration_error_by_hand():
    confidence = PROBABILITIES.max(axis=1)
    right = [LABELS[row.argmax()] == own for row, (_, own) in zip(PROBABILITIES, DEV, strict=True)]
    error = 0.0
    for k in range(15):  # Guo et al., equation (3)
        members = [i for i, c in enumerate(confidence) if k / 15 < c <= (k + 1) / 15]
        if members:
            accuracy = sum(right[i] for i in members) / len(members)
            error += abs(accuracy - confidence[members].mean()) * len(members) / len(DEV)
    page = Page(render_report(contents()))
    assert f"Expected calibration error {100 * error:.1f} %" in page.text("calibration")
    answers = [int(tip.split()[0]) for tip in page.tips("calibration") if "with a conf" in tip]
    assert (len(answers), sum(answers)) == (15, len(DEV))


def test_worst_errors_are_ordered_by_confidence():
    page = Page(render_report(contents()))
    wrong = sorted(
        (-row.max(), text)
        for row, (text, label) in zip(PROBABILITIES, DEV, strict=True)
        if LABELS[row.argmax()] != label
    )
    shown = [e["text"] for e in page.all("span", "errors") if e["attrs"].get("class") == "text"]
    assert shown == [text for _, text in wrong]
    assert f"{len(wrong)} of {len(DEV)} answers are wrong" in page.text("errors")
    fine = np.eye(2)[[LABELS.index(label) for _, label in DEV]] * 0.8 + 0.1
    assert "Every answer is right" in render_report(contents(probabilities=fine))


def test_attention_arrives_as_it_was():
    maps = maps_of(["[CLS]", "good", "##s", "[SEP]"])
    page = Page(render_report(contents(sentences=[Sentence("goods", {"student": maps}, "right")])))
    (sentence,) = page.attention()
    assert (sentence["text"], sentence["note"]) == ("goods", "right")
    (model,) = sentence["models"]
    assert model["tokens"] == maps.tokens
    np.testing.assert_allclose(unpacked(model), maps.probabilities, atol=1 / 65535)


def test_a_long_sentence_is_cut_and_says_so():
    maps = maps_of([f"w{k}" for k in range(60)], layers=1, heads=1)
    page = Page(render_report(contents(sentences=[Sentence("long", {"student": maps})])))
    (model,) = page.attention()[0]["models"]
    assert (len(model["tokens"]), model["cut"]) == (48, 12)
    assert "first 48 tokens" in page.text("attention")
    np.testing.assert_allclose(
        unpacked(model)[0, 0], maps.probabilities[0, 0, :48, :48], atol=1 / 65535
    )


def test_the_file_loads_nothing_from_anywhere():
    source = render_report(contents())
    for forbidden in ("http:", "https:", "@import", "url(", "src=", "<link", "import("):
        assert forbidden not in source
    links = [e["attrs"]["href"] for e in Page(source).elements if "href" in e["attrs"]]
    assert links == [f"#{name}" for name in SECTIONS]


ATTACK = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\'&amp;'


def test_texts_and_labels_are_escaped():
    names = ["negative", ATTACK]
    labels = [names[label == "positive"] for _, label in DEV]
    texts = [f"{ATTACK} {text}" for text, _ in DEV]
    sentences = [Sentence(ATTACK, {ATTACK: maps_of([ATTACK, "<b>"])}, ATTACK)]
    changes = {
        "name": ATTACK,
        "config": {"command": ATTACK, "arguments": {ATTACK: ATTACK}, "versions": {ATTACK: ATTACK}},
        "history": {ATTACK: {ATTACK: [1.0, 2.0]}},
        "models": [ModelFigures(ATTACK, ATTACK, {ATTACK: 0.5})],
        "sentences": sentences,
    }
    page = Page(render_report(contents(texts, labels, names, **changes)))
    # The data of the attention maps and the page's own script.
    assert len(page.all("script")) == 2
    assert page.all("img") == [] and page.all("b", "attention") == []
    assert all(name[:2] != "on" for e in page.elements for name in e["attrs"])
    assert page.sections == [*SECTIONS, "settings"]
    # Nothing is lost either.
    shown = [e["text"] for e in page.all("span", "errors") if e["attrs"].get("class") == "text"]
    assert shown and all(text.startswith(ATTACK) for text in shown)
    (sentence,) = page.attention()
    assert sentence["models"][0]["tokens"] == [ATTACK, "<b>"]


def test_odd_characters_are_written(tmp_path):
    texts = ["lone \ud800 surrogate", "nul \x00 byte", "‮right to left", "🙂" * 400, *["a"] * 4]
    wrong = np.eye(2)[[int(label == "negative") for _, label in DEV]] * 0.8 + 0.1
    path = write_report(tmp_path / "report.html", contents(texts, probabilities=wrong))
    source = path.read_text("utf-8")
    assert "lone � surrogate" in source and "nul � byte" in source and "\x00" not in source
    assert "🙂" * 299 + "…" in source
    Page(source)


def test_what_is_missing_names_its_option():
    page = Page(
        render_report(
            contents(
                data=None,
                outputs=None,
                scores=None,
                sentences=[],
                history={},
                models=[ModelFigures("student", "Keras")],
            )
        )
    )
    assert page.sections == [*SECTIONS, "settings"]
    codes = {e["section"]: e["text"] for e in page.all("code")}
    data = "--data dev.csv"
    assert codes == {
        "models": "--file model.tflite",
        "data": data,
        "confusion": data,
        "calibration": data,
        "attention": '--text "a sentence"',
        "errors": data,
    }
    assert "recorded no epochs" in page.text("curves")


def test_150_classes_stay_readable_and_small():
    generator = np.random.default_rng(0)
    names = [f"intent_{k}" for k in range(150)]
    truth = generator.integers(0, 150, 600)
    logits = generator.normal(size=(600, 150)) + 4 * np.eye(150)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [names[k] for k in truth]
    page = Page(render_report(contents(["a"] * 600, labels, names, probabilities)))
    pairs = set(zip(truth.tolist(), probabilities.argmax(axis=1).tolist(), strict=True))
    assert len(page.tips("confusion")) == len(pairs)
    # Names on the axes would run into each other.
    assert {e["text"] for e in page.all("text", "confusion")} == {"predicted", "truth"}
    assert "Most frequent mistakes" in page.text("confusion")
    assert len(page.source) < 400_000


def test_several_labels_a_text():
    truth = [["negative"], [], ["negative", "positive"], ["positive"]]
    probabilities = np.array([[0.9, 0.2], [0.1, 0.8], [0.6, 0.7], [0.4, 0.9]])
    scores = evaluate_probabilities(probabilities, truth, LABELS, multi_label=True)
    data = LabelledTexts("dev.csv", list("abcd"), None, truth, [3] * 4, 24, LABELS)
    page = Page(
        render_report(contents(kind="labels", data=data, outputs=probabilities, scores=scores))
    )
    assert "1 of 4 texts have a wrong label" in page.text("errors")
    assert {"none", "positive", "80.0 %"} <= {e["text"] for e in page.elements}
    assert page.tips("confusion") == []


def test_a_curve_with_gaps_and_one_epoch():
    history = {"training": {"loss": [float("nan"), 2.0, float("inf")], "accuracy": [0.5]}}
    tips = Page(render_report(contents(history=history))).tips("curves")
    assert tips == ["loss, epoch 2: 2", "accuracy, epoch 1: 0.5"]


def test_history_of_the_log_when_the_results_hold_none(tmp_path):
    (tmp_path / "log.txt").write_text(
        "2026-01-01 10:00:00  started\n"
        "2026-01-01 10:00:01  teacher: epoch 1 in 3 s: loss=0.9 val_accuracy=0.5\n"
        "2026-01-01 10:00:02  resumed\n"
        "2026-01-01 10:00:03  teacher: epoch 1 in 3 s: loss=0.8 val_accuracy=0.6\n"
        "2026-01-01 10:00:04  teacher: epoch 2 in 3 s: loss=nan val_accuracy=0.7\n"
        "2026-01-01 10:00:05  prediction: epoch 1 in 1 s: loss=0.3\n"
    )
    found = read_history(tmp_path, {"seconds": 3})
    assert list(found) == ["teacher", "prediction"]
    assert found["teacher"]["val_accuracy"] == [0.6, 0.7]
    assert found["teacher"]["loss"][0] == 0.8 and np.isnan(found["teacher"]["loss"][1])
    assert read_history(tmp_path, {"history": HISTORY}) == HISTORY
    flat = {"history": {"loss": [1, 2], "best_epoch": 2}}
    assert read_history(tmp_path, flat) == {"training": {"loss": [1.0, 2.0]}}
    assert read_history(tmp_path / "none") == {}


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(TinyBertError, match="folder or a device stands there"):
        write_report(tmp_path / "folder", contents())
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
