import gzip
import json
import os

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.readers import Examples, read_examples, read_labels


@pytest.fixture
def write(tmp_path):
    """Writes a file of bytes or text and returns its path."""

    def write_file(name, content):
        path = tmp_path / name
        data = content.encode("utf-8") if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write_file


# === Formats ===


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", "text,label\ngood film,pos\nbad,neg\n"),
        ("a.CSV", "text,label\ngood film,pos\nbad,neg"),
        ("a.csv", '"text","label"\n"good film","pos"\n"bad","neg"\n'),
        ("a.csv", "\ufefftext,label\r\ngood film,pos\r\nbad,neg\r\n"),
        ("a.csv", "\n\ntext,label\n\ngood film,pos\n   \nbad,neg\n\n\n"),
        ("a.tsv", "label\ttext\npos\tgood film\nneg\tbad\n"),
        ("a.tab", "LABEL\tText\npos\tgood film\nneg\tbad\n"),
        ("a.csv.gz", "id,text,label\n1,good film,pos\n2,bad,neg\n"),
        ("a.tsv.gz", "\ufefftext\tlabel\r\ngood film\tpos\r\nbad\tneg"),
        ("a.jsonl", '{"text": "good film", "label": "pos"}\n\n{"label": "neg", "text": "bad"}\n'),
        (
            "a.ndjson",
            '\ufeff{"text": "good film", "label": "pos"}\r\n{"text": "bad", "label": "neg"}',
        ),
        (
            "a.jsonl.gz",
            '{"text": ["good", "film"], "label": " pos "}\n{"text": "bad", "label": "neg"}',
        ),
    ],
)
def test_formats(write, name, content):
    examples = read_examples(write(name, content))
    assert examples.texts == ["good film", "bad"]
    assert examples.labels == ["pos", "neg"]
    assert examples.pairs is None
    assert len(examples) == 2


def test_semicolons_of_a_spreadsheet(write):
    """As Excel saves where the comma is a decimal mark; a comma in a text is one of the text."""
    path = write("data.csv", 'text;label\nwell, good;1\n"bad; worse";0\n')
    assert read_examples(path).texts == ["well, good", "bad; worse"]
    path = write("data.csv", 'text,label\n"a; b",x\n')
    assert read_examples(path).texts == ["a; b"]


def test_delimiter(write):
    path = write("a.txt", 'text;label\n"good; film";pos\nbad;neg\n')
    assert read_examples(path, delimiter=";").texts == ["good; film", "bad"]
    path = write("b.csv", 'text\tlabel\n"quoted" film\tpos\n')
    assert read_examples(path, delimiter="\t").texts == ['"quoted" film']
    for wrong in ("", ";;", 3):
        with pytest.raises(TinyBertError, match="`delimiter` is expected to be one character"):
            read_examples(path, delimiter=wrong)


def test_tsv_has_no_quoting(write):
    path = write("a.tsv", 'sentence\tlabel\n" unbalanced\t1\nso-called "art"\t0\n')
    assert read_examples(path).texts == ['" unbalanced', 'so-called "art"']


def test_csv_quoting_and_line_numbers(write):
    content = 'text,label\n"two\nlines, ""quoted""",a\nplain,b\n"three\r\nmore\nlines",a\nlast,b\n'
    examples = read_examples(write("a.csv", content))
    assert examples.texts == ['two\nlines, "quoted"', "plain", "three\r\nmore\nlines", "last"]
    assert examples.lines == [2, 4, 5, 8]
    assert examples.place(3).endswith("a.csv:8")


def test_unusual_line_separators_stay_in_the_text(write):
    text = "one\u2028two\x85three\x0bfour"
    assert read_examples(write("a.tsv", f"text\tlabel\n{text}\ta\n")).texts == [text]
    row = json.dumps({"text": text, "label": "a"}, ensure_ascii=False)
    assert read_examples(write("a.jsonl", row)).texts == [text]


def test_long_texts(write):
    text = "word " * 60_000
    assert read_examples(write("a.csv", f'text,label\n"{text}",a\n')).texts == [text]


def test_scores_are_numbers_in_json_too(write):
    path = write("a.jsonl", '{"text": "a", "score": 3.8}\n{"text": "b", "score": 5}\n')
    assert read_examples(path, scores=True).labels == ["3.8", "5"]


def test_json_labels(write):
    rows = [1, 2.0, True, "x"]
    content = "\n".join(json.dumps({"text": "t", "label": label}) for label in rows)
    assert read_examples(write("a.jsonl", content)).labels == ["1", "2", "true", "x"]


def test_empty_text_is_a_text(write):
    assert read_examples(write("a.csv", "text,label\n,a\n")).texts == [""]


# === Columns ===


@pytest.mark.parametrize(
    "header, expected",
    [
        ("sentence,label", ("x0", "x1")),
        ("coarse,fine,question", ("x2", "x0")),
        ("intent,tokens,tags", ("x1", "x0")),
        ("id,Review,Sentiment", ("x1", "x2")),
        ("title,content,category", ("x1", "x2")),
        ("label_text,text,label", ("x1", "x2")),
    ],
)
def test_recognized_columns(write, header, expected):
    values = ",".join(f"x{index}" for index in range(header.count(",") + 1))
    examples = read_examples(write("a.csv", f"{header}\n{values}\n"))
    assert (examples.texts[0], examples.labels[0]) == expected


def test_given_columns(write):
    path = write("a.csv", "text,other,label,fine\na,b,c,d\n")
    examples = read_examples(path, text="other", label="fine")
    assert (examples.texts, examples.labels) == (["b"], ["d"])


@pytest.mark.parametrize("header", ["sentence1,sentence2,label", "premise,hypothesis,label"])
def test_recognized_pairs(write, header):
    examples = read_examples(write("a.csv", f"{header}\na,b,c\n"))
    assert (examples.texts, examples.pairs, examples.labels) == (["a"], ["b"], ["c"])


def test_given_pairs(write):
    path = write("a.csv", "text,context,label\na,b,c\n")
    assert read_examples(path).pairs is None
    assert read_examples(path, text_pair="context").pairs == ["b"]


def test_labels_may_be_absent(write):
    path = write("a.csv", "text\na\nb\n")
    assert read_examples(path, require_labels=False).labels is None
    with pytest.raises(TinyBertError, match=r"A label column is expected.*columns 'text'"):
        read_examples(path)
    with pytest.raises(TinyBertError, match="label column 'topic' is expected"):
        read_examples(path, label="topic", require_labels=False)


@pytest.mark.parametrize(
    "content, arguments, message",
    [
        ("text,label\na,b\n", {"text": "body"}, "text column 'body'.*a.csv.*'text', 'label'"),
        ("text,label\na,b\n", {"label": "Label"}, "label column 'Label'.*'text', 'label'"),
        ("text,label\na,b\n", {"text_pair": "c"}, "text_pair column 'c'.*'text', 'label'"),
        ("foo,label\na,b\n", {}, "A text column is expected: one of text, .*'foo', 'label'"),
        ("text,foo\na,b\n", {}, "A label column is expected: one of label, .*'text', 'foo'"),
        ("text|label\na|b\n", {}, "'text|label'. Is the delimiter '|'"),
        ("text\tlabel\na\tb\n", {}, "Is the delimiter a tab"),
    ],
)
def test_missing_columns(write, content, arguments, message):
    with pytest.raises(TinyBertError, match=message):
        read_examples(write("a.csv", content), **arguments)


# === Malformed files ===


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", "", "a.csv' is empty"),
        ("a.tsv", "\ufeff \r\n\n", "a.tsv' is empty"),
        ("a.jsonl", "", "a.jsonl' is empty"),
        ("a.csv.gz", "", "a.csv.gz' is empty"),
        ("a.csv", "text,label\n", "after the header.*a.csv' has none"),
        ("a.tsv", "text\tlabel\n\n\n", "after the header.*a.tsv' has none"),
        ("a.csv", '""\n', "after the header"),
        ("a.csv", "text,label,text\na,b,c\n", "Distinct column names.*a.csv:1 repeats 'text'"),
        ("a.csv", "\ntext, text\na,b\n", "a.csv:2 repeats 'text'"),
        ("a.csv", "text,label\na,b\na,b,c\n", r"2 fields \(text, label\).*a.csv:3 has 3; .*quotes"),
        ("a.csv", 'text,label\n"a\nb",c\nd\n', "a.csv:4 has 1"),
        ("a.tsv", "text\tlabel\n\n\na\tb\na\n", r"a.tsv:5 has 1$"),
        ("a.csv", 'text,label\na,b\n"never closed,c\nd,e\n', "a.csv:3: unexpected end of data"),
        ("a.csv", 'text,label\n"a" b,c\n', "a.csv:2: ',' expected after"),
        ("a.csv", "text,label\na,b\na,\n", "label is expected in column 'label'.*a.csv:3: ''"),
        ("a.csv", 'text,label\n"a\nb",c\na, \n', "a.csv:4: ' '"),
        ("a.csv", b"text,label\na,b\ncaf\xe9,b\n", r"UTF-8.*a.csv:3: byte 4 is 0xe9"),
        ("a.csv", b"\xef\xbb\xbftext,l\xff\n", r"a.csv:1: byte 10 is 0xff"),
        ("a.jsonl", b'{"text": "\xe9"}', r"a.jsonl:1: byte 11 is 0xe9"),
        ("a.csv", "text,label\na,b\n".encode("utf-16"), r"byte 1 is 0xff \(UTF-16\?\)"),
        ("a.csv", b"text,label\na,b\nc\0,d\n", r"NUL bytes.*a.csv:3: byte 2 is 0x00"),
        ("a.jsonl", b'{"text": "\0"}', r"NUL bytes.*a.jsonl:1: byte 11"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": }\n', "a.jsonl:2: Expecting value"),
        ("a.jsonl", '\n["a", "b"]\n', "JSON object a line.*a.jsonl:2 holds a list"),
        ("a.jsonl", '{"text": "a", "label": "b", "text": "c"}', "a.jsonl:1 repeats 'text'"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "c"}\n', "a.jsonl:2: None"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"label": "c"}\n', "A text.*a.jsonl:2: None"),
        ("a.jsonl", '{"text": 3, "label": "b"}', "A text is expected in column 'text'.*:1: 3"),
        ("a.jsonl", '{"text": "a", "label": ["b"]}', r"A label is expected.*:1: \['b'\]"),
        ("a.jsonl", '{"text": "a", "label": 1.5}', r"A label is expected.*:1: 1.5"),
    ],
)
def test_malformed_files(write, name, content, message):
    with pytest.raises(TinyBertError, match=message):
        read_examples(write(name, content))


@pytest.mark.parametrize("name", ["a.xlsx", "a.json", "a.gz", "a", "a.csv.zip"])
def test_unknown_extensions(write, name):
    with pytest.raises(TinyBertError, match=rf"ending in .csv, .tsv, .*{name}"):
        read_examples(write(name, "text,label\na,b\n"))


def test_unreadable_files(tmp_path):
    with pytest.raises(TinyBertError, match=r"existing file is expected.*absent.csv"):
        read_examples(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TinyBertError, match=r"readable file is expected.*folder.csv' \(Is a"):
        read_examples(tmp_path / "folder.csv")
    whole = gzip.compress(os.urandom(5000))
    for content in (b"text,label\na,b\n", whole[:-100], whole[:50] + b"\xff" * 50 + whole[100:]):
        (tmp_path / "a.csv.gz").write_bytes(content)
        with pytest.raises(TinyBertError, match=r"readable file is expected.*a.csv.gz"):
            read_examples(tmp_path / "a.csv.gz")
    with pytest.raises(TinyBertError, match=r"`path` is expected to be a path.*None"):
        read_examples(None)


# === Multi-label ===


def test_multi_label(write):
    path = write("a.tsv", "text\tlabels\na\tx|y\nb\t\nc\t x , y;z ,x\n")
    assert read_examples(path, multi_label=True).labels == [["x", "y"], [], ["x", "y", "z"]]
    rows = [["x, y", 1], [], "x|y", 3]
    content = "\n".join(json.dumps({"text": "t", "labels": row}) for row in rows)
    examples = read_examples(write("a.jsonl", content), multi_label=True)
    assert examples.labels == [["x, y", "1"], [], ["x", "y"], ["3"]]


@pytest.mark.parametrize("label", [None, [None], [""], {"a": 1}, [["a"]]])
def test_malformed_multi_label(write, label):
    path = write("a.jsonl", json.dumps({"text": "t", "labels": label}))
    with pytest.raises(TinyBertError, match=r"Labels are expected in column 'labels'.*a.jsonl:1"):
        read_examples(path, multi_label=True)


# === labels.txt ===


def test_read_labels(write):
    assert read_labels(write("labels.txt", "b\r\na c\n\n")) == ["b", "a c"]
    with pytest.raises(TinyBertError, match=r"labels.txt' is empty"):
        read_labels(write("labels.txt", "\n"))
    with pytest.raises(TinyBertError, match=r"labels.txt:2 is blank"):
        read_labels(write("labels.txt", "a\n\nb\n"))
    with pytest.raises(TinyBertError, match=r"labels.txt:3 repeats 'a' of line 1"):
        read_labels(write("labels.txt", "a\nb\na\n"))
    with pytest.raises(TinyBertError, match="existing file"):
        read_labels("absent/labels.txt")


# === Real files ===


@pytest.mark.parametrize(
    "name, rows, classes",
    [
        ("sst2/dev.tsv", 872, 2),
        ("sst2/train_sentences.tsv", 6920, 2),
        ("sst2/train_phrases.tsv.gz", 67349, 2),
        ("clinc150/train.tsv", 15000, 150),
        ("trec_qc/train.tsv", 5452, 6),
        ("snips_nlu/train.tsv.gz", 13084, 7),
    ],
)
def test_public_data(data_folder, name, rows, classes):
    examples = read_examples(data_folder / name)
    assert isinstance(examples, Examples)
    assert len(examples.texts) == len(examples.labels) == rows
    assert len(set(examples.labels)) == classes
    assert examples.lines == list(range(2, rows + 2))
