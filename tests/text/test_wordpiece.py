import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.encoded import longest_first
from tinybert_tf.text.wordpiece import WordPiece


@pytest.fixture(scope="module")
def wordpiece(small_vocabulary):
    return WordPiece(small_vocabulary)


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("", []),
        (" \t\n\u3000 ", []),
        ("The playing players!", ["the", "play", "##ing", "play", "##er", "##s", "!"]),
        ("Résumé", ["resume"]),
        ("Re\u0301sume\u0301", ["resume"]),
        ("STRASSE", ["[UNK]"]),
        ("Straße", ["straße"]),
        ("hello,world", ["hello", ",", "world"]),
        ("中中a", ["中", "中", "a"]),
        ("中国", ["中", "[UNK]"]),
        ("hello\u0000\u0007\ufffdworld", ["[UNK]"]),
        ("he\u200bllo", ["hello"]),
        ("hello\u00a0world\u2028a", ["hello", "world", "a"]),
        ("hello 😀 world", ["hello", "[UNK]", "world"]),
        ("ｈｅｌｌｏ", ["[UNK]"]),
        ("a" * 101, ["[UNK]"]),
        ("hello [SEP] [MASK][PAD]world", ["hello", "[SEP]", "[MASK]", "[PAD]", "world"]),
        ("[sep] [Sep]", ["[", "[UNK]", "]", "[", "[UNK]", "]"]),
    ],
)
def test_tokens_by_hand(wordpiece, text, tokens):
    assert wordpiece.tokenize(text) == tokens


def test_settings_by_hand(small_vocabulary):
    vocabulary = [*small_vocabulary, "Hello", "é", "e"]
    assert WordPiece(vocabulary, lowercase=False).tokenize("Hello é") == ["Hello", "é"]
    assert WordPiece(vocabulary, lowercase=True).tokenize("Hello é") == ["hello", "e"]
    kept = WordPiece(vocabulary, lowercase=True, strip_accents=False)
    assert kept.tokenize("Hello É") == ["hello", "é"]
    stripped = WordPiece(vocabulary, lowercase=False, strip_accents=True)
    assert stripped.tokenize("Hello é") == ["Hello", "e"]
    whole = WordPiece(vocabulary, tokenize_chinese_chars=False)
    assert whole.tokenize("中国") == ["中", "##国"]
    short = WordPiece(vocabulary, max_input_chars_per_word=5)
    assert short.tokenize("hello playing") == ["hello", "[UNK]"]


def test_word_length_limit(small_vocabulary):
    wordpiece = WordPiece([*small_vocabulary, "##a"])
    assert wordpiece.tokenize("a" * 100) == ["a"] + ["##a"] * 99
    assert wordpiece.tokenize("a" * 101) == ["[UNK]"]


def test_encode_single(wordpiece):
    encoded = wordpiece.encode(["hello world", "", "the playing players !"], max_length=5)
    assert len(encoded) == 3
    assert [row.tolist() for row in encoded.token_ids] == [
        [2, 17, 18, 3],
        [2, 3],
        [2, 5, 6, 7, 3],
    ]
    assert [row.tolist() for row in encoded.segment_ids] == [[0] * 4, [0] * 2, [0] * 5]
    assert {row.dtype for row in encoded.token_ids + encoded.segment_ids} == {np.dtype("int32")}


def test_encode_pairs(wordpiece):
    encoded = wordpiece.encode(["hello", "a a a a a"], ["the world", "the"], max_length=7)
    assert [row.tolist() for row in encoded.token_ids] == [
        [2, 17, 3, 5, 18, 3],
        [2, 20, 20, 20, 3, 5, 3],
    ]
    assert [row.tolist() for row in encoded.segment_ids] == [
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize(
    "first, second, budget, kept",
    [(2, 3, 5, (2, 3)), (9, 2, 6, (4, 2)), (2, 9, 6, (2, 4)), (9, 9, 5, (2, 3)), (9, 8, 5, (3, 2))],
)
def test_longest_first(first, second, budget, kept):
    assert longest_first(first, second, budget) == kept


def test_no_rows(wordpiece):
    assert len(wordpiece.encode([])) == 0
    assert len(wordpiece.encode(iter(()), pairs=[])) == 0


def test_string_rows_of_numpy_and_generators(wordpiece):
    expected = [2, 17, 3]
    assert wordpiece.encode(np.array(["hello"])).token_ids[0].tolist() == expected
    assert wordpiece.encode(np.array(["hello"], object)).token_ids[0].tolist() == expected
    assert wordpiece.encode(text for text in ["hello"]).token_ids[0].tolist() == expected


@pytest.mark.parametrize("value", [None, b"hello", float("nan"), 3, ["hello"]])
def test_rows_that_are_no_strings(wordpiece, value):
    with pytest.raises(TinyBertError, match=r"`texts` .* row 1 is .*type " + type(value).__name__):
        wordpiece.encode(["hello", value])
    with pytest.raises(TinyBertError, match=r"`pairs` .* row 0 is"):
        wordpiece.encode(["hello"], [value])
    with pytest.raises(TinyBertError, match="strings"):
        wordpiece.tokenize(value)


@pytest.mark.parametrize("texts", ["hello", b"hello", None, 3])
def test_texts_that_are_no_list(wordpiece, texts):
    with pytest.raises(TinyBertError, match="`texts` is expected to be a list of strings"):
        wordpiece.encode(texts)


def test_max_length_has_room(wordpiece):
    assert wordpiece.encode(["a a"], max_length=3).token_ids[0].tolist() == [2, 20, 3]
    with pytest.raises(TinyBertError, match=r"at least 3.*Received: max_length=2"):
        wordpiece.encode(["a"], max_length=2)
    with pytest.raises(TinyBertError, match=r"at least 5.*Received: max_length=4"):
        wordpiece.encode(["a"], ["a"], max_length=4)
    for wrong in (None, 8.0, "8", True):
        with pytest.raises(TinyBertError, match="`max_length` is expected to be an integer"):
            wordpiece.encode(["a"], max_length=wrong)


def test_pairs_of_another_number(wordpiece):
    with pytest.raises(TinyBertError, match="2 texts and 1 pairs"):
        wordpiece.encode(["a", "a"], ["a"])


def test_surrogates(wordpiece):
    assert wordpiece.tokenize("hello\ud800 world") == ["hello", "world"]
    rows = wordpiece.encode(["\udfff", "\ud83d\ude00", "hello"]).token_ids
    assert [row.tolist() for row in rows] == [[2, 3], [2, 1, 3], [2, 17, 3]]


@pytest.mark.parametrize("unit", ["hello ", "x", "中", "é!", "[SEP]", "\ud800", "\u0301"])
def test_a_text_of_100_000_characters(wordpiece, unit):
    text = unit * (100_000 // len(unit))
    start = time.perf_counter()
    encoded = wordpiece.encode([text], max_length=128)
    assert time.perf_counter() - start < 1
    assert len(encoded.token_ids[0]) <= 128
    prefix = wordpiece.encode([text[:3000]], max_length=128)
    np.testing.assert_array_equal(encoded.token_ids[0], prefix.token_ids[0])


def test_more_texts_than_one_call_takes(wordpiece):
    texts = ["hello " * (row % 7) for row in range(5000)]
    encoded = wordpiece.encode(texts)
    assert [len(row) for row in encoded.token_ids] == [2 + row % 7 for row in range(5000)]


def test_threads_with_different_lengths(wordpiece):
    def lengths(max_length):
        rows = wordpiece.encode(["hello " * 200] * 50, max_length=max_length).token_ids
        return {len(row) for row in rows}

    wanted = [3 + index % 60 for index in range(96)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lengths, wanted)) == [{length} for length in wanted]


def test_decode(wordpiece):
    ids = wordpiece.encode(["The playing players!"]).token_ids[0]
    assert wordpiece.decode(ids) == "the playing players!"
    assert wordpiece.decode([]) == ""
    with pytest.raises(TinyBertError, match="ids from 2 to 99"):
        wordpiece.decode([2, 99])


def test_ids(wordpiece, small_vocabulary):
    assert wordpiece.vocabulary == small_vocabulary
    assert wordpiece.vocabulary_size == 21
    special = (wordpiece.pad_id, wordpiece.unk_id, wordpiece.cls_id, wordpiece.sep_id)
    assert (*special, wordpiece.mask_id) == (0, 1, 2, 3, 4)
    assert wordpiece.token_to_id("hello") == 17
    assert wordpiece.token_to_id("absent") == wordpiece.unk_id


def test_special_tokens_at_unusual_ids():
    wordpiece = WordPiece(["a", "[MASK]", "[SEP]", "[PAD]", "[CLS]", "[UNK]"])
    assert wordpiece.encode(["a b"]).token_ids[0].tolist() == [4, 0, 5, 2]
    assert (wordpiece.pad_id, wordpiece.mask_id) == (3, 1)


def test_equality_config_and_copies(wordpiece, small_vocabulary):
    config = wordpiece.get_config()
    assert "vocabulary" not in config
    assert WordPiece(small_vocabulary, **config) == wordpiece
    assert WordPiece(small_vocabulary, lowercase=False) != wordpiece
    assert WordPiece([*small_vocabulary, "more"]) != wordpiece
    assert wordpiece != "wordpiece"
    copy = pickle.loads(pickle.dumps(wordpiece))
    assert copy == wordpiece
    assert copy.tokenize("playing") == ["play", "##ing"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"lowercase": False, "strip_accents": True, "max_input_chars_per_word": 7}],
)
def test_save_and_load(tmp_path, small_vocabulary, settings):
    vocabulary = [*small_vocabulary, "\u2028", "\u3000x", "\x85"]
    wordpiece = WordPiece(vocabulary, **settings)
    wordpiece.save(tmp_path / "new" / "folder")
    assert WordPiece.from_folder(tmp_path / "new" / "folder") == wordpiece
    assert (tmp_path / "new" / "folder" / "vocab.txt").read_bytes().endswith(b"\xc2\x85\n")
