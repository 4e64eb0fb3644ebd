"""The classification report: values, forms, and what it refuses."""

import json

import numpy as np
import pytest
from rich.console import Console

from tinybert_tf import evaluate
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import evaluate_classifier, evaluate_probabilities

NAMES = ["alarm", "music", "weather"]
# Predictions alarm, alarm, music, weather, alarm.
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.0, 0.9], [0.6, 0.2, 0.2]]
)
LABELS = [0, 1, 1, 2, 2]


def rendered(renderable, width=120):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def random_case(classes=6, rows=200, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes)) + 2 * np.eye(classes)[labels]
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True), labels


# === Values ===


def test_values_by_hand():
    report = evaluate_probabilities(PROBABILITIES, LABELS, NAMES)
    assert report.num_examples == 5
    assert report.accuracy == pytest.approx(3 / 5)
    assert report.micro_f1 == pytest.approx(3 / 5)
    assert report.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    alarm, music, weather = report.per_class
    assert (alarm.label, alarm.recall, alarm.support) == ("alarm", 1, 1)
    assert alarm.precision == pytest.approx(1 / 3)
    assert (music.precision, music.recall) == (1, 0.5)
    assert weather.f1 == pytest.approx(2 / 3)
    assert report.macro_f1 == pytest.approx((0.5 + 2 / 3 + 2 / 3) / 3)
    assert report.ece == evaluate.expected_calibration_error(PROBABILITIES, LABELS)
    assert report.nll == evaluate.negative_log_likelihood(PROBABILITIES, LABELS)


def test_labels_by_name_equal_labels_by_number():
    by_name = evaluate_probabilities(PROBABILITIES, [NAMES[i] for i in LABELS], NAMES)
    by_number = evaluate_probabilities(PROBABILITIES, np.array(LABELS), NAMES)
    assert by_name.to_dict() == by_number.to_dict()


def test_multi_label_by_name_and_multi_hot():
    probabilities = [[0.9, 0.1, 0.6], [0.2, 0.8, 0.3], [0.1, 0.2, 0.5]]
    by_name = evaluate_probabilities(
        probabilities, [["alarm"], ["music"], []], NAMES, multi_label=True
    )
    by_row = evaluate_probabilities(
        probabilities, [[1, 0, 0], [0, 1, 0], [0, 0, 0]], NAMES, multi_label=True
    )
    assert by_name.to_dict() == by_row.to_dict()
    assert by_name.accuracy == pytest.approx(1 / 3)
    assert by_name.confusion.shape == (3, 2, 2)
    assert by_name.confusion[2].tolist() == [[1, 2], [0, 0]]
    strict = evaluate_probabilities(
        probabilities, [["alarm"], ["music"], []], NAMES, multi_label=True, threshold=0.7
    )
    assert strict.accuracy == 1


def test_most_confused():
    pairs = evaluate_probabilities(PROBABILITIES, LABELS, NAMES).most_confused()
    assert [(p.label, p.predicted, p.count, p.share) for p in pairs] == [
        ("music", "alarm", 1, 0.5),
        ("weather", "alarm", 1, 0.5),
    ]
    probabilities, labels = random_case()
    report = evaluate_probabilities(probabilities, labels, list("abcdef"))
    pairs = report.most_confused(limit=100)
    assert sum(pair.count for pair in pairs) == round(200 * (1 - report.accuracy))
    assert [p.count for p in pairs] == sorted((p.count for p in pairs), reverse=True)
    assert report.most_confused(limit=2) == pairs[:2]


def test_weakest_classes_leaves_out_those_without_examples():
    report = evaluate_probabilities(PROBABILITIES, [0, 1, 1, 1, 0], NAMES)
    assert [result.label for result in report.weakest_classes()] == ["music", "alarm"]


# === Forms ===


def test_dict_survives_json():
    report = evaluate_probabilities(PROBABILITIES, LABELS, NAMES)
    fields = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert fields["confusion"] == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert fields["per_class"][1]["label"] == "music"
    assert fields["label_names"] == NAMES
    assert {name: fields[name] for name in report.summary()} == report.summary()


@pytest.mark.parametrize("digits", [2, 4])
def test_text_equals_scikit_learn(digits):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn (test extra)")
    probabilities, labels = random_case()
    names = ["a", "bb", "a label that is rather long", "d", "e", "f"]
    expected = metrics.classification_report(
        labels, probabilities.argmax(axis=1), target_names=names, digits=digits, zero_division=0
    )
    report = evaluate_probabilities(probabilities, labels, names)
    assert report.to_text(digits).startswith(expected)
    assert "calibration error" in report.to_text(digits)[len(expected) :]


def test_multi_label_averages_equal_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn (test extra)")
    rng = np.random.default_rng(0)
    labels, probabilities = (rng.random((100, 3)) < 0.4).astype(int), rng.random((100, 3))
    expected = metrics.classification_report(
        labels, probabilities >= 0.5, target_names=NAMES, digits=3, zero_division=0
    )
    text = evaluate_probabilities(probabilities, labels, NAMES, multi_label=True).to_text()
    for line in expected.splitlines():
        if "samples avg" not in line:
            assert line in text.splitlines()


def test_rich_table_shows_labels_as_they_are():
    names = ["[bold]alarm[/]", "music", "weather"]
    report = evaluate_probabilities(PROBABILITIES, LABELS, names)
    text = rendered(report)
    assert "[bold]alarm[/]" in text
    assert "5 examples" in text
    assert "macro avg" in text
    assert "accuracy 0.600" in text


def test_rich_table_of_many_classes_shows_the_weakest():
    probabilities, labels = random_case(classes=60, rows=600)
    report = evaluate_probabilities(probabilities, labels, [f"class_{i}" for i in range(60)])
    text = rendered(report)
    assert "40 more classes" in text
    assert report.weakest_classes(1)[0].label in text
    assert "more classes" not in rendered(report.rich_table())


# === Refusals ===


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"labels": ["alarm", "music", "musik", "music", "music"]},
            r"'weather'\].*Received: labels\[2\]='musik'",
        ),
        ({"labels": [0, 1, 2, 3, 0]}, r"at most 2.*Received: labels\[3\]=3"),
        ({"labels": [0, 1]}, "one row of probabilities per label"),
        ({"labels": np.eye(3)[LABELS]}, r"labels of shape \(n,\) with multi_label=False"),
        ({"label_names": ["alarm", "music"]}, "one column of probabilities per label name"),
        ({"label_names": ["alarm", "music", "music"]}, "Received: 'music' twice"),
        ({"probabilities": PROBABILITIES * 7}, "not logits"),
        ({"multi_label": True}, "list of label names, or a multi-hot row"),
        ({"multi_label": True, "labels": ["alarm"] * 5}, "list of label names"),
        ({"multi_label": True, "labels": [["alarm", "fog"]] * 5}, r"labels\[0\]='fog'"),
    ],
)
def test_malformed_input_is_named(change, message):
    arguments = {"probabilities": PROBABILITIES, "labels": LABELS, "label_names": NAMES, **change}
    with pytest.raises(TinyBertError, match=message):
        evaluate_probabilities(**arguments)


def test_multi_label_has_no_confused_pairs():
    report = evaluate_probabilities([[0.9, 0.1]], [[1, 0]], ["a", "b"], multi_label=True)
    with pytest.raises(TinyBertError, match="Received: multi_label=True"):
        report.most_confused()


# === A whole classifier ===


class KeywordClassifier:
    """A classifier small enough to know its answers: it looks for its labels in the text."""

    multi_label = False

    def __init__(self, labels, keywords):
        self.labels = labels
        self.keywords = keywords

    def predict_proba(self, texts):
        found = np.array([[word in text for word in self.keywords] for text in texts], "float32")
        return (found + 0.1) / (found + 0.1).sum(axis=1, keepdims=True)


def test_classifier_is_run_and_scored():
    model = KeywordClassifier(NAMES, NAMES)
    texts = ["set an alarm", "play music", "weather today", "alarm me about weather"]
    report = evaluate_classifier(model, texts, ["alarm", "music", "weather", "weather"])
    assert report.accuracy == pytest.approx(3 / 4)
    assert report.label_names == tuple(NAMES)


def test_classifier_without_label_names():
    model = KeywordClassifier(None, NAMES)
    report = evaluate_classifier(model, ["alarm", "music"], [0, 1])
    assert report.label_names == ("0", "1", "2")
    assert report.accuracy == 1


@pytest.mark.parametrize(("texts", "labels"), [([], []), (["alarm"], ["alarm", "music"])])
def test_texts_and_labels_must_match(texts, labels):
    with pytest.raises(TinyBertError, match=f"Received: {len(texts)} texts, {len(labels)} labels"):
        evaluate_classifier(KeywordClassifier(NAMES, NAMES), texts, labels)
