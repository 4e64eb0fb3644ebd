"""The Java tokenizer against transformers' `BertTokenizer` and ours, on all of Unicode."""

import importlib.util
import random

import pytest
from java_client import JAVA_FOLDER
from unicode_texts import (
    character_vocabulary,
    chinese_vocabulary,
    mixed_texts,
    texts_of_marks,
    unassigned,
    unicode_texts,
)

from tinybert_tf.text.wordpiece import WordPiece

pytestmark = pytest.mark.slow  # thousands of texts

transformers = pytest.importorskip("transformers", reason="parity needs transformers")

# Name: vocabulary and WordPiece's settings. Between them every setting is on and off.
CASES = {
    "minilm": (None, {}),
    "chinese": (chinese_vocabulary, {}),
    "uncased": (character_vocabulary, {}),
    "cased": (character_vocabulary, {"lowercase": False}),
    "accents": (character_vocabulary, {"strip_accents": False, "tokenize_chinese_chars": False}),
    "cased_stripped": (character_vocabulary, {"lowercase": False, "strip_accents": True}),
}


@pytest.fixture(scope="module", params=CASES)
def tokenizers(request, java, tmp_path_factory):
    """The Java client, set to a vocabulary, and transformers' and our tokenizer of it."""
    make, settings = CASES[request.param]
    path = tmp_path_factory.mktemp(request.param) / "vocab.txt"
    if make is None:
        path.write_bytes(request.getfixturevalue("minilm_vocabulary").read_bytes())
    else:
        text = "".join(f"{token}\n" for token in make())
        path.write_bytes(text.encode("utf-8"))
    ours = WordPiece(path, **settings)
    ours.save(path.parent)
    java.use_vocabulary(
        path,
        lowercase=ours.lowercase,
        strip_accents=ours.strip_accents,
        split_chinese=ours.tokenize_chinese_chars,
    )
    return java, transformers.BertTokenizer.from_pretrained(path.parent), ours


def differences(texts, found, expected) -> list[tuple]:
    return [
        (ascii(text), row, wanted)
        for text, row, wanted in zip(texts, found, expected, strict=True)
        if row != wanted
    ][:3]


def valid(texts: list[str]) -> list[str]:
    """Texts as transformers takes them: it refuses lone surrogates, which both others remove."""
    return [text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore") for text in texts]


def test_unicode(tokenizers):
    java, theirs, ours = tokenizers
    texts = [*unicode_texts(), *mixed_texts(1000, seed=1), *texts_of_marks(1000)]
    assert len(texts) > 7000
    found = java.encode(texts)["token_ids"]
    assert not differences(texts, found, theirs(valid(texts))["input_ids"])
    rows = ours.encode(texts, max_length=10_000).token_ids
    assert not differences(texts, found, [row.tolist() for row in rows])
    # The comparison is about something: most rows hold more than [UNK].
    assert sum(len(set(row) - {ours.unk_id}) > 4 for row in found) > 1500


@pytest.mark.parametrize("tokenizers", ["minilm", "chinese"], indirect=True)
def test_truncation_and_pairs(tokenizers):
    java, theirs, _ = tokenizers
    first, second = mixed_texts(100, seed=2), mixed_texts(100, seed=3)
    options = {"truncation": "longest_first"}
    for max_length in (5, 6, 17):
        found = java.encode(first, max_length=max_length)["token_ids"]
        wanted = theirs(valid(first), max_length=max_length, **options)
        assert not differences(first, found, wanted["input_ids"])
        found = java.encode(first, second, max_length)
        wanted = theirs(valid(first), valid(second), max_length=max_length, **options)
        assert not differences(first, found["token_ids"], wanted["input_ids"])
        assert not differences(first, found["segment_ids"], wanted["token_type_ids"])


def test_code_points_of_no_character(java, tmp_path):
    """Unassigned and private ones too: the tables leave nothing to the device."""
    characters = unassigned()
    sample = random.Random(1).sample(characters, 20_000)
    vocabulary = tmp_path / "vocab.txt"
    ours = WordPiece([*character_vocabulary(), *sample, *(f"##{char}" for char in sample)])
    ours.save(tmp_path)
    java.use_vocabulary(vocabulary)
    # A letter between: an unknown one then does not hide the others of its word.
    texts = ["a ".join(characters[i : i + 500]) for i in range(0, len(characters), 500)]
    texts += ["".join(sample[i : i + 20]) for i in range(0, len(sample), 20)]
    found = java.encode(texts)["token_ids"]
    expected = [row.tolist() for row in ours.encode(texts, max_length=10_000).token_ids]
    assert not differences(texts, found, expected)
    assert len({token for row in found for token in row}) > len(sample) // 10


def test_tables_are_what_the_script_writes():
    """Whatever the version of `tokenizers` that stands in the comment."""
    path = JAVA_FOLDER / "make_unicode_tables.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = script.FILE.read_text(encoding="ascii")
    assert written.split("final class")[1] == script.source().split("final class")[1]


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_longest_word(java, minilm_vocabulary, limit):
    """transformers knows 100 only; `tokenizers`, which ours is built on, any limit."""
    java.use_vocabulary(minilm_vocabulary, max_characters=limit)
    texts = [*mixed_texts(300, seed=4), *texts_of_marks(300)]
    ours = WordPiece(minilm_vocabulary, max_input_chars_per_word=limit)
    expected = [row.tolist() for row in ours.encode(texts, max_length=10_000).token_ids]
    assert not differences(texts, java.encode(texts)["token_ids"], expected)


@pytest.mark.parametrize("unit", ["hello ", "x", "中", "\u0301", "\u302e\u1b44", "[", "ế"])
def test_a_million_characters(java, minilm_vocabulary, unit):
    java.use_vocabulary(minilm_vocabulary)
    text = unit * (1_000_000 // len(unit))
    start = text[:12_000]  # repeats itself: enough to know the first ids
    ours = WordPiece(minilm_vocabulary)
    for pair, start_of_pair in ((None, None), ([text], [start])):  # of a pair the whole is read
        found = java.encode([text], pair, max_length=128)
        assert found["seconds"] < 3
        expected = ours.encode([start], start_of_pair, max_length=128)
        assert found["token_ids"] == [expected.token_ids[0].tolist()]
        assert found["segment_ids"] == [expected.segment_ids[0].tolist()]


# === Bad input ===


@pytest.mark.parametrize(
    "vocabulary, message",
    [
        ("[PAD] [UNK] [CLS] [SEP] a b a", 'Received: "a" in lines 5 and 7'),
        ("[PAD] [UNK] [CLS] a b", r"with the token \[SEP\]"),
    ],
)
def test_vocabulary_of_no_use(java, tmp_path, vocabulary, message):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(vocabulary.split()), encoding="utf-8")
    with pytest.raises(AssertionError, match=message):
        java.use_vocabulary(path)


def test_no_room(java, minilm_vocabulary):
    java.use_vocabulary(minilm_vocabulary)
    assert "at least 3. Received: maxLength=2" in java.encode(["a"], max_length=2)["error"]
    assert "at least 5. Received: maxLength=4" in java.encode(["a"], ["b"], 4)["error"]
