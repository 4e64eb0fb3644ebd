"""Words, their pieces, and windows over long sentences."""

import itertools
import random

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text
from tinybert_tf.text.tagging import read_tagged
from tinybert_tf.text.word_pieces import (
    choose_window,
    count_pieces,
    cut_windows,
    encode_windows,
    encode_words,
    split_words,
)
from tinybert_tf.text.wordpiece import WordPiece


@pytest.fixture(scope="module")
def wordpiece(small_vocabulary):
    return WordPiece(small_vocabulary)


# === Words to pieces ===


def test_pieces_by_hand(wordpiece):
    sentences = [["The", "players", "hello!", "中国", "\u200b", ""], [], ["a"]]
    encoded = encode_words(wordpiece, sentences)
    assert len(encoded) == 3
    pieces = [[wordpiece.vocabulary[i] for i in row] for row in encoded.token_ids]
    assert pieces == [
        "[CLS] the play ##er ##s hello ! 中 [UNK] [UNK] [UNK] [SEP]".split(),
        ["[CLS]", "[SEP]"],
        ["[CLS]", "a", "[SEP]"],
    ]
    assert [row.tolist() for row in encoded.first_pieces] == [[1, 2, 5, 7, 9, 10], [], [1]]
    arrays = encoded.token_ids + encoded.first_pieces
    assert {row.dtype for row in arrays} == {np.dtype("int32")}
    assert count_pieces(wordpiece, sentences) == [[1, 3, 2, 2, 1, 1], [], [1]]


@pytest.mark.parametrize(
    "max_length, kept",
    [(3, 1), (4, 2), (5, 2), (6, 2), (7, 3), (8, 3), (9, 4), (10, 4), (11, 4)],
)
def test_words_that_do_not_fit_are_left_out(wordpiece, max_length, kept):
    sentence = [["the", "players", "hello!", "中国"]]
    whole, cut = encode_words(wordpiece, sentence), encode_words(wordpiece, sentence, max_length)
    room = max_length - 2
    expected = [*whole.token_ids[0][:-1][: room + 1].tolist(), wordpiece.sep_id]
    assert cut.token_ids[0].tolist() == expected
    assert cut.first_pieces[0].tolist() == [1, 2, 5, 7][:kept]


def test_no_sentences(wordpiece):
    assert len(encode_words(wordpiece, [])) == 0
    assert count_pieces(wordpiece, []) == []


def test_bad_sentences(wordpiece):
    with pytest.raises(TinyBertError, match=r"`sentences\[1\]`.*'hello world'"):
        encode_words(wordpiece, [["hello"], "hello world"])
    with pytest.raises(TinyBertError, match=r"`sentences\[0\]`.*row 1 is 3"):
        count_pieces(wordpiece, [["hello", 3]])
    with pytest.raises(TinyBertError, match="at least 3.*max_length=2"):
        encode_words(wordpiece, [["hello"]], max_length=2)
    with pytest.raises(TinyBertError, match="integer.*max_length=8.0"):
        encode_words(wordpiece, [["hello"]], max_length=8.0)


def test_piece_ids(wordpiece):
    texts = ["the players", "", "\u200b", "中国"]
    ids = wordpiece.piece_ids(texts)
    assert [[wordpiece.vocabulary[i] for i in row] for row in ids] == [
        wordpiece.tokenize(text) for text in texts
    ]
    with pytest.raises(TinyBertError, match="`texts`"):
        wordpiece.piece_ids("the players")


@pytest.mark.parametrize("max_length", [12, 128])
def test_same_as_transformers(data_folder, minilm_folder, max_length):
    transformers = pytest.importorskip("transformers", reason="parity needs transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(str(minilm_folder))
    sentences = read_tagged(data_folder / "wnut17" / "dev.conll").words
    sentences += read_tagged(data_folder / "btc" / "dev.conll").words
    # A word without pieces is [UNK] here and left out there.
    empty = {word for words in sentences for word in words if not word.isascii()}
    empty = {word for word in empty if not theirs.tokenize(word)}
    sentences = [[word for word in words if word not in empty] for words in sentences]
    encoded = encode_words(WordPiece.from_folder(minilm_folder), sentences, max_length)
    expected = theirs(sentences, is_split_into_words=True, truncation=True, max_length=max_length)
    for row, words in enumerate(sentences):
        word_ids = expected.word_ids(row)[1:-1]
        firsts = [1 + word_ids.index(word) for word in dict.fromkeys(word_ids)]
        assert encoded.first_pieces[row].tolist() == firsts, words
        assert encoded.token_ids[row].tolist() == expected["input_ids"][row], words


# === Text to words ===


@pytest.mark.parametrize(
    "text, words",
    [
        ("", []),
        (" \t\n\u3000 \u200b", []),
        ("Ada wrote.", ["Ada", "wrote", "."]),
        ("  don't\tstop\r\n", ["don", "'", "t", "stop"]),
        ("Café Straße ΣΊΣ İstanbul", ["Café", "Straße", "ΣΊΣ", "İstanbul"]),
        ("Re\u0301sume\u0301, x", ["Re\u0301sume\u0301", ",", "x"]),
        ("在London见", ["在", "London", "见"]),
        ("𠀀x，。", ["𠀀", "x", "，", "。"]),
        ("今日は", ["今", "日", "は"]),
        ("한국어", ["한국어"]),
        ("hi😀 👩\u200d👧!", ["hi😀", "👩\u200d👧", "!"]),
        ("\u203c\ufe0f ❤\ufe0f.", ["\u203c\ufe0f", "❤\ufe0f", "."]),
        ("中\u0301国 \u0301", ["中\u0301", "国", "\u0301"]),
        ("a\u00a0b\u2028c\u3000d", ["a", "b", "c", "d"]),
        ("he\u200bllo a\x00b \ufffd", ["he\u200bllo", "a\x00b"]),
        ("\u200b中\u200b国 x\u200b", ["中", "国", "x"]),
        ("[SEP]", ["[", "SEP", "]"]),
        ("a\ud800b \ud83d", ["a\ud800b"]),
    ],
)
def test_words_by_hand(text, words):
    found, offsets = split_words(text)
    assert found == words
    assert [text[start:end] for start, end in offsets] == words


def test_split_needs_a_string():
    with pytest.raises(TinyBertError, match="row 0 is 3"):
        split_words(3)


PARTS = [
    *(" ", " ", " ", "\t", "\u3000", "\u00a0", "\u200b", "\x00", "\ufffd", "\u00ad", "\ud800"),
    *("the", "Playing", "Résumé", "e\u0301", "\u0301", "İ", "Straße", "don't", "3.14", "#1"),
    *("中国", "今日は", "한국어", "𠀀", "，", "«", "…", "€", "😀", "❤\ufe0f", "\u203c\ufe0f", "≠"),
]


def generated_texts(count):
    generator = random.Random(0)
    for _ in range(count):
        yield "".join(generator.choices(PARTS, k=generator.randint(1, 12)))


def test_offsets_of_generated_texts():
    for text in generated_texts(500):
        words, offsets = split_words(text)
        assert [text[start:end] for start, end in offsets] == words
        bounds = [position for pair in offsets for position in pair]
        assert bounds == sorted(bounds), text
        assert all(start < end for start, end in offsets)
        # What lies between the words is white space or dropped by the cleaning.
        between = list(text)
        for start, end in offsets:
            between[start:end] = [" "] * (end - start)
        assert not set("".join(between)) - set(" \t\u3000\u00a0\u200b\x00\ufffd\u00ad\ud800")


@pytest.mark.parametrize("lowercase", [True, False])
def test_words_have_the_pieces_of_the_text(minilm_folder, lowercase):
    wordpiece = WordPiece.from_folder(minilm_folder, lowercase=lowercase)
    for text in [*generated_texts(500), "Ada's café in 北京, e\u0301!"]:
        words, _ = split_words(text)
        pieces = [token_id for ids in wordpiece.piece_ids(words) for token_id in ids]
        assert pieces == wordpiece.piece_ids([text])[0], text


def test_public_text_has_the_same_pieces(data_folder, minilm_folder):
    wordpiece = WordPiece.from_folder(minilm_folder)
    texts = []
    for name in ("wiki_en_text", "wiki_zh_text"):
        texts += read_text(data_folder / name / "valid.txt.gz").split("\n")[:300]
    sentences = [split_words(text)[0] for text in texts]
    encoded = encode_words(wordpiece, sentences, max_length=512)
    expected = wordpiece.encode(texts, max_length=512).token_ids
    for row, text in enumerate(texts):
        assert encoded.token_ids[row].tolist() == expected[row].tolist(), text


# === Windows ===


def test_windows_by_hand():
    assert cut_windows([], 8) == []
    assert cut_windows([1, 2, 3], 8) == [(0, 3)]
    assert cut_windows([1] * 7, 8, overlap=0) == [(0, 6), (6, 7)]
    assert cut_windows([1] * 10, 8, overlap=2) == [(0, 6), (4, 10)]
    assert cut_windows([1] * 12, 8) == [(0, 6), (3, 9), (6, 12)]  # half a window at most
    assert cut_windows([1, 1, 99, 1, 1], 8) == [(0, 2), (2, 3), (3, 5)]
    assert cut_windows([1, 1, 6, 1], 8) == [(0, 2), (2, 3), (3, 4)]
    assert cut_windows([99, 99], 3) == [(0, 1), (1, 2)]


def test_choice_by_hand():
    assert choose_window([]) == []
    assert choose_window([(0, 3)]) == [0, 0, 0]
    assert choose_window([(0, 6), (4, 10)]) == [0] * 5 + [1] * 5
    assert choose_window([(0, 6), (3, 9), (6, 12)]) == [0] * 5 + [1] * 3 + [2] * 4
    assert choose_window([(0, 6), (6, 7)]) == [0] * 6 + [1]


def test_every_word_is_chosen_once():
    generator = random.Random(0)
    for _ in range(500):
        num_words, longest = generator.randint(1, 120), generator.choice([1, 3, 40])
        counts = [generator.randint(1, longest) for _ in range(num_words)]
        max_length = generator.randint(3, 40)
        overlap = generator.choice([0, 1, 4, 32])
        windows = cut_windows(counts, max_length, overlap)
        fits = [sum(counts[start:end]) <= max_length - 2 for start, end in windows]
        assert all(fit or end - start == 1 for fit, (start, end) in zip(fits, windows, strict=True))
        assert windows[0][0] == 0 and windows[-1][1] == num_words
        for (start, end), (next_start, next_end) in itertools.pairwise(windows):
            assert start < next_start <= end < next_end
            assert end - next_start <= overlap
        chosen = choose_window(windows)
        assert len(chosen) == num_words
        assert all(windows[w][0] <= word < windows[w][1] for word, w in enumerate(chosen))
        assert chosen == sorted(chosen)
        for word, window in enumerate(chosen):
            assert context(windows, word, window) == max(
                context(windows, word, w)
                for w, (start, end) in enumerate(windows)
                if start <= word < end
            )


def context(windows, word, window):
    start, end = windows[window]
    before = word - start if start else float("inf")
    after = end - 1 - word if end < windows[-1][1] else float("inf")
    return min(before, after)


def test_windows_lose_no_word(wordpiece):
    sentence = ["the", "players", "hello!", "中国", "a"] * 20
    (counts,) = count_pieces(wordpiece, [sentence])
    windows = cut_windows(counts, max_length=16, overlap=4)
    encoded = encode_words(wordpiece, [sentence[start:end] for start, end in windows], 16)
    assert [len(row) for row in encoded.first_pieces] == [end - start for start, end in windows]
    whole = encode_words(wordpiece, [sentence], max_length=1000)
    firsts = [
        encoded.token_ids[window][encoded.first_pieces[window][word - windows[window][0]]]
        for word, window in enumerate(choose_window(windows))
    ]
    assert firsts == whole.token_ids[0][whole.first_pieces[0]].tolist()


def test_bad_windows():
    with pytest.raises(TinyBertError, match="max_length=2"):
        cut_windows([1], 2)
    with pytest.raises(TinyBertError, match="overlap=-1"):
        cut_windows([1], 8, overlap=-1)
    with pytest.raises(TinyBertError, match="Received: 0"):
        cut_windows([1, 0], 8)


def test_windows_speak_for_each_word_once(wordpiece):
    sentences = [["hello", "world"] * 20, [], ["hello"]]
    encoded = encode_windows(wordpiece, sentences, max_length=12, overlap=4)
    assert encoded.word_counts == [40, 0, 1]
    for row, words in enumerate(sentences):
        own = [encoded.words[i] for i in np.flatnonzero(encoded.row == row)]
        assert len(own) > 0
        assert sorted(np.concatenate(own).tolist()) == list(range(len(words)))
    whole = encode_words(wordpiece, sentences, max_length=1000)
    for ids, first, words, row in zip(
        encoded.token_ids, encoded.first_pieces, encoded.words, encoded.row, strict=True
    ):
        assert len(ids) <= 12
        expected = whole.token_ids[row][whole.first_pieces[row][words]]
        np.testing.assert_array_equal(ids[first], expected)
