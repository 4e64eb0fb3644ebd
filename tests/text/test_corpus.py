"""Texts from tables and plain files together."""

import gzip

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.corpus import corpus_texts


def test_tables_and_plain_text(tmp_path):
    (tmp_path / "a.tsv").write_text("sentence\tlabel\nfine\t1\nbad\t0\n")
    (tmp_path / "b.csv").write_text("premise,hypothesis\none,two\n")
    (tmp_path / "c.txt").write_text("a text, with\ta tab\n\n  another \n")
    (tmp_path / "d.TXT.gz").write_bytes(gzip.compress("zip\u2028ped".encode()))
    paths = [tmp_path / name for name in ("a.tsv", "b.csv", "c.txt")] + [str(tmp_path / "d.TXT.gz")]
    assert corpus_texts(paths) == [
        *("fine", "bad", "one", "two"),
        *("a text, with\ta tab", "another", "zip\u2028ped"),
    ]


def test_a_named_column(tmp_path):
    (tmp_path / "a.csv").write_text("id,body\n1,hello\n")
    assert corpus_texts([tmp_path / "a.csv"], text="body") == ["hello"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\n \n", "holds none"),
        ("a.txt", b"\xff", "UTF-8"),
        ("a.csv", b"id\n1\n", "column"),
    ],
)
def test_errors(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TinyBertError, match=message):
        corpus_texts([tmp_path / name])
    with pytest.raises(TinyBertError, match="existing file"):
        corpus_texts([tmp_path / "nothing.txt"])
