import gzip
import json

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.parallel import read_parallel
from tinybert_tf.text.spacing import join_chinese

TSV = "english\tchinese\tattribution\nHi.\t嗨。\ta\n I see. \t我明白了。\tb\n"


@pytest.fixture
def write(tmp_path):
    """Writes a file of text and returns its path."""

    def write_file(name, content):
        path, data = tmp_path / name, content.encode("utf-8")
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write_file


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.tsv", TSV),
        ("a.tsv.gz", TSV),
        ("a.csv", 'Source,Target\nHi.,嗨。\n\n"I see.",我明白了。\n'),
        ("a.csv.gz", "summary,article\n嗨。,Hi.\n我明白了。,I see.\n"),
        (
            "a.jsonl.gz",
            '{"src": "Hi.", "tgt": "嗨。"}\n{"tgt": "我明白了。", "src": "I see.", "id": 3}\n',
        ),
    ],
)
def test_formats(write, name, content):
    pairs = read_parallel(write(name, content))
    assert pairs.sources == ["Hi.", "I see."]
    assert pairs.targets == ["嗨。", "我明白了。"]
    assert len(pairs) == 2


def test_given_columns_and_lines(write):
    path = write("a.csv", 'x,y\na,"b\nb"\nc,d\n')
    pairs = read_parallel(path, source="y", target="x")
    assert (pairs.sources, pairs.targets) == (["b\nb", "d"], ["a", "c"])
    assert pairs.lines == [2, 4]
    assert pairs.place(1) == f"{path}:4"


def test_positions_mean_a_file_without_header(write):
    path = write("a.tsv", "Hi.\t嗨。\tCC-BY\nRun.\t你用跑的。\tCC-BY\n")
    pairs = read_parallel(path, source=0, target=1)
    assert pairs.sources == ["Hi.", "Run."]
    assert pairs.targets == ["嗨。", "你用跑的。"]
    assert pairs.lines == [1, 2]
    assert read_parallel(path, source=1, target=0).sources == pairs.targets


@pytest.mark.parametrize(
    "name, content, arguments, message",
    [
        ("a.tsv", "source\ttarget\nHi.\t嗨。\nNo.\t \n", {}, r"target text.*a\.tsv:3: ' '"),
        ("a.csv", "source,target\n,嗨。\n", {}, r"source text.*a\.csv:2: ''"),
        ("a.jsonl", '{"source": "Hi."}\n{"source": "x", "target": "y"}', {}, r"a\.jsonl:1: None"),
        ("a.jsonl", json.dumps({"source": "Hi.", "target": 3}), {}, r"a\.jsonl:1: 3"),
        ("a.tsv", "source\ttarget\nHi.\n", {}, r"a\.tsv:2 has 1"),
        ("a.tsv", "Hi.\t嗨。\nNo.\t不。\n", {}, "without a header.*source=0.*'Hi.', '嗨。'"),
        ("a.tsv", "source\tb\nHi.\t嗨。\n", {}, "Expected a target column"),
        ("a.tsv", "source\ttarget\na\tb\n", {"target": "zh"}, "target column 'zh'"),
        ("a.tsv", "a\tb\na\tb\n", {"source": "a", "target": "a"}, "two different columns"),
        ("a.tsv", "a\tb\na\tb\n", {"source": 0, "target": -1}, "two different columns"),
        ("a.tsv", "a\tb\na\tb\n", {"source": 0, "target": "b"}, "two positions"),
        ("a.tsv", "a\tb\na\tb\n", {"source": 0, "target": 2}, "position 2.*2 columns"),
        ("a.txt", "a\n", {}, "A file ending in"),
    ],
)
def test_bad_files(write, name, content, arguments, message):
    with pytest.raises(TinyBertError, match=message):
        read_parallel(write(name, content), **arguments)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("我 明 白 了 。", "我明白了。"),
        ("我 是 Tom Smith ， 你 呢 ？", "我是Tom Smith，你呢？"),
        ("I ' m fine , thanks .", "I ' m fine , thanks ."),
        ("he said “ no ” — twice", "he said “ no ” — twice"),
        ("“ 好 ” 𠀀 は", "“好”𠀀は"),
    ],
)
def test_join_chinese(text, expected):
    assert join_chinese(text) == expected
