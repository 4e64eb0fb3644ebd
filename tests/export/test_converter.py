import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from export_models import SEQUENCE_LENGTH, TEXTS, VOCABULARY, build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, read_metadata, read_model_file, to_tflite

INPUTS = ["ids", "mask", "segment_ids"]


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_result_describes_the_file(classifier, tmp_path):
    path = tmp_path / "new folder" / "model.tflite"
    result = to_tflite(classifier, str(path), target="universal")
    assert json.loads(json.dumps(result.to_dict())) == {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "sequence_lengths": [SEQUENCE_LENGTH],
        "target": "universal",
        "quantization": "dynamic_int8",
    }
    assert _names(path.parent) == ["model.tflite"]


def test_plain_interpreter_sees_named_inputs_in_order(float_file):
    interpreter = Interpreter(model_path=str(float_file), num_threads=1)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    assert [detail["name"] for detail in inputs] == INPUTS
    assert [detail["dtype"] for detail in inputs] == [np.int32] * 3
    assert [detail["shape"].tolist() for detail in inputs] == [[1, SEQUENCE_LENGTH]] * 3
    assert [detail["name"] for detail in outputs] == ["probabilities"]
    assert outputs[0]["dtype"] == np.float32
    assert outputs[0]["shape"].tolist() == [1, 3]


def test_each_input_feeds_its_own_place(classifier, float_file):
    """By position and by signature name, distinct values reach what they are meant for."""
    length = SEQUENCE_LENGTH
    values = {
        "ids": np.arange(5, 5 + length, dtype="int32")[None],
        "mask": (np.arange(length) < 11).astype("int32")[None],
        "segment_ids": (np.arange(length) > 6).astype("int32")[None],
    }
    logits = classifier(
        {
            "token_ids": values["ids"],
            "segment_ids": values["segment_ids"],
            "padding_mask": values["mask"],
        },
        training=False,
    ).numpy()
    expected = np.exp(logits) / np.exp(logits).sum()

    interpreter = Interpreter(model_path=str(float_file), num_threads=1)
    interpreter.allocate_tensors()
    for detail, name in zip(interpreter.get_input_details(), INPUTS, strict=True):
        interpreter.set_tensor(detail["index"], values[name])
    interpreter.invoke()
    by_position = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    by_name = interpreter.get_signature_runner("serving_default")(**values)["probabilities"]
    np.testing.assert_allclose(by_position, expected, atol=1e-5)
    np.testing.assert_allclose(by_name, expected, atol=1e-5)

    for detail, name in zip(
        interpreter.get_input_details(), ["ids", "segment_ids", "mask"], strict=True
    ):
        interpreter.set_tensor(detail["index"], values[name])
    interpreter.invoke()
    swapped = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.abs(swapped - expected).max() > 1e-3


def test_int8_file_is_smaller(classifier, tmp_path):
    sizes = [
        to_tflite(classifier, tmp_path / "m.tflite", target=name, metadata=False).size_bytes
        for name in ("float32", "universal")
    ]
    assert sizes[1] < 0.85 * sizes[0]


def test_shorter_sequence_length(classifier, tmp_path):
    path = to_tflite(classifier, tmp_path / "m.tflite", sequence_length=8, target="float32").path
    runner = TFLiteClassifier(path)
    assert runner.sequence_length == 8
    short = ["a bad", "x"]
    np.testing.assert_allclose(
        runner.predict_proba(short), classifier.predict_proba(short), atol=1e-5
    )


def test_sequence_length_may_reach_the_position_table(classifier, tmp_path):
    path = to_tflite(classifier, tmp_path / "m.tflite", sequence_length=32, target="float32").path
    np.testing.assert_allclose(
        TFLiteClassifier(path).predict_proba(TEXTS[:4]),
        classifier.predict_proba(TEXTS[:4]),
        atol=1e-5,
    )


def test_file_packs_vocabulary_labels_and_settings(classifier, float_file):
    file = read_model_file(float_file)
    assert file.packed["vocab.txt"].decode() == "".join(f"{token}\n" for token in VOCABULARY)
    assert file.packed["labels.txt"] == b"first\nsecond\nthird\n"
    assert file.vocabulary == VOCABULARY
    assert file.labels == classifier.labels
    assert file.settings["tokenizer"] == classifier.wordpiece.get_config()
    assert file.settings["multi_label"] is False


@pytest.mark.parametrize("target", ["float32", "universal"])
def test_without_metadata(classifier, tmp_path, target):
    path = to_tflite(classifier, tmp_path / "m.tflite", target=target, metadata=False).path
    assert read_metadata(path) is None
    file = read_model_file(path)
    assert file.packed == {}
    assert file.quantization == {"universal": "dynamic_int8"}.get(
        target, target
    )  # read off the constants
    runner = TFLiteClassifier(path, tokenizer=classifier.wordpiece)
    assert runner.labels == ["0", "1", "2"]
    np.testing.assert_allclose(
        runner.predict_proba(TEXTS), classifier.predict_proba(TEXTS), atol=0.06
    )
    with pytest.raises(TinyBertError, match="packed vocabulary, or the argument `tokenizer`"):
        TFLiteClassifier(path).predict_proba(TEXTS)


def test_classifier_without_preprocessor_exports_without_metadata(tmp_path):
    bare = build_classifier(preprocessor=False)
    with pytest.raises(TinyBertError, match=r"metadata=False. Received: preprocessor=None"):
        to_tflite(bare, tmp_path / "m.tflite", target="float32")
    assert _names(tmp_path) == []
    result = to_tflite(bare, tmp_path / "m.tflite", target="float32", metadata=False)
    assert result.sequence_lengths == (32,)


def test_export_is_reproducible(classifier, float_file, tmp_path):
    again = to_tflite(classifier, tmp_path / "again.tflite", target="float32").path
    assert again.read_bytes() == float_file.read_bytes()


def test_labels_of_any_script_survive(tmp_path):
    labels = ["größe", "天気", "two words", "😀"]
    classifier = build_classifier(labels=labels)
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    assert TFLiteClassifier(path).labels == labels


def test_nothing_is_printed(classifier, tmp_path, capfd):
    path = to_tflite(classifier, tmp_path / "m.tflite", target="universal").path
    TFLiteClassifier(path).classify(TEXTS)
    assert capfd.readouterr() == ("", "")


# === Bad input ===


@pytest.mark.parametrize("length", [33, 2, 0, -1, "16", 8.0, True])
def test_sequence_length_out_of_range(classifier, tmp_path, length):
    with pytest.raises(TinyBertError, match="from 3 to 32, the rows of the position table"):
        to_tflite(classifier, tmp_path / "m.tflite", sequence_length=length, target="float32")
    assert _names(tmp_path) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(tmp_path, value):
    classifier = build_classifier()
    kernel = classifier.backbone.encoder_blocks[1].attention.value_dense.kernel
    kernel.assign(np.where(np.eye(16) > 0, value, kernel.value.numpy()))
    with pytest.raises(TinyBertError, match=r"NaN or infinity in .*encoder_block_1.*value.*kernel"):
        to_tflite(classifier, tmp_path / "m.tflite", target="float32")
    assert _names(tmp_path) == []


def test_labels_that_do_not_fit_the_classes(tmp_path):
    classifier = build_classifier()
    classifier.labels = ["first", "second"]
    with pytest.raises(TinyBertError, match="2 labels, num_classes=3"):
        to_tflite(classifier, tmp_path / "m.tflite", target="float32")


def test_label_with_a_line_break(tmp_path):
    classifier = build_classifier(labels=["first", "sec\nond"])
    with pytest.raises(TinyBertError, match=r"Received: labels=\['sec\\nond'\]"):
        to_tflite(classifier, tmp_path / "m.tflite", target="float32")


def test_vocabulary_beyond_the_word_table(tmp_path):
    classifier = build_classifier()
    classifier.backbone.vocabulary_size = 60
    with pytest.raises(TinyBertError, match=r"at most 60 tokens.*vocabulary_size=67"):
        to_tflite(classifier, tmp_path / "m.tflite", target="float32")


@pytest.mark.parametrize("name", ["int3", "", None])
def test_unknown_target(classifier, tmp_path, name):
    with pytest.raises(TinyBertError, match=f"npu_int8, float32. Received: target={name!r}"):
        to_tflite(classifier, tmp_path / "m.tflite", target=name)


def test_only_classifiers_can_be_exported(classifier, tmp_path):
    with pytest.raises(TinyBertError, match="Received: classifier=TinyBertBackbone"):
        to_tflite(classifier.backbone, tmp_path / "m.tflite", target="float32")


# === Writing ===


def _fails_with(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_full_disk_leaves_the_old_file(classifier, tmp_path, monkeypatch, function):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, function, _fails_with(errno.ENOSPC))
    with pytest.raises(TinyBertError, match="No space left on device"):
        to_tflite(classifier, path, target="float32")
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["m.tflite"]


def test_full_disk_leaves_nothing_new(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", _fails_with(errno.ENOSPC))
    with pytest.raises(TinyBertError, match="Could not write"):
        to_tflite(classifier, tmp_path / "m.tflite", target="float32")
    assert _names(tmp_path) == []


def test_no_room_for_temporary_files(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "mkdtemp", _fails_with(errno.ENOSPC))
    with pytest.raises(TinyBertError, match=r"room for temporary files.*No space left"):
        to_tflite(classifier, tmp_path / "m.tflite", target="float32")
    assert _names(tmp_path) == []


@pytest.mark.slow
def test_limit_on_file_size(tmp_path):
    """A real refusal by the kernel, in a process of its own."""
    path = tmp_path / "m.tflite"
    code = (
        "import resource, signal\n"
        "from export_models import build_classifier\n"
        "from tinybert_tf.errors import TinyBertError\n"
        "from tinybert_tf.export import to_tflite\n"
        "classifier = build_classifier()\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        f"    to_tflite(classifier, {str(path)!r}, target='float32')\n"
        "except TinyBertError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
    assert "room for temporary files" in done.stdout or "Could not write" in done.stdout
    assert _names(tmp_path) == []


def test_folder_that_cannot_be_created(classifier, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TinyBertError, match="output folder"):
        to_tflite(classifier, tmp_path / "file" / "m.tflite", target="float32")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_folder_without_write_permission(classifier, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(TinyBertError, match="Permission denied"):
            to_tflite(classifier, tmp_path / "m.tflite", target="float32")
    finally:
        tmp_path.chmod(0o700)
