"""`rules="mediapipe"`: the same ids as MediaPipe's own tokenizer feeds to a model."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tinybert_tf as tb
from tinybert_tf.export import TFLiteClassifier, to_tflite
from tinybert_tf.export.graph_edits import name_tensors
from tinybert_tf.export.metadata import write_metadata
from tinybert_tf.export.model_file import pack_model, parse_model
from tinybert_tf.models import TinyBertTokenizer
from tinybert_tf.text.wordpiece import WordPiece

INPUTS = ("ids", "mask", "segment_ids")
LENGTH = 512


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("The playing players!", ["the", "play", "##ing", "play", "##er", "##s", "!"]),
        ("Résumé", ["[UNK]"]),
        ("THE Ä", ["the", "[UNK]"]),
        ("hello\u00a0world", ["[UNK]"]),
        ("hello\tworld", ["hello", "world"]),
        ("hello\u0007", ["[UNK]"]),
        ("hello\u0000world", ["hello"]),
        ("中中a", ["中", "中", "a"]),
        ("hello。a", ["hello", "[UNK]", "a"]),
        ("hello [SEP]", ["hello", "[", "[UNK]", "]"]),
        ("", []),
    ],
)
def test_tokens_by_hand(small_vocabulary, text, tokens):
    wordpiece = WordPiece(small_vocabulary, rules="mediapipe")
    assert wordpiece.tokenize(text) == tokens


def test_a_word_is_at_most_100_bytes(small_vocabulary):
    wordpiece = WordPiece([*small_vocabulary, "##a", "é", "##é"], rules="mediapipe")
    assert len(wordpiece.tokenize("a" * 100)) == 100
    assert wordpiece.tokenize("a" * 101) == ["[UNK]"]
    assert len(wordpiece.tokenize("é" * 50)) == 50
    assert wordpiece.tokenize("é" * 51) == ["[UNK]"]


def test_offsets_are_places_in_the_text(small_vocabulary):
    wordpiece = WordPiece(small_vocabulary, rules="mediapipe")
    text = "The  PLAYING中"
    ((ids, offsets),) = wordpiece.encode_offsets([text])
    assert [wordpiece.vocabulary[i] for i in ids] == wordpiece.tokenize(text)
    assert [text[a:b] for a, b in offsets] == ["The", "PLAY", "ING", "中"]


def test_settings_travel_with_tokenizer_and_folder(small_vocabulary, tmp_path):
    wordpiece = WordPiece(small_vocabulary, rules="mediapipe")
    wordpiece.save(tmp_path)
    assert WordPiece.from_folder(tmp_path) == wordpiece
    assert WordPiece(small_vocabulary) != wordpiece
    layer = TinyBertTokenizer.from_wordpiece(wordpiece)
    assert layer.get_config()["rules"] == "mediapipe"
    assert layer.wordpiece.tokenize("Résumé") == ["[UNK]"]
    assert wordpiece.words("The résumé") == ["the", "résumé"]


def test_other_settings_and_rules_are_refused(small_vocabulary):
    with pytest.raises(tb.TinyBertError, match=r"Received: \{'lowercase': False\}"):
        WordPiece(small_vocabulary, lowercase=False, rules="mediapipe")
    with pytest.raises(tb.TinyBertError, match="bert, mediapipe. Received: rules='spacy'"):
        WordPiece(small_vocabulary, rules="spacy")


# === Against the real thing ===


@pytest.fixture(scope="module")
def text_tasks():
    return pytest.importorskip(
        "mediapipe.tasks.python.text", reason="needs mediapipe, to compare with its tokenizer"
    )


@pytest.fixture(scope="module")
def open_probe(text_tasks, tmp_path_factory):
    """Opens MediaPipe on a model that returns its ids: a function from text to ids."""
    from mediapipe.tasks.python import BaseOptions

    opened = []

    def build(vocabulary):
        folder = tmp_path_factory.mktemp("probe")
        path = folder / "probe.tflite"
        path.write_bytes(probe(vocabulary, folder / "saved"))
        base = BaseOptions(model_asset_path=str(path))
        options = text_tasks.TextClassifierOptions(base_options=base)
        classifier = text_tasks.TextClassifier.create_from_options(options)
        opened.append(classifier)

        def ids(text: str) -> list[int]:
            (head,) = classifier.classify(text).classifications
            scores = {int(found.category_name): found.score for found in head.categories}
            row = [round(scores[place]) for place in range(LENGTH)]
            return [token_id for token_id in row if token_id >= 0]

        return ids

    yield build
    for classifier in opened:
        classifier.close()


def probe(vocabulary: list[str], folder: Path) -> bytes:
    """A file whose outputs are its ids, -1 where there is no token."""

    class Probe(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, LENGTH), tf.int32, n) for n in INPUTS])
        def run(self, ids, mask, segment_ids):
            found = ids * mask + mask - 1 + 100_000 * segment_ids
            return {"probability": tf.cast(found, tf.float32)}

    module = Probe()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.run})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    model = parse_model(converter.convert(), "the probe")
    name_tensors(model, INPUTS, ("probability",))
    labels = [str(place) for place in range(LENGTH)]
    files = {
        name: "".join(f"{line}\n" for line in lines).encode()
        for name, lines in (("vocab.txt", vocabulary), ("labels.txt", labels))
    }
    return pack_model(model, write_metadata("probe", "", "vocab.txt", "labels.txt"), files)


@pytest.mark.slow
def test_every_character_separates_as_in_mediapipe(open_probe, small_vocabulary):
    """All of Unicode, each character between two letters."""
    vocabulary = [*small_vocabulary[:5], "a", "b"]
    wordpiece, ids = WordPiece(vocabulary, rules="mediapipe"), open_probe(vocabulary)
    codes = [*range(1, 0xD800), *range(0xE000, sys.maxunicode + 1)]
    for start in range(0, len(codes), 120):
        text = " ".join(f"a{chr(code)}b" for code in codes[start : start + 120])
        (mine,) = wordpiece.encode([text], max_length=LENGTH).token_ids
        assert mine.tolist() == ids(text), f"U+{codes[start]:04X} to U+{codes[start] + 119:04X}"


@pytest.mark.slow
def test_ids_equal_mediapipe_on_5000_strings(open_probe):
    """Words of the vocabulary, their capitals and accents, and words of any characters."""
    vocabulary = WordPiece.from_folder(tb.default_teacher()).vocabulary
    wordpiece, ids = WordPiece(vocabulary, rules="mediapipe"), open_probe(vocabulary)
    generator = np.random.default_rng(0)
    texts = ["", " ", "\u3000", "a" * 100, "a" * 101, "İstanbul ΣΑΣ ẞ", "e\u0301te", "x" * 3000]
    texts += [random_text(generator, vocabulary) for _ in range(5000)]
    rows = wordpiece.encode(texts, max_length=LENGTH).token_ids
    for text, row in zip(texts, rows, strict=True):
        assert row.tolist() == ids(text), repr(text)
    assert sum(len(row) for row in rows) > 50_000


def random_text(generator: np.random.Generator, vocabulary: list[str]) -> str:
    parts = []
    for _ in range(generator.integers(1, 12)):
        kind = generator.integers(6)
        word = vocabulary[generator.integers(len(vocabulary))].removeprefix("##")
        if kind == 0:
            word = "".join(chr(c) for c in characters(generator, int(generator.integers(1, 6))))
        elif kind == 1:
            word = word.upper()
        elif kind == 2:
            word += chr(generator.choice([0x301, 0xE9, 0xA0, 0x200B, 0x7, 0x4E2D, 0x1F600, 0xFF0C]))
        elif kind == 3:
            word += str(generator.choice(list(".,;:!?'\"()-_$%&@#\n\t")))
        parts.append(word)
    return str(generator.choice([" ", " ", "\n", ""])).join(parts)


def characters(generator: np.random.Generator, count: int) -> list[int]:
    highest = int(generator.choice([0x180, 0x3000, 0xD800, sys.maxunicode + 1]))
    codes = generator.integers(1, highest, size=4 * count)
    return [int(code) for code in codes if not 0xD800 <= code < 0xE000][:count]


# === In a model ===


def test_a_model_reads_by_the_rules_and_keeps_them(build_tiny, tmp_path):
    model = build_tiny()
    before = model.predict_proba(["a good film\u00a0fan", "a good film"])
    model.use_tokenizer("mediapipe")
    after = model.predict_proba(["a good film\u00a0fan", "a good film"])
    assert np.abs(after[0] - before[0]).max() > 0
    np.testing.assert_array_equal(after[1], before[1])
    model.save_to_preset(str(tmp_path))
    loaded = tb.TinyBertTextClassifier.from_preset(str(tmp_path))
    assert loaded.wordpiece.rules == "mediapipe"
    assert tb.student_of(loaded, num_layers=1).wordpiece.rules == "mediapipe"
    loaded.use_tokenizer("bert")
    assert loaded.wordpiece.rules == "bert"


def test_a_checkpoint_is_loaded_with_the_rules(tiny_hf_folder, tmp_path):
    model = tb.TinyBertTextClassifier.from_hf(
        str(tiny_hf_folder), labels=["no", "yes"], tokenizer="mediapipe"
    )
    path = to_tflite(model, tmp_path / "m.tflite", target="float32").path
    runner = TFLiteClassifier(path)
    assert runner.tokenizer.rules == "mediapipe"
    texts = ["a good\u00a0film", "CAFÉ good", "good"]
    np.testing.assert_allclose(runner.predict_proba(texts), model.predict_proba(texts), atol=1e-5)
