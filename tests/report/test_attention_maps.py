"""Attention maps are what the layers compute; masking is what an outsider can measure."""

import numpy as np
import pytest
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.report import attention_maps, attention_probabilities, word_influence

TEXT = "the movies was really good"  # "movies" is two pieces


def test_tokens_shape_and_rows_that_sum_to_one(loud_classifier):
    maps = attention_maps(loud_classifier, TEXT)
    assert maps.tokens == "[CLS] the movie ##s was really good [SEP]".split()
    assert maps.probabilities.shape == (2, 2, 8, 8)
    np.testing.assert_allclose(maps.probabilities.sum(axis=-1), 1, atol=1e-5)
    by_hand = (maps.probabilities[1, 0, 0] + maps.probabilities[1, 1, 0]) / 2
    np.testing.assert_allclose(maps.of_classification_token(), by_hand, atol=1e-7)
    assert np.ptp(maps.probabilities[0, 0, 0]) > 1e-2  # not all alike


def layer_probabilities(model, features, block):
    """What the attention layer multiplies its values with: with the unit matrix for values."""
    hidden = model.backbone.intermediates["hidden_states"][block]
    import keras

    states = keras.Model(model.backbone.input, hidden)(features, training=False)
    layer = model.backbone.encoder_blocks[block].attention
    key, _ = layer.project(states)
    query = layer._split_heads(layer.query_dense(states)) / layer.head_dim**0.5
    length = states.shape[1]
    unit = ops.broadcast_to(ops.eye(length), (*key.shape[:2], length, length))
    context, _ = layer._attend(query, key, unit, features["padding_mask"], False)
    return ops.convert_to_numpy(context)


def test_probabilities_equal_the_layers_own(loud_classifier):
    (features, *_) = loud_classifier.batches([TEXT], shuffle=False).batch(0, 0)
    length = int(features["padding_mask"].sum())
    maps = attention_maps(loud_classifier, TEXT)
    for block in range(2):
        own = layer_probabilities(loud_classifier, features, block)
        np.testing.assert_allclose(
            own[0, :, :length, :length], maps.probabilities[block], atol=1e-5
        )


def test_padding_gets_nothing(loud_classifier):
    batches = loud_classifier.batches([TEXT, "good"], shuffle=False)
    (features, *_) = batches.batch(0, 0)
    mask = np.asarray(features["padding_mask"])
    assert mask.min() == 0
    import keras

    backbone = loud_classifier.backbone
    scores = keras.Model(backbone.input, backbone.intermediates["attention_scores"][0])(features)
    found = attention_probabilities(ops.convert_to_numpy(scores), mask)
    np.testing.assert_allclose(found, layer_probabilities(loud_classifier, features, 0), atol=1e-5)
    assert found[~np.broadcast_to(mask[:, None, None, :] > 0, found.shape)].max() == 0


def test_a_pair_and_a_long_text(loud_classifier):
    pair = attention_maps(loud_classifier, "good", "bad")
    assert pair.tokens == "[CLS] good [SEP] bad [SEP]".split()
    assert len(attention_maps(loud_classifier, "good " * 10_000).tokens) == 32


def test_a_model_without_an_encoder_is_refused():
    with pytest.raises(TinyBertError, match=r"Expected a Keras model with an encoder.*object"):
        attention_maps(object(), TEXT)


def test_influence_is_the_fall_of_the_answer(loud_classifier):
    found = word_influence(loud_classifier, TEXT)
    assert found.words == ["the", "movies", "was", "really", "good"]
    whole = loud_classifier.predict_proba([TEXT])[0]
    np.testing.assert_allclose(found.outputs, whole, atol=1e-5)
    assert found.column == whole.argmax()
    # [MASK] as a literal is the token; both pieces of a word go at once.
    for place, text in (
        (4, "the movies was really [MASK]"),
        (1, "the [MASK][MASK] was really good"),
    ):
        masked = loud_classifier.predict_proba([text])[0, found.column]
        assert found.influence[place] == pytest.approx(whole[found.column] - masked, abs=1e-5)
    assert np.abs(found.influence).max() > 1e-3


def test_influence_needs_an_answer_of_classes(loud_classifier):
    from tinybert_tf.models import TinyBertSentenceEmbedder

    embedder = TinyBertSentenceEmbedder(loud_classifier.backbone, loud_classifier.preprocessor)
    with pytest.raises(TinyBertError, match=r"Expected a text classifier.*'embedding'"):
        word_influence(embedder, TEXT)
