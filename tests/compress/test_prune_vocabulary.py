"""A pruned classifier answers its corpus as before and is a classifier like any other."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.compress import apply_pruning, prune_vocabulary

TEXTS = ["the film was really good", "a dull plot, poorly acted", "the cast is great", "zebras!"]
OTHERS = ["awful scene", "fine films were loved", "?"]


def logits(classifier, texts=TEXTS):
    return classifier.predict(texts, verbose=0)


def shake(classifier):
    """Random values for every weight, so that none is copied by accident."""
    generator = np.random.default_rng(0)
    for weight in classifier.weights:
        weight.assign(weight + generator.normal(0, 0.1, weight.shape))
    return classifier


@pytest.fixture
def classifier(tiny_classifier):
    return shake(tiny_classifier)


def test_the_corpus_is_answered_as_before(classifier):
    before = logits(classifier)
    pruned = prune_vocabulary(classifier, TEXTS)
    np.testing.assert_allclose(logits(pruned.classifier), before, atol=1e-5)
    np.testing.assert_array_equal(logits(classifier), before)  # left as it was
    assert pruned.classifier.backbone.vocabulary_size == len(pruned.kept_ids)
    assert len(pruned.kept_ids) < classifier.backbone.vocabulary_size
    assert "awful" not in pruned.classifier.wordpiece.vocabulary
    assert pruned.classifier.wordpiece.pad_id == 0


def test_only_rows_of_the_word_table_are_cut(classifier):
    pruned = prune_vocabulary(classifier, TEXTS)
    own = {weight.path: weight.numpy() for weight in pruned.classifier.weights}
    for weight in classifier.weights:
        expected = weight.numpy()
        if "token_embedding" in weight.path:
            expected = expected[pruned.kept_ids]
        np.testing.assert_array_equal(own[weight.path], expected)
    words = classifier.wordpiece.vocabulary
    assert pruned.classifier.wordpiece.vocabulary == [words[index] for index in pruned.kept_ids]


def test_coverage_is_reported(classifier):
    coverage = prune_vocabulary(classifier, TEXTS, dev_texts=OTHERS).coverage
    assert coverage.hidden_dim == 16
    assert coverage.corpus.unchanged_texts == 1.0
    assert coverage.dev.texts == 3
    assert coverage.dev.unchanged_texts == pytest.approx(1 / 3)
    assert coverage.dev.unknown_after == coverage.dev.unknown_before == 0


def test_rarer_tokens_can_go_and_are_reported(classifier):
    pruned = prune_vocabulary(classifier, TEXTS, min_count=2)
    assert 0 < pruned.coverage.corpus.unchanged_texts < 1
    assert np.abs(logits(pruned.classifier) - logits(classifier)).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_everything_else_is_kept(tiny_vocabulary, dtype):
    backbone = tb.TinyBertBackbone(
        len(tiny_vocabulary) + 3, 1, 2, 16, 32, max_sequence_length=20, reduced_dim=8, dtype=dtype
    )
    tokenizer = tb.TinyBertTokenizer(
        tiny_vocabulary, lowercase=False, strip_accents=True, max_input_chars_per_word=12
    )
    classifier = shake(
        tb.TinyBertTextClassifier(
            backbone,
            labels=["b", "a", "c"],
            preprocessor=tb.TinyBertTextClassifierPreprocessor(tokenizer, 17),
            head="tinybert",
            multi_label=True,
            dropout=0.3,
        )
    )
    pruned = prune_vocabulary(classifier, TEXTS).classifier
    for name in ("labels", "head", "multi_label", "dropout", "sequence_length", "name"):
        assert getattr(pruned, name) == getattr(classifier, name)
    assert pruned.backbone.dtype_policy.name == dtype
    assert pruned.backbone.get_config() == {
        **backbone.get_config(),
        "vocabulary_size": pruned.wordpiece.vocabulary_size,
    }
    assert pruned.wordpiece.get_config() == classifier.wordpiece.get_config()
    np.testing.assert_allclose(logits(pruned), logits(classifier), atol=1e-5)


@pytest.mark.parametrize("scheme", ["dynamic_int8_int4_embedding", "static_int8"])
def test_quantization_aware_models(build_tiny, scheme):
    """Their quantizers have weights of their own."""
    classifier = shake(build_tiny(quantization=scheme))
    pruned = prune_vocabulary(classifier, TEXTS).classifier
    assert pruned.backbone.quantization == scheme
    assert len(pruned.weights) == len(classifier.weights)
    if scheme == "dynamic_int8_int4_embedding":  # a scale a row, so other rows do not matter
        np.testing.assert_allclose(logits(pruned), logits(classifier), atol=1e-5)


@pytest.mark.slow
def test_it_trains(classifier):
    pruned = prune_vocabulary(classifier, TEXTS).classifier
    before = pruned.backbone.embeddings.token_embedding.embeddings.numpy()
    pruned.fit(TEXTS, ["positive", "negative", "positive", "negative"], verbose=0)
    assert (before != pruned.backbone.embeddings.token_embedding.embeddings.numpy()).any()


@pytest.mark.slow
def test_teacher_and_student_share_a_vocabulary_again(classifier, build_tiny):
    student = build_tiny(num_layers=1)
    pruned = prune_vocabulary(classifier, TEXTS)
    with pytest.raises(tb.TinyBertError, match="share one vocabulary"):
        tb.distill(pruned.classifier, student, TEXTS, epochs=1, verbose=0)
    student = apply_pruning(student, pruned.kept_ids)
    assert student.wordpiece == pruned.classifier.wordpiece
    history = tb.distill(pruned.classifier, student, TEXTS, epochs=1, verbose=0)
    assert np.isfinite(history["prediction"]["loss"][0])


def test_sentence_pairs_count_both_sides(classifier):
    kept = prune_vocabulary(classifier, (["a film"], ["awful scene"])).kept_ids
    words = {classifier.wordpiece.vocabulary[index] for index in kept}
    assert {"film", "awful", "scene"} <= words


# === Saving ===


def test_saves_and_loads(classifier, tmp_path):
    pruned = prune_vocabulary(classifier, TEXTS).classifier
    pruned.save(tmp_path / "model.keras")
    pruned.save_to_preset(str(tmp_path / "preset"))
    for copy in (
        keras.models.load_model(tmp_path / "model.keras"),
        tb.TinyBertTextClassifier.from_preset(str(tmp_path / "preset")),
    ):
        assert copy.wordpiece == pruned.wordpiece
        np.testing.assert_allclose(logits(copy, OTHERS), logits(pruned, OTHERS), atol=1e-6)


def test_transformers_loads_it(classifier, tmp_path):
    transformers = pytest.importorskip("transformers", reason="loads with transformers")
    import torch

    pruned = prune_vocabulary(classifier, TEXTS).classifier
    folder = tb.save_hf(pruned, tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    texts = TEXTS + OTHERS
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    assert len(tokenizer) == model.config.vocab_size == pruned.wordpiece.vocabulary_size
    for ours, theirs, mask in zip(
        pruned.wordpiece.encode(texts).token_ids,
        batch["input_ids"],
        batch["attention_mask"],
        strict=True,
    ):
        assert ours.tolist() == theirs[mask.bool()].tolist()
    with torch.no_grad():
        expected = model(**batch).logits.numpy()
    np.testing.assert_allclose(logits(pruned, texts), expected, atol=1e-5)


# === Errors ===


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([0, 1, 2, 3], r"special tokens.*without \[MASK\]"),
        ([0, 1, 2, 3, 4, 4], "6 ids, 5 distinct"),
        ([0, 1, 2, 3, 4, 9999], "from 0 to 9999"),
        ([-1, 0, 1, 2, 3, 4], "from -1 to 4"),
        ([], r"kept_ids=\[\]"),
        (["a"], "list of token ids"),
    ],
)
def test_wrong_ids(classifier, kept, message):
    with pytest.raises(tb.TinyBertError, match=message):
        apply_pruning(classifier, kept)


@pytest.mark.parametrize(
    ("texts", "message"),
    [([], "words in them"), (["", " "], "words in them"), ("a text", "`texts`"), ([1], "row 0")],
)
def test_wrong_texts(classifier, texts, message):
    with pytest.raises(tb.TinyBertError, match=message):
        prune_vocabulary(classifier, texts)


def test_a_classifier_without_a_tokenizer():
    classifier = tb.TinyBertTextClassifier(tb.TinyBertBackbone(8, 1, 2, 8, 16), num_classes=2)
    with pytest.raises(tb.TinyBertError, match="preprocessor"):
        prune_vocabulary(classifier, TEXTS)
