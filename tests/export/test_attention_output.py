"""Files with a second output: what [CLS] attends to in the last block."""

import numpy as np
import pytest
from export_models import TEXTS, build_classifier
from test_task_files import build

import tinybert_tf as tb
from tinybert_tf.export import TFLiteClassifier, read_metadata, to_tflite, verify, verify_bundle
from tinybert_tf.export.bundle import write_bundle
from tinybert_tf.report import attention_maps


@pytest.fixture(scope="module")
def file(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("attention") / "m.tflite"
    return to_tflite(classifier, path, target="float32", attention=True).path


def keras_attention(model, text):
    """The Keras model's, `(heads, tokens)`."""
    return attention_maps(model, text).probabilities[-1][:, 0]


@pytest.mark.parametrize("text", TEXTS)
def test_is_the_last_blocks(file, classifier, text):
    tokens, found = TFLiteClassifier(file).attention(text)
    assert tokens[0] == "[CLS]" and tokens[-1] == "[SEP]"
    assert found.shape == (2, len(tokens))
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(found, keras_attention(classifier, text), atol=1e-5)


def test_probabilities_stay(file, float_file):
    own = TFLiteClassifier(file).predict_proba(TEXTS)
    np.testing.assert_allclose(own, TFLiteClassifier(float_file).predict_proba(TEXTS), atol=1e-6)
    assert read_metadata(file).output_names == ("probability", "attention")


def test_several_lengths(classifier, tmp_path):
    path = tmp_path / "m.tflite"
    to_tflite(classifier, path, sequence_length=[8, 16], target="float32", attention=True)
    for text in ("a b", "word after word after word"):
        tokens, found = TFLiteClassifier(path).attention(text)
        assert found.shape == (2, len(tokens))
        np.testing.assert_allclose(found, keras_attention(classifier, text), atol=1e-5)


def test_verifies_and_is_bundled(file, classifier, tmp_path):
    labels = ["first"] * len(TEXTS)
    assert verify(file, TEXTS, labels, classifier=classifier, progress=False).agreement == 1
    bundle = write_bundle(file, tmp_path / "b")
    assert bundle.manifest["model"]["attention_heads"] == 2
    verify_bundle(bundle.folder)


def test_mediapipe_takes_it_as_a_second_head(file, classifier):
    tasks = pytest.importorskip("mediapipe.tasks.python.text", reason="needs mediapipe")
    from mediapipe.tasks.python import BaseOptions

    base = BaseOptions(model_asset_path=str(file))
    options = tasks.TextClassifierOptions(base_options=base)
    with tasks.TextClassifier.create_from_options(options) as client:
        first, second = client.classify("a bad cab").classifications
    scores = {found.category_name: found.score for found in first.categories}
    expected = classifier.predict_proba(["a bad cab"])[0]
    np.testing.assert_allclose([scores[name] for name in classifier.labels], expected, atol=1e-4)
    assert second.head_name == "attention" and len(second.categories) == 2 * 16


def test_refused_where_there_is_none(float_file, classifier, tmp_path):
    with pytest.raises(tb.TinyBertError, match="exported with attention=True"):
        TFLiteClassifier(float_file).attention("a")
    with pytest.raises(tb.TinyBertError, match="target='npu_int8'"):
        to_tflite(classifier, tmp_path / "m.tflite", target="npu_int8", attention=True)
    with pytest.raises(tb.TinyBertError, match="kind='tokens'"):
        to_tflite(build("tokens")[0], tmp_path / "m.tflite", attention=True)


def test_a_relu_students_nnapi_file_has_it_too(tmp_path):
    model = build_classifier(activation="relu")
    path = to_tflite(model, tmp_path / "m.tflite", target="nnapi", attention=True).path
    _, found = TFLiteClassifier(path).attention("a bad cab")
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-4)
    # Scales of whole tensors are coarse with weights as large as these.
    np.testing.assert_allclose(found, keras_attention(model, "a bad cab"), atol=0.15)
