"""Extractive summaries, by hand, with a Keras embedder and with its exported file."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.text.extractive import summarize


class Words:
    """Embeds a text as the words it holds: vectors whose cosines can be reckoned."""

    def __init__(self, *words):
        self.words = words

    def embed(self, texts):
        counts = np.array([[word in text for word in self.words] for text in texts], "float32")
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-12)


TEXT = "A cat sleeps.  A cat and a dog run! A dog barks. Rain falls. A dog and a cat eat."
CAT_AND_DOG = Words("cat", "dog", "Rain")


def test_the_nearest_to_the_centroid_without_repetition():
    (first,) = summarize(CAT_AND_DOG, TEXT, sentences=1)
    assert (first.text, first.start, first.end) == ("A cat and a dog run!", 15, 35)
    # Sum of the five vectors: cat and dog 1 + 2 / sqrt(2), rain 1.
    centroid = np.array([1 + 2**0.5, 1 + 2**0.5, 1])
    assert first.score == pytest.approx(
        (centroid[0] + centroid[1]) / 2**0.5 / np.sqrt(centroid @ centroid)
    )
    # The last sentence says the same as the second.
    texts = [found.text for found in summarize(CAT_AND_DOG, TEXT, sentences=3)]
    assert texts == ["A cat sleeps.", "A cat and a dog run!", "A dog barks."]
    texts = [found.text for found in summarize(CAT_AND_DOG, TEXT, sentences=2, redundancy=1.1)]
    assert texts == ["A cat and a dog run!", "A dog and a cat eat."]
    # Cosines to the second of 0.71 are too near as well.
    texts = [found.text for found in summarize(CAT_AND_DOG, TEXT, sentences=3, redundancy=0.5)]
    assert texts == ["A cat and a dog run!", "Rain falls."]


def test_chinese():
    text = "猫在睡觉。猫和狗在跑！狗在叫。"
    (found,) = summarize(Words("猫", "狗"), text, sentences=1)
    assert (found.text, text[found.start : found.end]) == ("猫和狗在跑！", "猫和狗在跑！")


def test_few_sentences_none_and_errors():
    assert summarize(CAT_AND_DOG, " ") == []
    assert [found.text for found in summarize(CAT_AND_DOG, "A cat. No.", 5)] == ["A cat."]
    with pytest.raises(tb.TinyBertError, match="sentences=0"):
        summarize(CAT_AND_DOG, TEXT, sentences=0)
    with pytest.raises(tb.TinyBertError, match="type list"):
        summarize(CAT_AND_DOG, [TEXT])


@pytest.mark.slow
def test_a_keras_embedder_and_its_file_choose_alike(tmp_path):
    from tinybert_tf.export import TFLiteSentenceEmbedder, to_tflite

    keras.utils.set_random_seed(0)
    words = sorted({word.strip(".!").lower() for word in TEXT.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "!", *words]
    embedder = tb.TinyBertSentenceEmbedder(
        tb.TinyBertBackbone(len(vocabulary), 1, 2, 8, 16, max_sequence_length=16),
        tb.TinyBertTextClassifierPreprocessor(tb.TinyBertTokenizer(vocabulary), 16),
    )
    to_tflite(embedder, tmp_path / "embedder.tflite", target="float32")
    exported = TFLiteSentenceEmbedder(tmp_path / "embedder.tflite")
    own, other = (tb.summarize(model, TEXT, sentences=2) for model in (embedder, exported))
    assert [found.text for found in own] == [found.text for found in other]
    assert len(own) == 2
    for a, b in zip(own, other, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-4)
