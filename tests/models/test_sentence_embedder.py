"""Sentence embeddings by sentence-transformers' definition; tasks that share an encoder."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.checkpoints import load_hf, save_hf
from tinybert_tf.distillation.predictions import embedding_loss
from tinybert_tf.models import (
    TinyBertSentenceEmbedder,
    TinyBertTextClassifier,
    TinyBertTokenClassifier,
)

TEXTS = ["the film was good", "bad", "really good, really good scene"]


@pytest.fixture
def embedder(build_tiny):
    classifier = build_tiny()
    return TinyBertSentenceEmbedder(classifier.backbone, classifier.preprocessor)


def test_mean_of_real_tokens_at_length_one(embedder):
    (features, *_) = embedder.batches(TEXTS, shuffle=False).batch(0, 0)
    states = np.asarray(embedder.backbone(features)["sequence_output"])
    expected = []
    for row, mask in zip(states, features["padding_mask"], strict=True):
        mean = row[mask == 1].mean(axis=0)
        expected.append(mean / np.linalg.norm(mean))
    order = embedder.batches(TEXTS, shuffle=False).indices(0)
    np.testing.assert_allclose(embedder.embed(TEXTS)[order], expected, atol=1e-5)


def test_losses_against_numpy():
    generator = np.random.default_rng(0)
    own, other = generator.normal(size=(3, 4)), generator.normal(size=(3, 6))
    same = np.square(own - other[:, :4]).sum(axis=1)
    np.testing.assert_allclose(embedding_loss(own, other[:, :4]), same, rtol=1e-5)
    cosines = np.square(own @ own.T - other @ other.T).mean(axis=1)
    np.testing.assert_allclose(embedding_loss(own, other), cosines, rtol=1e-5)


@pytest.mark.slow
def test_a_student_learns_its_teachers_vectors(embedder):
    student = tb.student_of(embedder, num_layers=1, init="random")

    def distance():
        return np.square(student.embed(TEXTS) - embedder.embed(TEXTS)).sum(axis=1).mean()

    before = distance()
    tb.distill(embedder, student, TEXTS, epochs=60, learning_rate=5e-3, verbose=0)
    assert distance() < before / 4


def test_round_trips(embedder, tmp_path):
    expected = embedder.embed(TEXTS)
    embedder.save(tmp_path / "m.keras")
    embedder.save_to_preset(str(tmp_path / "preset"))
    save_hf(embedder, tmp_path / "hf")
    for loaded in (
        keras.saving.load_model(tmp_path / "m.keras"),
        TinyBertSentenceEmbedder.from_preset(str(tmp_path / "preset")),
        TinyBertSentenceEmbedder.from_hf(str(tmp_path / "hf"), sequence_length=32),
    ):
        np.testing.assert_allclose(loaded.embed(TEXTS), expected, atol=1e-6)


def test_pairs_are_refused(embedder):
    with pytest.raises(tb.TinyBertError, match="single texts to embed"):
        embedder.batches((TEXTS, TEXTS))
    with pytest.raises(tb.TinyBertError, match="pairs of texts"):
        tb.evaluate_model(embedder, TEXTS, [1.0, 2.0, 3.0])


def test_judged_by_the_rank_of_its_cosines(embedder):
    vectors = embedder.embed(TEXTS)
    pairs = (TEXTS, [TEXTS[0]] * 3)
    cosines = vectors @ vectors[0]
    assert tb.evaluate_model(embedder, pairs, cosines.tolist()).spearman == pytest.approx(1.0)


def test_tasks_on_one_encoder_leave_it_trainable(embedder, build_tiny):
    """What one task does not read, another may train."""
    backbone = embedder.backbone
    tagger = TinyBertTokenClassifier(backbone, ["O", "B-x", "I-x"])
    classifier = TinyBertTextClassifier(backbone, labels=["a", "b"])
    pooler = {id(variable) for variable in backbone.pooler.trainable_variables}
    assert len(pooler) == 2
    for model, count in ((embedder, 0), (tagger, 0), (classifier, 2)):
        trained = [id(variable) for variable in model.trainable_variables]
        assert len(pooler & set(trained)) == count
        assert len(trained) == len(build_tiny().trainable_variables) - (
            {"embedding": 4, "tokens": 2}.get(model.kind, 0)
        )


def test_regression_checkpoints_keep_their_kind(build_tiny, tmp_path):
    backbone = build_tiny().backbone
    scores = TinyBertTextClassifier(backbone, num_classes=1, preprocessor=build_tiny().preprocessor)
    folder = save_hf(scores, tmp_path / "hf")
    assert '"problem_type": "regression"' in (folder / "config.json").read_text()
    assert load_hf(folder).num_classes == 1
    loaded = TinyBertTextClassifier.from_hf(str(folder), sequence_length=32)
    assert loaded.kind == "score"
    np.testing.assert_allclose(
        loaded.predict_scores(TEXTS), scores.predict_scores(TEXTS), atol=1e-6
    )
