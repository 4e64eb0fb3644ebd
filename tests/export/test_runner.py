import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from export_models import TEXTS, build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, read_model_file, time_file, to_tflite
from tinybert_tf.export.metadata import parse_metadata, write_metadata
from tinybert_tf.export.model_file import pack_model
from tinybert_tf.quiet import quiet_stderr


def test_strings_in_probabilities_out(classifier, float_file):
    runner = TFLiteClassifier(float_file)
    assert runner.labels == classifier.labels
    assert runner.tokenizer == classifier.wordpiece
    assert runner.quantization == "float32"
    assert not runner.multi_label
    probabilities = runner.predict_proba(TEXTS)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, classifier.predict_proba(TEXTS), atol=1e-5)
    assert runner.classify(TEXTS) == classifier.classify(TEXTS)
    assert len(set(runner.classify(TEXTS))) > 1


def test_pairs(classifier, float_file):
    pairs = (TEXTS, TEXTS[::-1])
    runner = TFLiteClassifier(float_file)
    probabilities = runner.predict_proba(pairs)
    np.testing.assert_allclose(probabilities, classifier.predict_proba(pairs), atol=1e-5)
    assert np.abs(probabilities - runner.predict_proba(TEXTS)).max() > 1e-3


def test_threads_do_not_change_the_result(float_file):
    one = TFLiteClassifier(float_file).predict_proba(TEXTS)
    two = TFLiteClassifier(float_file, num_threads=2).predict_proba(TEXTS)
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_no_texts_give_no_rows(float_file):
    assert TFLiteClassifier(float_file).predict_proba([]).shape == (0, 3)


def test_multi_label_gives_lists(tmp_path):
    classifier = build_classifier(multi_label=True)
    runner = TFLiteClassifier(to_tflite(classifier, tmp_path / "m.tflite", target="float32").path)
    assert runner.multi_label
    assert runner.classify(TEXTS) == classifier.classify(TEXTS)
    np.testing.assert_allclose(
        runner.predict_proba(TEXTS), classifier.predict_proba(TEXTS), atol=1e-5
    )


def test_cased_tokenizer_stays_cased(tmp_path):
    classifier = build_classifier()
    classifier.preprocessor.tokenizer = type(classifier.preprocessor.tokenizer)(
        classifier.wordpiece.vocabulary, lowercase=False
    )
    runner = TFLiteClassifier(to_tflite(classifier, tmp_path / "m.tflite", target="float32").path)
    assert not runner.tokenizer.lowercase
    np.testing.assert_allclose(
        runner.predict_proba(["ABC abc"]), classifier.predict_proba(["ABC abc"]), atol=1e-5
    )


def test_metadata_decides_the_order_of_inputs(float_file, tmp_path):
    """A file whose inputs are ids, segment_ids, mask, as the converter leaves them."""
    file = read_model_file(float_file)
    graph = file.model.subgraphs[0]
    graph.inputs = [graph.inputs[0], graph.inputs[2], graph.inputs[1]]
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(file.model, files=file.packed))
    ids, segments = np.array([2, 8, 9, 3, 7, 3]), np.array([0, 0, 0, 0, 1, 1])
    expected = TFLiteClassifier(float_file).run(ids, segments)
    misled = TFLiteClassifier(path).run(ids, segments)  # the metadata, now wrong, was obeyed
    assert np.abs(misled - expected).max() > 1e-3
    for entry in file.model.metadata:
        if entry.name == b"TFLITE_METADATA":
            entry.name = b"OTHER"
    path.write_bytes(
        pack_model(file.model, files=file.packed)
    )  # without metadata the tensors' names decide
    np.testing.assert_allclose(TFLiteClassifier(path).run(ids, segments), expected, atol=1e-6)


def test_time_file(float_file):
    latency = time_file(float_file, threads=1, repeats=5)
    assert 0 < latency.min_ms <= latency.median_ms <= latency.max_ms < 1000
    assert latency.repeats == 5


def test_running_needs_no_tensorflow(float_file):
    code = (
        "import sys\n"
        "from tinybert_tf.export import TFLiteClassifier\n"
        f"print(TFLiteClassifier({str(float_file)!r}).classify(['a bad cab']))\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(TFLiteClassifier(float_file).classify(["a bad cab"]))
    assert done.stderr == ""


# === Bad input ===


def test_too_many_ids(float_file):
    with pytest.raises(TinyBertError, match=r"at most 16 token ids. Received: 17"):
        TFLiteClassifier(float_file).run(np.zeros(17, "int32"))


@pytest.mark.parametrize("token_id", [-1, 67, 10**6])
def test_id_outside_the_word_table(float_file, token_id):
    runner = TFLiteClassifier(float_file)
    with pytest.raises(TinyBertError, match="inputs that the file can run on"):
        runner.run(np.array([2, token_id, 3]))
    assert runner.run(np.array([2, 5, 3])).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("threads", [0, -1])
def test_number_of_threads(float_file, threads):
    with pytest.raises(TinyBertError, match=f"num_threads={threads}"):
        TFLiteClassifier(float_file, num_threads=threads)


def test_file_of_another_task_is_refused(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, name="x")])
    def double(x):
        return x * 2.0

    with quiet_stderr():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [double.get_concrete_function()]
        )
        content = converter.convert()
    path = tmp_path / "double.tflite"
    path.write_bytes(content)
    with pytest.raises(TinyBertError, match=r"three int32 inputs .*double\.tflite.*\[1, 4\]"):
        TFLiteClassifier(path)


def test_wrong_number_of_labels_is_refused(float_file, tmp_path):
    file = read_model_file(float_file)
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(file.model, files={**file.packed, "labels.txt": b"only one\n"}))
    with pytest.raises(TinyBertError, match=r"Expected 3 packed labels.*with 1"):
        TFLiteClassifier(path)


def test_metadata_with_other_inputs_is_refused(float_file, tmp_path):
    file = read_model_file(float_file)
    metadata = write_metadata("m", "", "vocab.txt", "labels.txt").replace(b"mask", b"mist")
    assert "mist" in parse_metadata(metadata).input_names
    file.model.metadata = [e for e in file.model.metadata if e.name != b"TFLITE_METADATA"]
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(file.model, metadata, file.packed))
    with pytest.raises(TinyBertError, match=r"Expected inputs named ids, mask, segment_ids.*mist"):
        TFLiteClassifier(path)
