"""A factorized word table is the nearest of its rank, and the model a model like any other."""

import keras
import numpy as np
import pytest
from pruning_models import LABELS, TEXTS, logits, shake

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.compress import factorize_word_table, prune_vocabulary


@pytest.fixture
def classifier(tiny_classifier):
    return shake(tiny_classifier)


def table_of(classifier):
    return classifier.backbone.embeddings.token_embedding.embeddings.numpy()


def product_of(classifier):
    kernel, bias = classifier.backbone.embeddings.token_projection.get_weights()
    return table_of(classifier) @ kernel + bias


def test_the_product_is_the_truncated_decomposition(classifier):
    before = logits(classifier)
    factorized = factorize_word_table(classifier, 5)
    left, values, right = np.linalg.svd(table_of(classifier), full_matrices=False)
    np.testing.assert_allclose(
        product_of(factorized), (left[:, :5] * values[:5]) @ right[:5], atol=1e-5
    )
    vocabulary_size = classifier.backbone.vocabulary_size
    fewer = classifier.count_params() - factorized.count_params()
    assert fewer == vocabulary_size * 16 - (vocabulary_size * 5 + 5 * 16 + 16)
    np.testing.assert_array_equal(logits(classifier), before)


def test_it_computes_with_the_product(classifier):
    """A whole table that holds the product gives the same answers."""
    factorized = factorize_word_table(classifier, 5)
    classifier.backbone.embeddings.token_embedding.embeddings.assign(product_of(factorized))
    np.testing.assert_allclose(logits(factorized), logits(classifier), atol=1e-5)


def test_full_rank_loses_nothing(classifier):
    np.testing.assert_allclose(
        logits(factorize_word_table(classifier, 16)), logits(classifier), atol=1e-5
    )


def test_saves_and_loads(classifier, tmp_path):
    factorized = factorize_word_table(classifier, 5)
    assert factorized.backbone.get_config() == {
        **classifier.backbone.get_config(),
        "embedding_dim": 5,
    }
    factorized.save(tmp_path / "model.keras")
    factorized.save_to_preset(str(tmp_path / "preset"))
    for copy in (
        keras.models.load_model(tmp_path / "model.keras"),
        tb.TinyBertTextClassifier.from_preset(str(tmp_path / "preset")),
    ):
        np.testing.assert_allclose(logits(copy), logits(factorized), atol=1e-6)


def test_it_learns_from_the_whole_one(classifier):
    factorized = factorize_word_table(classifier, 2)
    before = [weight.numpy() for weight in factorized.backbone.embeddings.trainable_weights]
    arguments = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 4, "verbose": 0}
    history = tb.distill(classifier, factorized, TEXTS, stages="intermediate", **arguments)
    assert np.isfinite(history["intermediate"]["loss"]).all()
    for old, weight in zip(before, factorized.backbone.embeddings.trainable_weights, strict=True):
        assert np.abs(old - weight.numpy()).max() > 1e-5, weight.path


def test_its_vocabulary_can_be_pruned(classifier):
    factorized = factorize_word_table(classifier, 5)
    pruned = prune_vocabulary(factorized, TEXTS)
    assert table_of(pruned.classifier).shape == (len(pruned.kept_ids), 5)
    np.testing.assert_allclose(logits(pruned.classifier), logits(factorized), atol=1e-5)


def test_mixed_precision(build_tiny):
    classifier = shake(build_tiny(dtype="mixed_bfloat16"))
    factorized = factorize_word_table(classifier, 16)
    np.testing.assert_allclose(logits(factorized), logits(classifier), atol=0.1)


# === Export ===


@pytest.mark.parametrize(
    ("scheme", "target", "tolerance"),
    [
        (None, "float32", 1e-5),
        ("dynamic_int8", "universal", 1e-5),
        ("int4_weights", "small", 1e-5),
        ("per_tensor_int8", "nnapi", 1e-5),
        ("static_int8", "npu_int8", 2e-2),
    ],
)
def test_the_file_answers_like_the_model(build_tiny, tmp_path, scheme, target, tolerance):
    """Both factors are wide enough for the converter to quantize them."""
    classifier = shake(build_tiny(num_layers=1, hidden_dim=64, intermediate_dim=16))
    model = factorize_word_table(classifier, 32)
    if scheme is not None:
        model = export.quantize_aware(model, scheme, TEXTS, LABELS)
    path = tmp_path / "model.tflite"
    export.to_tflite(model, path, target=target, texts=TEXTS)
    answers = export.TFLiteClassifier(path).predict_proba(TEXTS)
    np.testing.assert_allclose(answers, model.predict_proba(TEXTS), atol=tolerance)
    assert np.ptp(answers[:, 0]) > 0.05
    smaller = path.stat().st_size
    export.to_tflite(classifier, path, target=target, texts=TEXTS)
    assert smaller < path.stat().st_size


# === Errors ===


def test_errors(classifier, build_tiny):
    for rank in (-1, 0, 17):
        with pytest.raises(tb.TinyBertError, match=f"from 1 to 16. Received: rank={rank}"):
            factorize_word_table(classifier, rank)
    with pytest.raises(tb.TinyBertError, match="embedding_dim=4"):
        factorize_word_table(factorize_word_table(classifier, 4), 2)
    with pytest.raises(tb.TinyBertError, match="prune first"):
        factorize_word_table(build_tiny(quantization="dynamic_int8"), 4)
    with pytest.raises(tb.TinyBertError, match="embedding_dim=0"):
        build_tiny(embedding_dim=0)
