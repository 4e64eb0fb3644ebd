"""Sentences of a text, and articles as summarization pairs."""

import gzip

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.lead_sentences import read_lead_sentences
from tinybert_tf.text.sentences import sentence_spans, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rains. It pours! Why? Who knows", ["It rains.", "It pours!", "Why?", "Who knows"]),
        ("Dr. J. C. Jackson met Mrs. Lee.", ["Dr. J. C. Jackson met Mrs. Lee."]),
        ("It cost 3.50 dollars, i.e. a lot.", ["It cost 3.50 dollars, i.e. a lot."]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("one two. three four.", ["one two. three four."]),  # a lowercase letter follows
        ("A title\nA line\n\n  Another ", ["A title", "A line", "Another"]),
        ("下雨了。“走吧！”他说。好", ["下雨了。", "“走吧！”", "他说。", "好"]),
        ("真的吗？！是……吧", ["真的吗？！", "是……", "吧"]),
        ("It rains.下雨了。Yes. No.", ["It rains.下雨了。", "Yes.", "No."]),
        (" \n ", []),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


ARTICLES = """The moon is a natural satellite of Earth. It is grey. It has craters.
It was first visited in 1969 by two people.

Short.

Mars is a planet that people like. It is red, and it has two moons and much dust.
"""


@pytest.mark.parametrize("name", ["articles.txt", "articles.txt.gz"])
def test_articles(tmp_path, name):
    path, data = tmp_path / name, ARTICLES.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    pairs = read_lead_sentences(path, min_source=10)
    assert pairs.targets == [
        "The moon is a natural satellite of Earth.",
        "Mars is a planet that people like.",
    ]
    assert pairs.sources == [
        "It is grey. It has craters. It was first visited in 1969 by two people.",
        "It is red, and it has two moons and much dust.",
    ]
    assert [pairs.place(row) for row in range(2)] == [f"{path}:1", f"{path}:6"]


def test_chinese_is_counted_by_character(tmp_path):
    path = tmp_path / "articles.txt"
    path.write_text("月球是地球的天然卫星。它是灰色的，上面有许多环形山。", "utf-8")
    pairs = read_lead_sentences(path, min_source=15)
    assert pairs.targets == ["月球是地球的天然卫星。"]
    with pytest.raises(TinyBertError, match="at least 5 words and 16 more.*without any"):
        read_lead_sentences(path, min_source=16)


def test_length_limits_and_missing_files(tmp_path):
    path = tmp_path / "articles.txt"
    path.write_text(ARTICLES)
    assert len(read_lead_sentences(path, min_source=12)) == 1
    assert len(read_lead_sentences(path, min_source=5, min_target=8)) == 1
    with pytest.raises(TinyBertError, match="existing file"):
        read_lead_sentences(tmp_path / "none.txt")
