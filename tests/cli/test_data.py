"""The share that is held out for development."""

import json
from collections import Counter

import pytest

from tinybert_tf.cli.data import held_out_rows, read_split
from tinybert_tf.cli.tasks import TASKS
from tinybert_tf.errors import TinyBertError

COLUMNS = {"text": None, "label": None, "text_pair": None}
CLASSIFICATION = TASKS["classification"]


def test_every_class_gives_its_share_and_keeps_a_row():
    labels = ["a"] * 100 + ["b"] * 10 + ["c"] * 3 + ["d"]
    chosen = Counter(labels[row] for row in held_out_rows(labels, 0.2, seed=0))
    assert chosen == {"a": 20, "b": 2, "c": 1}
    chosen = Counter(labels[row] for row in held_out_rows(labels, 0.9, seed=0))
    assert chosen == {"a": 90, "b": 9, "c": 2}


def test_the_share_depends_on_the_seed_only():
    labels = ["a", "b"] * 50
    assert held_out_rows(labels, 0.1, 1) == held_out_rows(labels, 0.1, 1)
    assert held_out_rows(labels, 0.1, 1) != held_out_rows(labels, 0.1, 2)


def test_too_few_rows_are_refused():
    with pytest.raises(TinyBertError, match="--dev-share 0"):
        held_out_rows(["a", "b"], 0.5, seed=0)


def test_split_keeps_rows_together(tables):
    split = read_split(
        TASKS["classification"],
        str(tables / "train.csv"),
        None,
        0.25,
        0,
        COLUMNS,
        multi_label=False,
    )
    assert (len(split.train), len(split.dev)) == (120, 40)
    places = [{part.place(row) for row in range(len(part))} for part in (split.train, split.dev)]
    assert not places[0] & places[1]
    assert split.dev.place(0).startswith(str(tables / "train.csv"))
    assert split.validation_data == (split.dev.inputs, split.dev.labels)
    assert split.describe() == {**split.describe(), "train_rows": 120, "dev_rows": 40}


def test_without_a_share_there_is_no_validation(tables):
    split = read_split(
        CLASSIFICATION, str(tables / "train.csv"), None, 0.0, 0, COLUMNS, multi_label=False
    )
    assert split.dev is None
    assert split.validation_data is None


def test_questions_of_one_context_stay_together(tmp_path):
    path = tmp_path / "train.jsonl"
    rows = [
        {
            "question": f"q{row}",
            "context": f"c{row // 4}",
            "answers": {"text": [], "answer_start": []},
        }
        for row in range(40)
    ]
    path.write_text("\n".join(json.dumps({"id": str(i), **row}) for i, row in enumerate(rows)))
    split = read_split(TASKS["qa"], str(path), None, 0.2, 0, COLUMNS, multi_label=False)
    contexts = [set(part.inputs[1]) for part in (split.train, split.dev)]
    assert (len(contexts[0]), len(contexts[1])) == (8, 2)
    assert not contexts[0] & contexts[1]
