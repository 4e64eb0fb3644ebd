import json

import numpy as np
import pytest
from export_models import TEXTS, VOCABULARY, build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, open_file, to_tflite, verify
from tinybert_tf.models import (
    TinyBertTextClassifier,
    TinyBertTextClassifierPreprocessor,
    TinyBertTokenizer,
)

LABELS = ["first", "second", "third", "first", "second", "third"]


def test_float_file(classifier, float_file):
    found = verify(float_file, TEXTS, LABELS, classifier)
    own = TFLiteClassifier(float_file).classify(TEXTS)
    assert found.accuracy == np.mean([a == b for a, b in zip(own, LABELS, strict=True)])
    assert found.max_probability_difference <= 1e-5
    assert found.agreement == 1.0
    assert found.examples == len(TEXTS)
    assert found.keras_report.accuracy == found.accuracy
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["quantization"] == "float32"
    assert stored["size_bytes"] == float_file.stat().st_size
    assert stored["macro_f1"] == found.report.macro_f1


def test_int8_file_is_measured_and_not_judged(classifier, int8_file):
    found = verify(int8_file, TEXTS, LABELS, classifier)
    assert found.quantization == "dynamic_int8"
    assert 1e-4 < found.max_probability_difference < 0.06
    assert 0.0 <= found.agreement <= 1.0


def test_without_a_classifier(float_file):
    found = verify(float_file, TEXTS, [0, 1, 2, 0, 1, 2])
    assert found.accuracy == verify(float_file, TEXTS, LABELS).accuracy
    assert found.max_probability_difference is None
    assert found.to_dict()["keras_accuracy"] is None


def test_other_weights_are_found_out(float_file):
    with pytest.raises(TinyBertError, match=r"within 0.0001 of Keras.*with a difference of 0"):
        verify(float_file, TEXTS, LABELS, build_classifier(seed=1))


def test_difference_is_measured_at_the_length_of_the_file(classifier, tmp_path):
    """Texts beyond the file's length are cut for Keras too."""
    path = to_tflite(classifier, tmp_path / "m.tflite", sequence_length=8, target="float32").path
    assert verify(path, TEXTS, LABELS, classifier).max_probability_difference <= 1e-5


def test_pairs_and_multi_label(tmp_path):
    classifier = build_classifier(multi_label=True)
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    labels = [["first"], [], ["second", "third"], ["third"], ["first", "second", "third"], []]
    found = verify(path, (TEXTS, TEXTS[::-1]), labels, classifier)
    assert found.max_probability_difference <= 1e-5
    assert found.agreement == 1.0


def test_low_precision_keras_is_measured_and_not_judged(tmp_path):
    classifier = build_classifier(dtype="mixed_float16")
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    assert 1e-5 < verify(path, TEXTS, LABELS, classifier).max_probability_difference < 0.05


def test_no_bar_outside_a_terminal(classifier, float_file, capfd):
    verify(float_file, TEXTS, LABELS, classifier, progress=True)
    assert capfd.readouterr() == ("", "")


# === Bad input ===


def test_other_labels(float_file):
    other = build_classifier(labels=["third", "second", "first"])
    with pytest.raises(TinyBertError, match="the same labels in the same order"):
        verify(float_file, TEXTS, LABELS, other)


def test_other_tokenizer(float_file):
    other = build_classifier()
    vocabulary = other.wordpiece.vocabulary
    other.preprocessor = TinyBertTextClassifierPreprocessor(
        TinyBertTokenizer([*vocabulary[:5], *vocabulary[:4:-1]]), sequence_length=16
    )
    with pytest.raises(TinyBertError, match="the same tokenizer"):
        verify(float_file, TEXTS, LABELS, other)


@pytest.mark.parametrize("texts, labels", [([], []), (TEXTS, LABELS[:2])])
def test_number_of_labels(float_file, texts, labels):
    with pytest.raises(TinyBertError, match=f"{len(texts)} texts, {len(labels)} labels"):
        verify(float_file, texts, labels)


def test_unknown_label(float_file):
    with pytest.raises(TinyBertError, match="fourth"):
        verify(float_file, TEXTS, ["fourth", *LABELS[1:]])


@pytest.mark.slow
def test_a_file_with_fewer_words_is_compared_with_those_words(tmp_path):
    words = [*VOCABULARY, "zebra", "cab", "tree"]
    bare = build_classifier(preprocessor=False, vocabulary_size=len(words))
    preprocessor = TinyBertTextClassifierPreprocessor(TinyBertTokenizer(words), 16)
    classifier = bare.on_backbone(bare.backbone, preprocessor=preprocessor)
    path = to_tflite(classifier, tmp_path / "m.tflite", target="small", texts=["a bad cab"]).path
    assert open_file(path).tokenizer.vocabulary_size < classifier.wordpiece.vocabulary_size
    found = verify(path, ["a bad cab", "a cab"], ["first", "second"], classifier, progress=False)
    assert found.agreement is not None and found.max_probability_difference < 0.2


@pytest.mark.slow
def test_large_scores_may_differ_by_more(tmp_path):
    base = build_classifier()
    regressor = TinyBertTextClassifier(base.backbone, num_classes=1, preprocessor=base.preprocessor)
    dense = regressor.output_dense
    dense.kernel.assign(1e4 * dense.kernel)  # float32 rounds them by more than 1e-4
    path = to_tflite(regressor, tmp_path / "m.tflite", target="float32").path
    found = verify(path, TEXTS, np.arange(len(TEXTS), dtype=float), regressor, progress=False)
    assert found.max_probability_difference > 1e-4
    dense.bias.assign([0.5 * np.abs(regressor.predict(TEXTS, verbose=0)).max()])
    with pytest.raises(TinyBertError, match="Expected outputs within"):
        verify(path, TEXTS, np.arange(len(TEXTS), dtype=float), regressor, progress=False)
