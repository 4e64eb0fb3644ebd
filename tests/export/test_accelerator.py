"""LiteRT's real GPU accelerator, on a software Vulkan device where there is no GPU."""

import json
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import tensorflow as tf
from export_models import SEQUENCE_LENGTH, TEXTS, VOCABULARY, build_classifier
from gpu_device import skip_without_gpu
from gpu_graphs import Attention, converted, matrices, pooled

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, quantize_aware, to_tflite
from tinybert_tf.export.accelerator import DEFAULT_TEXTS, check_gpu, run_on_gpu
from tinybert_tf.export.vulkan import GpuUnavailable
from tinybert_tf.quantization.schemes import WEIGHT_ONLY

ROWS = [np.arange(2, 2 + count) for count in (3, 9, 16)]
# Equal at the rate of rounding, not merely within the tolerance.
ROUNDING = 1e-5


@pytest.fixture(scope="session")
def plain_file(classifier, tmp_path_factory):
    """A float32 file."""
    path = tmp_path_factory.mktemp("accelerator") / "model.tflite"
    return to_tflite(classifier, path, target="float32").path


@pytest.fixture(scope="session")
def gpu(plain_file):
    """Skips the test where no Vulkan device is found."""
    with skip_without_gpu():
        check_gpu(plain_file, texts=["a"])


def softened(classifier):
    """Halves all matrices: quantization noise as small as in a trained model."""
    for variable in classifier.trainable_weights:
        if len(variable.shape) == 2:
            variable.assign(variable * 0.5)
    return classifier


def wide_classifier():
    """Blocks of the width of the 4-layer TinyBERT, whose 26 columns a head fill no GPU vector."""
    shape = {"num_layers": 2, "num_heads": 12, "hidden_dim": 312, "intermediate_dim": 1200}
    classifier = build_classifier(**shape)
    for variable in classifier.trainable_weights:
        if len(variable.shape) == 2:
            variable.assign(variable * 2.0 / np.sqrt(variable.shape[0]))
    return classifier


def assert_answers_differ(check):
    """The inputs lead to different answers: agreement is no accident."""
    for outputs in check.outputs.values():
        assert np.ptp(outputs, axis=0).max() > 0.05


# === Right on the GPU ===


def assert_gpu_equals_keras(check, classifier, atol) -> np.ndarray:
    """The GPU's outputs, of which the first are those of the default texts."""
    (outputs,) = check.outputs.values()
    expected = classifier.predict_proba(list(DEFAULT_TEXTS))
    np.testing.assert_allclose(outputs[: len(DEFAULT_TEXTS)], expected, atol=atol)
    return outputs


def test_float32_file_equals_keras(gpu, classifier, plain_file):
    check = check_gpu(plain_file)
    assert check.fully_accelerated and check.refused == ()
    assert check.passed and check.require() is check
    assert check.tolerance == 1e-4
    assert check.max_difference < ROUNDING
    assert_answers_differ(check)
    outputs = assert_gpu_equals_keras(check, classifier, atol=1e-4)
    stored = json.loads(json.dumps(check.to_dict()))
    assert stored["passed"] is True
    assert stored["inputs"] == len(outputs) > len(DEFAULT_TEXTS)  # pairs too


@pytest.mark.parametrize(
    "make",
    [
        lambda: softened(build_classifier()),
        pytest.param(wide_classifier, marks=pytest.mark.slow),
    ],
)
def test_dynamic_int8_file_is_within_the_tolerance(gpu, tmp_path, make):
    path = to_tflite(make(), tmp_path / "m.tflite", target="universal").path
    check = check_gpu(path).require()
    assert check.tolerance == 1e-2
    assert 0 < check.max_difference < 1e-2
    assert_answers_differ(check)


@pytest.mark.parametrize("target", ["small", "nnapi"])
def test_other_targets_are_within_the_tolerance(gpu, tmp_path, target):
    path = to_tflite(softened(build_classifier()), tmp_path / "m.tflite", target=target).path
    check = check_gpu(path).require()
    assert 0 < check.max_difference < 1e-2
    assert_answers_differ(check)


@pytest.mark.parametrize(
    "make", [build_classifier, pytest.param(wide_classifier, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "scheme", [WEIGHT_ONLY[0], pytest.param(WEIGHT_ONLY[1], marks=pytest.mark.slow)]
)
def test_weight_only_file_gives_the_same_numbers_everywhere(gpu, tmp_path, make, scheme):
    copy = quantize_aware(make(), scheme)
    path = to_tflite(copy, tmp_path / "m.tflite", target="weight_only").path
    check = check_gpu(path).require()
    assert check.tolerance == 1e-4
    assert check.max_difference < ROUNDING
    assert_answers_differ(check)
    assert_gpu_equals_keras(check, copy, atol=1e-5)


@pytest.mark.parametrize(
    "variant",
    [
        {"head": "tinybert", "activation": "relu"},
        {"multi_label": True, "activation": "gelu_tanh", "reduced_dim": 8},
        {"position_encoding": "sinusoidal", "attention_dim": 24, "num_segments": 3},
    ],
    ids=lambda variant: "-".join(map(str, variant.values())),
)
@pytest.mark.slow
def test_variants_of_the_graph(gpu, tmp_path, variant):
    path = to_tflite(build_classifier(**variant), tmp_path / "m.tflite", target="float32").path
    check = check_gpu(path).require()
    assert check.max_difference < ROUNDING
    assert_answers_differ(check)


def test_second_output_is_compared_too(gpu, classifier, tmp_path):
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32", attention=True).path
    check = check_gpu(path).require()
    assert check.max_difference < ROUNDING
    (outputs,) = check.outputs.values()
    heads = classifier.backbone.num_heads
    assert outputs.shape[1] == 3 + heads * SEQUENCE_LENGTH
    np.testing.assert_allclose(outputs[:, 3:].sum(axis=1), heads, atol=1e-4)
    np.testing.assert_allclose(run_on_gpu(path, ROWS).sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.slow
def test_wide_float32_file(gpu, tmp_path):
    path = to_tflite(wide_classifier(), tmp_path / "m.tflite", target="float32").path
    check = check_gpu(path).require()
    assert check.max_difference < ROUNDING
    assert_answers_differ(check)


@pytest.mark.slow
def test_signatures_are_checked_one_by_one(gpu, classifier, tmp_path):
    path = to_tflite(
        classifier, tmp_path / "m.tflite", target="float32", sequence_length=(8, 16)
    ).path
    check = check_gpu(path).require()
    assert sorted(check.outputs) == ["tokens_16", "tokens_8"]
    # The last default text is longer than either, and cut to each.
    assert np.abs(check.outputs["tokens_16"] - check.outputs["tokens_8"]).max() > 1e-3
    np.testing.assert_allclose(
        check.outputs["tokens_16"][:-2], classifier.predict_proba(list(DEFAULT_TEXTS)), atol=1e-4
    )
    one = check_gpu(path, TEXTS[:1], signature="tokens_8")
    assert list(one.outputs) == ["tokens_8"]
    # The shortest signature that holds all rows.
    rows = [np.array([2, 5, 6, 3]), np.array([2, *[7] * 8, 3])]
    by_length = run_on_gpu(path, rows), run_on_gpu(path, rows, signature="tokens_16")
    np.testing.assert_array_equal(*by_length)


def test_run_on_gpu_answers_as_the_cpu(gpu, classifier, plain_file):
    encoded = classifier.wordpiece.encode(TEXTS, TEXTS[::-1], max_length=SEQUENCE_LENGTH)
    outputs = run_on_gpu(plain_file, encoded.token_ids, encoded.segment_ids)
    expected = TFLiteClassifier(plain_file).predict_proba((TEXTS, TEXTS[::-1]))
    np.testing.assert_allclose(outputs, expected, atol=ROUNDING)


# === Found out ===


def test_rank_2_attention_is_accelerated_and_wrong(gpu, tmp_path):
    """Without the comparison such a file would pass; the same graph at rank 4 is right."""
    right = check_gpu(converted(tmp_path / "rank4.tflite", Attention(4)), token_ids=ROWS)
    assert right.require().max_difference < ROUNDING
    wrong = check_gpu(converted(tmp_path / "rank2.tflite", Attention(2)), token_ids=ROWS)
    assert wrong.fully_accelerated and wrong.refused == ()
    assert wrong.max_difference > 0.05
    assert not wrong.passed
    with pytest.raises(TinyBertError, match=r"within 0\.0001 of the CPU.*rank2\.tflite.*0\.\d+ on"):
        wrong.require()


def test_lookup_that_meets_a_constant_is_accelerated_and_wrong(gpu, tmp_path):
    table, positions = matrices((67, 16), (16, 16))

    def forward(ids, mask, segment_ids):
        words = tf.gather(table, tf.reshape(ids, (16,)))
        return pooled(words + positions, mask, segment_ids)

    check = check_gpu(converted(tmp_path / "m.tflite", forward), token_ids=ROWS)
    assert check.fully_accelerated
    assert check.max_difference > 0.05
    assert not check.passed


def test_refused_operators_are_named(gpu, tmp_path):
    (table,) = matrices((67, 16))

    def forward(ids, mask, segment_ids):
        return pooled(tf.gather(table, ids), mask, segment_ids)

    path = converted(tmp_path / "m.tflite", forward)
    check = check_gpu(path, token_ids=ROWS)
    assert not check.fully_accelerated and not check.passed
    assert check.refused == ("GATHER: Only support 1D indices",)
    assert check.max_difference is None and check.outputs == {}
    assert json.loads(json.dumps(check.to_dict()))["refused"] == list(check.refused)
    for call in (check.require, lambda: run_on_gpu(path, ROWS)):
        with pytest.raises(TinyBertError, match="m.tflite', where it refuses GATHER: Only support"):
            call()


# === Bad input ===


def test_missing_device_names_what_to_install(plain_file, tmp_path, monkeypatch):
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "none.json"))
    with pytest.raises(GpuUnavailable, match=r"apt-get install.*libvulkan1.*none\.json"):
        check_gpu(plain_file)


def test_driver_without_a_device(plain_file, tmp_path, monkeypatch):
    """The Vulkan loader itself is asked, and finds nothing."""
    driver = tmp_path / "broken.json"
    driver.write_text('{"ICD": {"library_path": "./none.so", "api_version": "1.0.5"}}')
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    monkeypatch.setenv("VK_ICD_FILENAMES", str(driver))
    with pytest.raises(GpuUnavailable, match=r"apt-get install.*no device from .*broken\.json"):
        check_gpu(plain_file)


def test_library_that_is_not_in_the_wheel(plain_file, tmp_path, monkeypatch):
    spec = ModuleSpec("ai_edge_litert", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(GpuUnavailable, match=r"accelerator in the ai-edge-litert wheel"):
        check_gpu(plain_file)


def test_process_that_does_not_start(plain_file, tmp_path, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", str(plain_file))  # any file: it gets no further
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    with pytest.raises(TinyBertError, match=r"its process ended with status 1: .*encodings"):
        check_gpu(plain_file)


def test_process_that_takes_too_long(plain_file, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", str(plain_file))
    with pytest.raises(TinyBertError, match=r"within 0\.01 s"):
        check_gpu(plain_file, time_limit=0.01)


def test_file_of_another_format(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(TinyBertError, match="Expected a TFLite file"):
        check_gpu(path)


def test_unknown_signature(plain_file):
    with pytest.raises(TinyBertError, match="among serving_default. Received: signature='other'"):
        check_gpu(plain_file, signature="other")


@pytest.mark.parametrize("rows", [[], [np.zeros(0, "int32")], [np.zeros(17, "int32")]])
def test_number_of_ids(plain_file, rows):
    with pytest.raises(TinyBertError, match=f"1 to 16 token ids. Received: {len(rows)} rows"):
        run_on_gpu(plain_file, rows)


def test_id_outside_the_word_table(gpu, plain_file):
    """A GPU reads whatever lies there."""
    with pytest.raises(TinyBertError, match="can run"):
        run_on_gpu(plain_file, [np.array([2, len(VOCABULARY), 3])])


def test_file_without_a_vocabulary(classifier, tmp_path):
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32", metadata=False).path
    with pytest.raises(TinyBertError, match="packed vocabulary, or the argument `token_ids`"):
        check_gpu(path)
