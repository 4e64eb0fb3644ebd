"""The classifier: strings in, saving, labels."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

import tinybert_tf as tb
from tinybert_tf.models.labels import class_names, encode_labels

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("good", "fine", "bad", "poor", "film", "the", "a", "is", "very", "##ly", "##s"),
]
TEXTS = ["a good film", "the film is very fine", "a bad film", "the film is very poor"] * 8
LABELS = ["positive", "positive", "negative", "negative"] * 8


def make(labels=("negative", "positive"), sequence_length=12, **arguments):
    keras.utils.set_random_seed(0)
    backbone = tb.TinyBertBackbone(
        len(VOCABULARY), 1, 2, 16, 32, max_sequence_length=16, dropout=0.0, attention_dropout=0.0
    )
    tokenizer = tb.TinyBertTokenizer(VOCABULARY)
    classifier = tb.TinyBertTextClassifier(
        backbone,
        labels=list(labels),
        preprocessor=tb.TinyBertTextClassifierPreprocessor(tokenizer, sequence_length),
        dropout=0.0,
        **arguments,
    )
    for variable in classifier.trainable_variables:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(variable.numpy() * 15)  # 0.02 is for widths of hundreds, not 16
    return classifier


@pytest.fixture(scope="module")
def trained():
    classifier = make()
    tb.finetune(
        classifier,
        TEXTS,
        LABELS,
        validation_data=(TEXTS, LABELS),
        epochs=12,
        batch_size=4,
        learning_rate=3e-3,
        verbose=0,
    )
    return classifier


def test_learns_from_strings(trained):
    assert trained.classify(["a fine film", "a poor film"]) == ["positive", "negative"]
    assert trained.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)["accuracy"] == 1.0
    probabilities = trained.predict_proba(TEXTS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_predictions_come_back_in_order(trained):
    """Buckets sort by length inside; the caller must not notice."""
    texts = ["a good film", "bad", "the film is very very very fine", "", "poor film"]
    together = trained.predict(texts, batch_size=2, verbose=0)
    alone = np.concatenate([trained.predict([text], verbose=0) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_every_kind_of_input_agrees(trained):
    texts = TEXTS[:4]
    expected = trained.predict(texts, verbose=0)
    features = trained.preprocessor(texts)
    for x in (
        np.array(texts),
        tf.data.Dataset.from_tensor_slices(texts).batch(2),
        {name: value.numpy() for name, value in features.items()},
    ):
        np.testing.assert_allclose(trained.predict(x, verbose=0), expected, atol=1e-5)


def test_fit_takes_datasets_of_strings_and_keras_arguments():
    classifier = make()
    data = tf.data.Dataset.from_tensor_slices((TEXTS, encode_labels(LABELS, classifier.labels)))
    classifier.fit(data.batch(8), verbose=0)
    history = classifier.fit(
        TEXTS, LABELS, validation_data=(TEXTS, LABELS), class_weight="balanced", verbose=0
    )
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history.history)


@pytest.mark.parametrize("head", ["bert", "tinybert"])
def test_saves_and_loads(tmp_path, trained, head):
    classifier = trained if head == "bert" else make(head=head)
    expected = classifier.predict(TEXTS[:4], verbose=0)
    classifier.save(tmp_path / "model.keras")
    classifier.save_to_preset(str(tmp_path / "preset"))
    assert (tmp_path / "preset" / "task.weights.h5").stat().st_size < 40_000  # no optimizer in it
    for copy in (
        keras.models.load_model(tmp_path / "model.keras"),
        tb.TinyBertTextClassifier.from_preset(str(tmp_path / "preset")),
        keras_hub.models.TextClassifier.from_preset(str(tmp_path / "preset")),
    ):
        assert copy.labels == ["negative", "positive"]
        assert copy.head == head
        assert copy.wordpiece == classifier.wordpiece
        np.testing.assert_allclose(copy.predict(TEXTS[:4], verbose=0), expected, atol=1e-6)


@pytest.mark.slow
def test_a_loaded_model_trains_on_as_the_saved_one(tmp_path):
    classifier = make()
    classifier.fit(TEXTS, LABELS, verbose=0)
    classifier.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    for model in (classifier, copy):
        model.fit(TEXTS, LABELS, seed=3, verbose=0)
    np.testing.assert_allclose(
        classifier.predict(TEXTS, verbose=0), copy.predict(TEXTS, verbose=0), atol=1e-5
    )


def test_tinybert_head_is_relu_of_pooled():
    classifier = make(head="tinybert")
    inputs = classifier.preprocessor(TEXTS[:2])
    pooled = np.array(classifier.backbone(inputs)["pooled_output"])
    kernel, bias = classifier.output_dense.get_weights()
    np.testing.assert_allclose(
        classifier.predict(TEXTS[:2], verbose=0), np.maximum(pooled, 0) @ kernel + bias, atol=1e-5
    )


def test_multi_label():
    classifier = make(labels=("quality", "length"), multi_label=True)
    labels = [["quality"], ["quality", "length"], [], ["length"]] * 8
    tb.finetune(classifier, TEXTS, labels, epochs=15, batch_size=4, learning_rate=3e-3, verbose=0)
    assert classifier.classify(TEXTS[:4]) == labels[:4]
    np.testing.assert_array_equal(
        classifier.encode_labels(labels[:3]), np.array([[1, 0], [1, 1], [0, 0]], "float32")
    )


def test_sentence_pairs_set_segment_ids():
    classifier = make()
    batch = classifier.batches((["a film"], ["is good"]), shuffle=False).batch(0, 0)[0]
    assert batch["segment_ids"][0, :7].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert classifier.predict((["a film"], ["is good"]), verbose=0).shape == (1, 2)


def test_very_long_text_is_cut():
    classifier = make()
    assert classifier.predict(["good " * 20_000], verbose=0).shape == (1, 2)


@pytest.mark.slow
def test_mixed_precision_fits():
    keras.utils.set_random_seed(0)
    backbone = tb.TinyBertBackbone(len(VOCABULARY), 1, 2, 8, 16, dtype="mixed_float16")
    classifier = tb.TinyBertTextClassifier(
        backbone,
        labels=["negative", "positive"],
        preprocessor=tb.TinyBertTextClassifierPreprocessor(tb.TinyBertTokenizer(VOCABULARY), 12),
    )
    history = classifier.fit(TEXTS, LABELS, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert classifier.predict(TEXTS[:2], verbose=0).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make(labels=["one"]), "at least two classes"),
        (lambda: make(labels=["one", "one"]), "repeated"),
        (lambda: make(head="linear"), "head='linear'"),
        (lambda: make(sequence_length=20), "sequence_length=20"),
        (lambda: make(sequence_length=2), "sequence_length=2"),
        (lambda: make().encode_labels(["great"]), "positive.*unknown.*'great'"),
        (lambda: make().encode_labels([0, 2]), "from 0 to 1.*0 to 2"),
        (lambda: make(multi_label=True).encode_labels(["positive"]), "list of labels"),
        (lambda: class_names(3, ["a", "b"], False), "num_classes=3, 2 labels"),
        (lambda: class_names(None, None, False), "labels=None"),
    ],
)
def test_errors(call, message):
    with pytest.raises(tb.TinyBertError, match=message):
        call()


def test_vocabulary_larger_than_the_word_table():
    backbone = tb.TinyBertBackbone(8, 1, 2, 8, 16)
    with pytest.raises(tb.TinyBertError, match="at most 8 tokens.*vocabulary_size=16"):
        tb.TinyBertTextClassifier(
            backbone,
            num_classes=2,
            preprocessor=tb.TinyBertTextClassifierPreprocessor(
                tb.TinyBertTokenizer(VOCABULARY), 12
            ),
        )


def test_strings_without_a_preprocessor():
    classifier = tb.TinyBertTextClassifier(tb.TinyBertBackbone(8, 1, 2, 8, 16), num_classes=2)
    with pytest.raises(tb.TinyBertError, match="preprocessor"):
        classifier.predict(["a"])


def test_a_loaded_optimizer_spares_biases_and_norms(tiny_classifier, tmp_path):
    tiny_classifier.fit(["a film", "a plot"], ["positive", "negative"], verbose=0)
    tiny_classifier.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    decayed = {v.name: loaded.optimizer._use_weight_decay(v) for v in loaded.trainable_variables}
    assert decayed["kernel"] and decayed["embeddings"]
    assert not (decayed["bias"] or decayed["gamma"] or decayed["beta"])
