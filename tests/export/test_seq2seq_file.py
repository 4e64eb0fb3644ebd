"""Sequence-to-sequence models as files: the real runtime decodes as Keras does."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from export_models import build_classifier
from seq2seq_models import (
    SEQUENCE_LENGTH,
    SOURCE,
    SOURCES,
    TARGET,
    TARGETS,
    WORDS,
    export_both,
    file_logits,
    keras_logits,
    largest_difference,
    make,
)

import tinybert_tf as tb
from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import (
    TFLiteClassifier,
    TFLiteSeq2Seq,
    read_model_file,
    seq2seq_to_tflite,
)
from tinybert_tf.models.seq2seq import TinyBertSeq2Seq


@pytest.fixture(scope="module")
def model():
    return make(decoder_layers=2)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """Target to the result of exporting `model` for it."""
    return export_both(model, tmp_path_factory.mktemp("seq2seq"))


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = make(label_smoothing=0.0)
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    model.fit(SOURCES, TARGETS, epochs=60, batch_size=6, verbose=0)
    assert model.generate(SOURCES) == TARGETS
    return model


# === Numbers ===


@pytest.mark.parametrize(
    ("target", "backbone", "arguments"),
    [
        (TARGET, {}, {"decoder_layers": 2}),
        (None, {"activation": "gelu_tanh"}, {"position_encoding": "sinusoidal"}),
        pytest.param(
            TARGET,
            {"embedding_dim": 4, "attention_dim": 8},
            {"tie_output": False},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            None,
            {"activation": "relu", "position_encoding": "sinusoidal"},
            {"tie_output": False},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_float32_file_equals_keras(target, backbone, arguments, tmp_path):
    model = make(target, backbone, **arguments)
    file = TFLiteSeq2Seq(seq2seq_to_tflite(model, tmp_path / "m.tflite", "float32").path)
    expected, ids = keras_logits(model, SOURCES, TARGETS if target else SOURCES)
    found = file_logits(file, SOURCES, ids)
    assert max(np.ptp(row, axis=0).max() for row in expected) > 1.0
    assert largest_difference(found, expected) < 1e-4
    assert file.generate(SOURCES) == model.generate(SOURCES)
    assert file.generate(SOURCES, beams=3) == model.generate(SOURCES, beams=3)


def test_int8_file_is_close(model, files):
    expected, ids = keras_logits(model, SOURCES, TARGETS)
    found = file_logits(TFLiteSeq2Seq(files["universal"].path), SOURCES, ids)
    spread = np.concatenate(expected).std()
    assert 0 < largest_difference(found, expected) < 0.15 * spread


def test_an_encoder_trained_with_int8_keeps_its_integers(model, tmp_path):
    quantized = make(backbone={"quantization": "dynamic_int8"}, decoder_layers=2)
    path = seq2seq_to_tflite(quantized, tmp_path / "m.tflite").path
    expected, ids = keras_logits(quantized, SOURCES, TARGETS)
    found = file_logits(TFLiteSeq2Seq(path), SOURCES, ids)
    assert largest_difference(found, expected) < 0.15 * np.concatenate(expected).std()
    with pytest.raises(TinyBertError, match="'float32'.*quantization='dynamic_int8'"):
        seq2seq_to_tflite(quantized, tmp_path / "m.tflite", "float32")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["float32", "universal"])
def test_a_trained_model_translates_alike(target, trained, tmp_path):
    file = TFLiteSeq2Seq(seq2seq_to_tflite(trained, tmp_path / "m.tflite", target).path)
    assert file.generate(SOURCES) == TARGETS
    assert file.generate(SOURCES, beams=3) == TARGETS
    assert file.generate([]) == []


def test_beams_and_length_penalty_decode_as_keras(model, files):
    file = TFLiteSeq2Seq(files["float32"].path, num_threads=2)
    for options in (
        {"beams": 1, "max_length": 3},
        {"beams": 2, "max_length": 5, "length_penalty": 0.0},
        {"beams": 4, "length_penalty": 2.0},
    ):
        assert file.generate(SOURCES, **options) == model.generate(SOURCES, **options)


def test_a_longer_source_is_cut(model, files):
    file = TFLiteSeq2Seq(files["float32"].path)
    text = " ".join(WORDS * 4)
    cut = " ".join((WORDS * 4)[: SEQUENCE_LENGTH - 2])
    _, (ids,) = keras_logits(model, ["one"], ["一二三四"])
    long, short = file_logits(file, [text, cut], [ids, ids])
    np.testing.assert_array_equal(long, short)
    (expected,), _ = keras_logits(model, [text], ["一二三四"])
    assert np.abs(long - expected).max() < 1e-4
    assert file.generate([text]) == model.generate([text])


# === The file ===


def test_settings_and_vocabularies_are_packed(model, files):
    file = read_model_file(files["universal"].path)
    assert file.packed["vocab.txt"].decode().split() == SOURCE.vocabulary
    assert file.packed["target_vocab.txt"].decode().split() == TARGET.vocabulary
    settings = file.settings
    assert settings["kind"] == "seq2seq" and settings["quantization"] == "dynamic_int8"
    assert (settings["begin_id"], settings["end_id"]) == (TARGET.cls_id, TARGET.sep_id)
    assert (settings["sequence_length"], settings["target_length"]) == (8, 6)
    runner = TFLiteSeq2Seq(files["universal"].path)
    assert runner.tokenizer == SOURCE and runner.target_tokenizer == TARGET
    assert runner.size_bytes == files["universal"].size_bytes
    assert runner.quantization == files["universal"].quantization == "dynamic_int8"


def test_running_needs_no_tensorflow(files):
    path = str(files["float32"].path)
    code = (
        "import sys\n"
        "from tinybert_tf.export import TFLiteSeq2Seq\n"
        f"print(TFLiteSeq2Seq({path!r}).generate({SOURCES!r}, beams=2))\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(TFLiteSeq2Seq(path).generate(SOURCES, beams=2))
    assert done.stderr == ""


# === Errors ===


def diverged():
    model = make()
    model.decoder.blocks[0].cross_attention.key_dense.kernel.assign(np.full((16, 16), np.nan))
    return model


def tensors_only():
    return TinyBertSeq2Seq(tb.TinyBertBackbone(10, 1, 2, 8, 8, max_sequence_length=8))


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (build_classifier, {}, "Expected a TinyBertSeq2Seq.*TinyBertTextClassifier"),
        (tensors_only, {}, "preprocessor=None"),
        (diverged, {}, "NaN or infinity in .*cross_attention/key/kernel"),
        (make, {"target": "nnapi"}, "out of universal, float32.*target='nnapi'"),
        (make, {"target": "npu_int8"}, "out of universal, float32.*target='npu_int8'"),
        (make, {"target": "small"}, "out of universal, float32.*target='small'"),
        (make, {"target": "tpu"}, "target='tpu'"),
        (make, {"sequence_length": 13}, "sequence_length from 3 to 12.*sequence_length=13"),
        (make, {"sequence_length": 2}, "sequence_length=2"),
        (make, {"target_length": 11}, "target_length from 2 to 10.*target_length=11"),
        (make, {"target_length": 1.5}, "target_length=1.5"),
    ],
)
def test_export_errors(build, arguments, message, tmp_path):
    with pytest.raises(TinyBertError, match=message):
        seq2seq_to_tflite(build(), tmp_path / "m.tflite", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda file: file.generate("one"), "`texts` is expected to be a list of strings"),
        (lambda file: file.generate(["one"], max_length=7), "from 1 to 6.*max_length=7"),
        (lambda file: file.generate(["one"], beams=0), "beams=0"),
        (lambda file: file.encode([]), "from 1 to 8 token ids. Received: 0"),
        (lambda file: file.encode(np.full(9, 5)), "Received: 9"),
        (lambda file: file.encode([2, 99, 3]), "inputs that the file can run on"),
        (
            lambda file: file.step(5, 6, file.encode([2, 5, 3]), file.empty_caches()),
            "inputs that the file can run on",
        ),
        (lambda file: TFLiteSeq2Seq(file.path, num_threads=0), "num_threads=0"),
        (lambda file: TFLiteClassifier(file.path), "a text classifier.*'seq2seq'"),
    ],
)
def test_runner_errors(act, message, files):
    with pytest.raises(TinyBertError, match=message):
        act(TFLiteSeq2Seq(files["float32"].path))


def test_the_runner_refuses_other_files(float_file):
    with pytest.raises(TinyBertError, match="sequence-to-sequence.*'classes'"):
        TFLiteSeq2Seq(float_file)
