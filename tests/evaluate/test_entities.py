"""Scores of entities: the same as seqeval's, and what they refuse."""

import json
import os
import random
from pathlib import Path

import pytest
import seqeval.metrics
from rich.console import Console
from seqeval.metrics.sequence_labeling import get_entities

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import (
    entity_spans,
    evaluate_entities,
    repair_bio,
    spans_to_entities,
)
from tinybert_tf.text.tagging import read_tagged
from tinybert_tf.text.word_pieces import split_words

GOLD = [
    ["B-PER", "I-PER", "O", "B-LOC"],
    ["O", "B-LOC", "I-LOC"],
    ["O", "O"],
]
PREDICTED = [
    ["B-PER", "I-PER", "O", "B-PER"],
    ["O", "B-LOC", "O"],
    ["I-ORG", "O"],
]


def random_tags(generator, length, prefixes="BI", types="abc"):
    tags = ["O", "O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in types)]
    return generator.choices(tags, k=length)


def check_against_seqeval(gold, predicted):
    report = evaluate_entities(gold, predicted)
    theirs = seqeval.metrics.classification_report(
        gold, predicted, output_dict=True, zero_division=0
    )
    averages = {name: theirs.pop(f"{name} avg") for name in ("micro", "macro", "weighted")}
    micro = averages["micro"]
    assert report.precision == pytest.approx(micro["precision"])
    assert report.recall == pytest.approx(micro["recall"])
    assert report.f1 == pytest.approx(micro["f1-score"])
    assert report.num_entities == micro["support"]
    assert report.token_accuracy == pytest.approx(seqeval.metrics.accuracy_score(gold, predicted))
    assert [result.label for result in report.per_type] == list(theirs)
    for result in report.per_type:
        row = theirs[result.label]
        ours = (result.precision, result.recall, result.f1, result.support)
        assert ours == pytest.approx(
            (row["precision"], row["recall"], row["f1-score"], row["support"])
        )
    text = seqeval.metrics.classification_report(gold, predicted, digits=5, zero_division=0)
    assert report.to_text(digits=5).startswith(text)


# === Spans ===


@pytest.mark.parametrize(
    "tags, spans",
    [
        ("", []),
        ("O O", []),
        ("B-a I-a O B-b", [("a", 0, 2), ("b", 3, 4)]),
        ("B-a B-a I-a", [("a", 0, 1), ("a", 1, 3)]),
        ("I-a I-a O I-b", [("a", 0, 2), ("b", 3, 4)]),
        ("B-a I-b I-b I-a", [("a", 0, 1), ("b", 1, 3), ("a", 3, 4)]),
        ("B-creative-work I-creative-work", [("creative-work", 0, 2)]),
    ],
)
def test_spans_by_hand(tags, spans):
    assert entity_spans(tags.split()) == spans
    repaired = repair_bio(tags.split())
    assert entity_spans(repaired) == spans
    assert sum(tag.startswith("B-") for tag in repaired) == len(spans)


@pytest.mark.parametrize("prefixes", ["BI", "BIES"])
def test_spans_equal_seqeval(prefixes):
    generator = random.Random(0)
    for _ in range(1000):
        tags = random_tags(generator, generator.randint(0, 12), prefixes)
        theirs = [(kind, start, end + 1) for kind, start, end in get_entities(tags)]
        assert entity_spans(tags) == theirs, tags


def test_repair():
    tags = "I-a I-a O I-b B-b I-b I-a".split()
    assert repair_bio(tags) == "B-a I-a O B-b B-b I-b B-a".split()
    assert repair_bio(repair_bio(tags)) == repair_bio(tags)
    assert repair_bio([]) == []
    with pytest.raises(TinyBertError, match=r"tags\[1\] is 'PER'"):
        repair_bio(["O", "PER"])


# === Scores ===


def test_scores_by_hand():
    report = evaluate_entities(GOLD, PREDICTED)
    assert (report.num_sentences, report.num_entities) == (3, 3)
    assert report.precision == pytest.approx(1 / 4)
    assert report.recall == pytest.approx(1 / 3)
    assert report.f1 == pytest.approx(2 / 7)
    assert report.token_accuracy == pytest.approx(6 / 9)
    loc, org, per = report.per_type
    assert (loc.label, loc.precision, loc.recall, loc.f1, loc.support) == ("LOC", 0, 0, 0, 2)
    assert (org.label, org.precision, org.recall, org.f1, org.support) == ("ORG", 0, 0, 0, 0)
    assert (per.label, per.precision, per.recall, per.support) == ("PER", 0.5, 1, 1)
    assert per.f1 == pytest.approx(2 / 3)
    check_against_seqeval(GOLD, PREDICTED)


@pytest.mark.parametrize("prefixes", ["BI", "BIES"])
def test_scores_equal_seqeval(prefixes):
    generator = random.Random(1)
    for _ in range(200):
        lengths = [generator.randint(1, 10) for _ in range(generator.randint(1, 12))]
        gold = [random_tags(generator, length, prefixes) for length in lengths]
        predicted = [
            [tag if generator.random() < 0.7 else random_tags(generator, 1)[0] for tag in tags]
            for tags in gold
        ]
        if any(map(entity_spans, gold + predicted)):
            check_against_seqeval(gold, predicted)


def test_scores_on_public_data_equal_seqeval(data_folder):
    gold = read_tagged(data_folder / "wnut17" / "dev.conll").tags
    labels = sorted({tag for tags in gold for tag in tags})
    generator = random.Random(2)
    predicted = [
        [generator.choice(labels) if generator.random() < 0.1 else tag for tag in tags]
        for tags in gold
    ]
    check_against_seqeval(gold, predicted)
    check_against_seqeval(gold, gold)
    assert evaluate_entities(gold, gold).f1 == 1
    assert 0.1 < evaluate_entities(gold, predicted).f1 < 0.9


@pytest.fixture
def data_folder():
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("TINYBERT_DATA", default))
    if not folder.is_dir():
        pytest.skip("no public data sets here: set TINYBERT_DATA to their folder")
    return folder


def test_nothing_to_find():
    report = evaluate_entities([["O", "O"], []], [["O", "O"], []])
    assert report.summary() == {"precision": 0, "recall": 0, "f1": 0, "token_accuracy": 1}
    assert report.per_type == ()
    assert "weighted avg" in str(report)
    assert evaluate_entities([["O"]], [["B-x"]]).precision == 0
    assert evaluate_entities([["B-x"]], [["O"]]).recall == 0
    assert evaluate_entities([[]], [[]]).token_accuracy == 0


def test_refused():
    with pytest.raises(TinyBertError, match="row 1 with 3 gold and 2 predicted"):
        evaluate_entities(GOLD, [PREDICTED[0], ["O", "O"], PREDICTED[2]])
    with pytest.raises(TinyBertError, match="3 and 2 sentences"):
        evaluate_entities(GOLD, PREDICTED[:2])
    with pytest.raises(TinyBertError, match="0 and 0 sentences"):
        evaluate_entities([], [])
    with pytest.raises(TinyBertError, match=r"predicted\[0\]\[1\] is 'B'"):
        evaluate_entities([["O", "O"]], [["O", "B"]])
    with pytest.raises(TinyBertError, match=r"gold\[1\]\[0\] is 0"):
        evaluate_entities([["O"], [0]], [["O"], ["O"]])


# === Forms ===


def test_forms():
    report = evaluate_entities(GOLD, PREDICTED)
    loaded = json.loads(json.dumps(report.to_dict()))
    assert loaded["per_type"][2]["label"] == "PER"
    assert loaded["f1"] == report.f1 == report.summary()["f1"]
    assert set(loaded) == {
        *report.summary(),
        *("num_sentences", "num_entities", "per_type"),
    }
    assert str(report) == report.to_text(3)
    assert str(report).endswith("F1 0.286, precision 0.250, recall 0.333, token accuracy 0.667")


def test_rich_table():
    gold = [["B-[red]x", "B-LOC"]]
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(evaluate_entities(gold, [["B-[red]x", "O"]]))
    lines = capture.get().splitlines()
    assert "Entities in 1 sentences" in lines[0]
    (row,) = (line for line in lines if "[red]x" in line)
    assert row.replace("│", " ").split() == ["[red]x", "1.000", "1.000", "1.000", "1"]
    (micro,) = (line for line in lines if "micro avg" in line)
    assert micro.replace("│", " ").split()[2:] == ["1.000", "0.500", "0.667", "2"]
    assert "token accuracy 0.500" in capture.get()


# === Entities of a text ===


def test_entities_of_a_text():
    text = "Ada  Lovelace wrote from 伦敦 (London)."
    words, offsets = split_words(text)
    assert words == ["Ada", "Lovelace", "wrote", "from", "伦", "敦", "(", "London", ")", "."]
    tags = "B-PER I-PER O O I-LOC I-LOC O B-LOC O O".split()
    scores = [0.9, 0.7, 1, 1, 0.5, 0.7, 1, 0.8, 1, 1]
    entities = spans_to_entities(offsets, tags, scores)
    assert [text[entity["start"] : entity["end"]] for entity in entities] == [
        *("Ada  Lovelace", "伦敦", "London")
    ]
    assert [entity["type"] for entity in entities] == ["PER", "LOC", "LOC"]
    assert [entity["score"] for entity in entities] == pytest.approx([0.8, 0.6, 0.8])
    assert json.loads(json.dumps(entities)) == entities
    assert spans_to_entities([], [], []) == []


def test_entities_need_equal_lengths():
    with pytest.raises(TinyBertError, match="1 words, 2 tags and 1 scores"):
        spans_to_entities([(0, 1)], ["O", "O"], [0.5])
