"""SQuAD's JSON and JSON lines: what is read, and what is refused by name."""

import copy
import gzip
import json

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.squad import Answer, Questions, read_squad

CONTEXT = "Zoë lives in 中国 😀. She moved to Bern, then to Basel, then back to Bern."


def squad(*qas, context=CONTEXT):
    return {"version": "1.1", "data": [{"paragraphs": [{"context": context, "qas": list(qas)}]}]}


def question(question_id="q1", answers=(("Bern", 32),), **changes):
    answers = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": question_id, "question": "Where to?", "answers": answers, **changes}


@pytest.fixture
def write(tmp_path):
    """Writes an object as JSON, a list as JSON lines, or text; returns the path."""

    def write_file(content, name="dev.json"):
        if isinstance(content, list):
            content = "\n".join(json.dumps(row) for row in content)
        elif not isinstance(content, str):
            content = json.dumps(content)
        data = content.encode("utf-8")
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write_file


# === What is read ===


@pytest.mark.parametrize("name", ["dev.json", "dev-v1.1.json.gz", "dev"])
def test_squad_1(write, name):
    content = squad(question(), question("q2", [("Basel", 46), ("中国 😀", 13)], question="Which?"))
    content["data"].append({"title": "b", "paragraphs": [{"context": "Bern.", "qas": []}]})
    content["data"] += squad(question("q3", [("Bern", 0)]), context="Bern.")["data"]
    path = write(content, name)
    questions = read_squad(path)
    assert len(questions) == 3
    assert questions.ids == ["q1", "q2", "q3"]
    assert questions.questions == ["Where to?", "Which?", "Where to?"]
    assert questions.contexts == [CONTEXT, CONTEXT, "Bern."]
    assert questions.answers == [
        [Answer("Bern", 32)],
        [Answer("Basel", 46), Answer("中国 😀", 13)],
        [Answer("Bern", 0)],
    ]
    assert questions.answers[1][1].end == 17
    assert questions.source == str(path)
    assert questions.place(1) == f"{path}: question 'q2'"


def test_squad_2(write):
    impossible = question("q2", [], is_impossible=True, plausible_answers=[{"text": "x"}])
    questions = read_squad(write(squad(question(is_impossible=False), impossible)))
    assert questions.answers == [[Answer("Bern", 32)], []]


@pytest.mark.parametrize("name", ["dev.jsonl", "dev.ndjson.gz", "train.v2.JSONL"])
def test_json_lines(write, name):
    rows = [
        {
            "id": "a",
            "title": "t",
            "question": "Where to?",
            "context": CONTEXT,
            "answers": {"text": ["Bern", "Basel"], "answer_start": [32, 46]},
        },
        {
            "id": "b",
            "question": "Why?",
            "context": CONTEXT,
            "answers": {"text": [], "answer_start": []},
        },
        {
            "id": 7,
            "question": "Who?",
            "context": CONTEXT,
            "answers": [{"text": "Zoë", "answer_start": 0}],
        },
    ]
    path = write(rows, name)
    questions = read_squad(path)
    assert questions.ids == ["a", "b", "7"]
    assert questions.answers == [[Answer("Bern", 32), Answer("Basel", 46)], [], [Answer("Zoë", 0)]]
    assert questions.place(1) == f"{path}:2: question 'b'"


def test_lines_without_ids_go_by_their_number(write):
    row = {"question": "Why?", "context": "a", "answers": {"text": [], "answer_start": []}}
    path = write(json.dumps(row) + "\n\n" + json.dumps(row), "dev.jsonl")
    assert read_squad(path).ids == ["1", "3"]


def test_answers_may_be_absent_if_not_required(write):
    asked = {"id": "a", "question": "Why?"}
    path = write(squad(asked))
    assert read_squad(path, require_answers=False).answers is None
    with pytest.raises(TinyBertError, match=r"'answers'\. Received: .*question 'a' without it"):
        read_squad(path)
    lines = write([{"question": "Why?", "context": "a"}], "dev.jsonl")
    assert read_squad(lines, require_answers=False).answers is None
    with pytest.raises(TinyBertError, match=r"'answers'.*dev.jsonl:1 without it"):
        read_squad(lines)
    mixed = write(squad(question(), asked))
    with pytest.raises(TinyBertError, match="in all questions or in none.*question 'a' lacks it"):
        read_squad(mixed, require_answers=False)
    # Answers that are there are checked nevertheless.
    with pytest.raises(TinyBertError, match="answer_start=3,"):
        read_squad(write(squad(question(answers=[("Bern", 3)]))), require_answers=False)
    unlabelled = write(squad(question(answers=[])))
    assert read_squad(unlabelled, require_answers=False).answers == [[]]


def test_places_without_a_file():
    questions = Questions(["a"], ["Why?"], ["Because."])
    assert questions.place(0) == "row 0"
    assert Questions(["a"], ["Why?"], ["So."], source="dev").place(0) == "row 0 of dev"


# === Answers that are not in their place ===


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        # UTF-16 counts the emoji twice, UTF-8 bytes more still.
        ("Bern", 33, r"start=33, where 'ern,' stands; the nearest place that holds it is 32"),
        ("Bern", 58, r"where 'back' stands; the nearest place that holds it is 66"),
        ("Bern", 31, r"where ' Ber' stands; the nearest place that holds it is 32"),
        ("Bern", 67, r"where 'ern.' stands; the nearest place that holds it is 66"),
        ("Bern", 500, r"nothing stands in a context of 71 characters; .* is 66"),
        ("Bern", -5, r"start=-5, where nothing stands in a context of 71 characters; .* is 32"),
        ("bern", 32, r"where 'Bern' stands; the context does not hold it"),
        ("Geneva", 32, r"answer 'Geneva': .*where 'Bern, ' stands; the context does not hold it"),
        ("Bern.\n", 66, r"where 'Bern.' stands; the context does not hold it"),
    ],
)
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_misplaced_answers(write, form, text, start, message):
    assert len(CONTEXT) == 71
    item = question("q7", [("Bern", 32), (text, start)])
    content = squad(item) if form == "json" else [{**item, "context": CONTEXT}]
    with pytest.raises(TinyBertError, match=f"dev.{form}.*question 'q7'.*{message}"):
        read_squad(write(content, f"dev.{form}"))


# === Malformed files ===


def without(item, name):
    item = copy.deepcopy(item)
    del item[name]
    return item


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "dev.json' is empty"),
        (" \n", "is empty"),
        ("{", r"SQuAD's JSON.*dev.json: Expecting property name.*line 1"),
        ('{"a": 1}\n{"a": 2}\n', r"Extra data.*Then name the file .jsonl"),
        ("[" * 100_000, "SQuAD's JSON"),
        ([[1]], r"dev.json without a list of objects in the field 'data'"),
        ({"version": "1.1"}, "dev.json without a list of objects in the field 'data'"),
        ({"data": {}}, "in the field 'data'"),
        ({"data": [3]}, "in the field 'data'"),
        ({"data": []}, "At least one question is expected.*dev.json' has none"),
        (squad(), "At least one question"),
        ({"data": [{"title": "a"}]}, r"data\[0\] without a list of objects in .*'paragraphs'"),
        ({"data": [{"paragraphs": [{"context": "a"}]}]}, r"data\[0\].paragraphs\[0\] .*'qas'"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, r"'context'.*paragraphs\[0\] without it"),
        (squad(context=" "), r"'context'.*paragraphs\[0\] has ' '"),
        (squad(without(question(), "id")), r"'id'.*paragraphs\[0\]\.qas\[0\] has None"),
        (squad(question("")), r"'id'.*has ''"),
        (squad(without(question(), "question")), "'question'.*question 'q1' without it"),
        (squad(question(question=3)), "'question'.*question 'q1' has 3"),
        (squad(question(question="")), "'question'.*question 'q1' has ''"),
        (squad(question(answers=[])), "or 'is_impossible': true, .*question 'q1' without answers"),
        (squad(question(answers=[], is_impossible=False)), "question 'q1' without answers"),
        (squad(question(is_impossible=True)), "No answers are expected.*'q1' with 'Bern'"),
        (squad(question(is_impossible="no")), "true or false.*question 'q1' has 'no'"),
        (squad({**question(), "answers": "Bern"}), "'answers'.*question 'q1' has 'Bern'"),
        (squad({**question(), "answers": ["Bern"]}), r"'answers'.*question 'q1' has \['Bern'\]"),
        (
            squad({**question(), "answers": [{"answer_start": 3}]}),
            "'text'.*question 'q1', an answer without it",
        ),
        (
            squad({**question(), "answers": [{"text": "Bern"}]}),
            "offset.*question 'q1', answer 'Bern': answer_start=None",
        ),
        (squad(question(answers=[("Bern", "32")])), "answer_start='32'"),
        (squad(question(answers=[("Bern", True)])), "answer_start=True"),
        (squad(question(answers=[("", 32)])), "an answer has ''"),
        (
            squad(question(), question("q2"), question()),
            r"its own id\. Received: .*question 'q1' repeats the id of .*question 'q1'",
        ),
    ],
)
def test_malformed_json(write, content, message):
    content = json.dumps(content) if isinstance(content, list) else content
    with pytest.raises(TinyBertError, match=message):
        read_squad(write(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": None}, r"'context'.*dev.jsonl:2: question 'b' without it"),
        ({"question": "\t"}, r"'question'.*:2: question 'b' has '\\t'"),
        ({"id": ["b"]}, r"'id'.*dev.jsonl:2 has \['b'\]"),
        ({"id": "a"}, r"dev.jsonl:2: question 'a' repeats the id of .*dev.jsonl:1: question 'a'"),
        ({"answers": None}, r"'answers'.*:2: question 'b' without it"),
        ({"answers": {"text": ["Bern"]}}, r"same length.*question 'b' with {'text'"),
        ({"answers": {"text": ["Bern"], "answer_start": []}}, "same length"),
        ({"answers": {"text": "Bern", "answer_start": 32}}, "same length"),
    ],
)
def test_malformed_lines(write, change, message):
    row = {
        "id": "a",
        "question": "Where?",
        "context": CONTEXT,
        "answers": {"text": ["Bern"], "answer_start": [32]},
    }
    with pytest.raises(TinyBertError, match=message):
        read_squad(write([row, {**row, "id": "b", **change}], "dev.jsonl"))


def test_files_that_cannot_be_read(write, tmp_path):
    with pytest.raises(TinyBertError, match="existing file"):
        read_squad(tmp_path / "absent.json")
    with pytest.raises(TinyBertError, match="existing file"):
        read_squad(tmp_path / "absent.jsonl")
    with pytest.raises(TinyBertError, match=r"readable file.*Not a gzipped file"):
        path = write(squad(question()))
        read_squad(path.rename(path.with_name("dev.json.gz")))
    with pytest.raises(TinyBertError, match="JSON object a line.*dev.jsonl:1"):
        read_squad(write("[1]", "dev.jsonl"))
    with pytest.raises(TinyBertError, match="`path` is expected to be a path"):
        read_squad(None)


# === Public data ===


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("squadshifts/new_wiki_v1.0.json.gz", 7938),
        ("squadshifts/reddit_v1.0.json.gz", 9803),
        ("squad_v2_halfdev/dev-v1-style-answerable.json.gz", 2910),
    ],
)
def test_public_data(data_folder, name, rows):
    questions = read_squad(data_folder / name)
    assert len(questions) == len(set(questions.ids)) == rows
    for context, answers in zip(questions.contexts, questions.answers, strict=True):
        assert answers
        for answer in answers:
            assert context[answer.start : answer.end] == answer.text
