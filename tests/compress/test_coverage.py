"""The numbers of the report, counted by hand."""

import io
import json

import pytest
from rich.console import Console

from tinybert_tf.compress import measure_coverage
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.vocabulary import SPECIAL_TOKENS
from tinybert_tf.text.wordpiece import WordPiece

LETTERS = [*"abc", "##a", "##b", "##c"]


@pytest.fixture
def coverage():
    before = WordPiece([*SPECIAL_TOKENS, *LETTERS, "abc", "d"])
    after = WordPiece([*SPECIAL_TOKENS, *LETTERS])
    return measure_coverage(before, after, 7, ["abc ab", "ab [SEP] é"], ["abc d", "a"])


def test_corpus(coverage):
    corpus = coverage.corpus
    assert (corpus.texts, corpus.words) == (2, 4)
    # Before abc | a ##b | a ##b | [UNK]; after a ##b ##c | a ##b | a ##b | [UNK].
    assert (corpus.tokens_before, corpus.tokens_after) == (6, 8)
    assert (corpus.pieces_per_word_before, corpus.pieces_per_word_after) == (1.5, 2.0)
    assert corpus.unchanged_texts == 0.5
    assert corpus.unchanged_tokens == pytest.approx(5 / 6)
    assert (corpus.unknown_before, corpus.unknown_after) == (0.25, 0.25)


def test_held_out(coverage):
    dev = coverage.dev
    assert (dev.texts, dev.words, dev.tokens_before, dev.tokens_after) == (2, 3, 3, 5)
    assert (dev.unknown_before, dev.unknown_after) == (0.0, pytest.approx(1 / 3))
    assert dev.unchanged_texts == 0.5
    assert dev.unchanged_tokens == pytest.approx(1 / 3)


def test_table_bytes(coverage):
    assert (coverage.size_before, coverage.size_after) == (13, 11)
    assert coverage.table_bytes() == (13 * 28, 11 * 28)
    assert coverage.table_bytes("int4") == (13 * 8, 11 * 8)  # 7 values in 4 bytes, a scale in 4


def test_in_every_form(coverage):
    content = json.loads(json.dumps(coverage.to_dict()))
    assert content["int4_bytes_after"] == 88
    assert content["dev"]["pieces_per_word_after"] == pytest.approx(5 / 3)
    lines = str(coverage).splitlines()
    assert len({len(line) for line in lines}) == 1  # aligned
    assert lines[2].split("|")[2:4] == ["      13 ", "      11 "]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(coverage)
    shown = console.export_text()
    assert "corpus: texts split as before" in shown
    assert "33.33 %" in shown


def test_without_held_out_texts():
    wordpiece = WordPiece([*SPECIAL_TOKENS, *LETTERS])
    coverage = measure_coverage(wordpiece, wordpiece, 4, ["a"])
    assert coverage.dev is None
    assert coverage.to_dict()["dev"] is None
    assert "dev" not in coverage.to_text()
    assert coverage.corpus.unchanged_texts == 1.0


def test_texts_are_lists():
    wordpiece = WordPiece([*SPECIAL_TOKENS, *LETTERS])
    with pytest.raises(TinyBertError, match="`dev_texts`"):
        measure_coverage(wordpiece, wordpiece, 4, ["a"], "a text")
