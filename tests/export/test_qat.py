"""Quantization-aware training: what is trained is what the file computes."""

import keras
import numpy as np
import pytest
from export_models import TARGET_OF, TEXTS, build_classifier

import tinybert_tf as tb
from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, quantize, quantize_aware, to_tflite
from tinybert_tf.export.recipe import keep_better_file
from tinybert_tf.export.targets import TARGETS
from tinybert_tf.export.weights import read_weights
from tinybert_tf.quantization.schemes import SCHEMES

# Training and export of many small models.
pytestmark = pytest.mark.slow

LABELS = ["first", "second", "third", "first", "second", "third"]
# Both kinds of activations in the quick run, all schemes in the whole one.
EACH_KIND = [
    name if name in ("dynamic_int8", "static_int8") else pytest.param(name, marks=pytest.mark.slow)
    for name in SCHEMES
]
FLOAT_ACTIVATIONS = [name for name in SCHEMES if name != "static_int8"]


def aware(classifier, scheme):
    return quantize_aware(classifier, scheme, TEXTS * 20, LABELS * 20)


def export_as(classifier, scheme, path):
    return to_tflite(classifier, path, target=TARGET_OF[scheme], scheme=scheme).path


@pytest.fixture(scope="module")
def trained(classifier):
    """Scheme to a classifier that was trained in its numbers, by `fit`."""
    found = {}
    for scheme in SCHEMES:
        copy = aware(classifier, scheme)
        copy.compile(optimizer=keras.optimizers.Adam(1e-3))
        copy.fit(TEXTS * 4, LABELS * 4, epochs=2, verbose=0)
        found[scheme] = copy
    return found


@pytest.mark.parametrize("scheme", FLOAT_ACTIVATIONS)
def test_file_computes_what_was_simulated(scheme, trained, tmp_path):
    runner = TFLiteClassifier(export_as(trained[scheme], scheme, tmp_path / "m.tflite"))
    own, simulated = runner.predict_proba(TEXTS), trained[scheme].predict_proba(TEXTS)
    assert np.ptp(simulated, axis=0).max() > 0.05
    np.testing.assert_allclose(own, simulated, atol=1e-5)


@pytest.mark.parametrize("name", ["tinybert", "multi_label", "relu", "gelu_tanh", "reduced"])
@pytest.mark.parametrize("scheme", ["dynamic_int8", "per_tensor_int8"])
def test_variants_compute_what_was_simulated(name, scheme, tmp_path):
    arguments = {
        "tinybert": {"head": "tinybert"},
        "multi_label": {"multi_label": True},
        "relu": {"activation": "relu"},
        "gelu_tanh": {"activation": "gelu_tanh"},
        "reduced": {"reduced_dim": 8, "attention_dim": 8},
    }[name]
    copy = quantize_aware(build_classifier(**arguments), scheme)
    runner = TFLiteClassifier(export_as(copy, scheme, tmp_path / "m.tflite"))
    np.testing.assert_allclose(runner.predict_proba(TEXTS), copy.predict_proba(TEXTS), atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"head": "tinybert"}, {"activation": "relu"}])
def test_int8_file_follows_its_simulation(arguments, tmp_path):
    """Integer kernels round products of scales, so single values may fall a step aside."""
    classifier = build_classifier(**arguments)
    for block in classifier.backbone.encoder_blocks:  # as calm as a trained model
        for variable in block.trainable_weights:
            if len(variable.shape) == 2:
                variable.assign(variable.value * 0.4)
    copy = aware(classifier, "static_int8")
    runner = TFLiteClassifier(export_as(copy, "static_int8", tmp_path / "m.tflite"))
    own, simulated = runner.predict_proba(TEXTS), copy.predict_proba(TEXTS)
    assert np.ptp(simulated, axis=0).max() > 0.03
    assert np.abs(own - simulated).max() < 0.05
    assert np.abs(own - simulated).mean() < 0.01


def test_int8_probabilities_of_many_classes_sum_to_one(tmp_path):
    classifier = build_classifier(labels=[f"class {index}" for index in range(90)])
    path = to_tflite(classifier, tmp_path / "m.tflite", target="npu_int8", texts=TEXTS * 20).path
    probabilities = TFLiteClassifier(path).predict_proba(TEXTS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert len(np.unique(probabilities)) > 3


def test_quantization_moves_outputs_and_training_moves_them_back(classifier):
    plain = classifier.predict_proba(TEXTS)
    copy = aware(classifier, "int4_weights")
    before = np.abs(copy.predict_proba(TEXTS) - plain).mean()
    tb.distill(
        classifier, copy, TEXTS * 16, stages="prediction", epochs=10, learning_rate=5e-3, verbose=0
    )
    after = np.abs(copy.predict_proba(TEXTS) - plain).mean()
    assert before > 0.05
    assert after < 0.5 * before


@pytest.mark.parametrize("scheme", EACH_KIND)
def test_distiller_trains_every_scheme(scheme, classifier):
    copy = aware(classifier, scheme)
    before = copy.backbone.encoder_blocks[0].attention.query_dense.kernel.numpy()
    history = tb.distill(classifier, copy, TEXTS * 4, epochs=1, verbose=0)
    assert np.isfinite(
        [values[-1] for stage in history.values() for values in stage.values()]
    ).all()
    assert np.abs(copy.backbone.encoder_blocks[0].attention.query_dense.kernel - before).max() > 0


@pytest.mark.parametrize("scheme", EACH_KIND)
def test_saves_and_loads(scheme, trained, tmp_path):
    expected = trained[scheme].predict_proba(TEXTS)
    trained[scheme].save(tmp_path / "m.keras")
    trained[scheme].save_to_preset(str(tmp_path / "preset"))
    for loaded in (
        keras.saving.load_model(tmp_path / "m.keras"),
        tb.TinyBertTextClassifier.from_preset(str(tmp_path / "preset")),
    ):
        assert loaded.backbone.quantization == scheme
        np.testing.assert_array_equal(loaded.predict_proba(TEXTS), expected)
    first, again = (
        export_as(model, scheme, tmp_path / name).read_bytes()
        for model, name in ((trained[scheme], "a.tflite"), (loaded, "b.tflite"))
    )
    assert first == again


def test_copy_leaves_the_original_alone(classifier):
    before = [weight.copy() for weight in classifier.get_weights()]
    copy = aware(classifier, "dynamic_int8")
    copy.fit(TEXTS, LABELS, verbose=0)
    for weight, old in zip(classifier.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert copy.labels == classifier.labels and copy.wordpiece == classifier.wordpiece


def test_weights_lie_on_their_grids(trained):
    weights = read_weights(trained["int4_weights"])
    grid = weights.blocks[0].intermediate.grid
    assert np.abs(grid.integers).max() == 7 and grid.bits == 4
    np.testing.assert_array_equal(weights.blocks[0].intermediate.kernel, grid.values())
    assert weights.logits.grid.bits == 8


def test_per_tensor_turns_gelu_into_its_tanh_form(classifier):
    assert aware(classifier, "per_tensor_int8").backbone.activation == "gelu_tanh"
    assert aware(classifier, "dynamic_int8").backbone.activation == "gelu"


# === The one-call recipe ===


def test_quantize_trains_for_a_target(classifier, tmp_path):
    found = quantize(
        classifier, TEXTS * 4, LABELS * 4, target="small", epochs=1, max_vocabulary=67, verbose=0
    )
    assert found.classifier.backbone.quantization == TARGETS["small"].scheme
    assert found.coverage.corpus.unchanged_tokens == 1.0
    path = to_tflite(found.classifier, tmp_path / "m.tflite", target="small").path
    runner = TFLiteClassifier(path)
    assert runner.tokenizer == found.classifier.wordpiece
    np.testing.assert_allclose(
        runner.predict_proba(TEXTS), found.classifier.predict_proba(TEXTS), atol=1e-5
    )


@pytest.mark.slow
def test_quantize_goes_on_after_a_kill(classifier, tmp_path):
    """Ranges of int8 activations are part of what is resumed."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    arguments = {"labels": LABELS * 4, "target": "npu_int8", "epochs": 2, "verbose": 0}
    whole = quantize(classifier, TEXTS * 4, **arguments).classifier
    with pytest.raises(KeyboardInterrupt):
        quantize(classifier, TEXTS * 4, run_dir=tmp_path, callbacks=[Stop()], **arguments)
    resumed = quantize(classifier, TEXTS * 4, run_dir=tmp_path, **arguments).classifier
    for weight, expected in zip(resumed.weights, whole.weights, strict=True):
        if "seed_generator" not in weight.path:
            np.testing.assert_array_equal(weight.numpy(), expected.numpy(), weight.path)


# === Bad input ===


def test_unknown_scheme(classifier):
    with pytest.raises(TinyBertError, match="Received: scheme='int2'"):
        quantize_aware(classifier, "int2")


def test_twice(trained):
    with pytest.raises(TinyBertError, match="not quantization-aware yet.*'dynamic_int8'"):
        quantize_aware(trained["dynamic_int8"], "static_int8", TEXTS)


def test_other_model():
    with pytest.raises(TinyBertError, match="Received: classifier=Sequential"):
        quantize_aware(keras.Sequential(), "dynamic_int8")


def test_unsupported_layer():
    classifier = build_classifier()
    classifier.backbone.encoder_blocks[1].feed_forward.output_dense.enable_lora(2)
    expected = r"encoder_block_1/feed_forward/output \(Dense\)"
    with pytest.raises(TinyBertError, match=expected):
        quantize_aware(classifier)


def test_nan_weights():
    classifier = build_classifier()
    kernel = classifier.output_dense.kernel
    kernel.assign(np.full(kernel.shape, np.nan, "float32"))
    with pytest.raises(TinyBertError, match="NaN or infinity in logits/kernel"):
        quantize_aware(classifier)


def test_static_needs_calibration(classifier):
    for texts in (None, []):
        with pytest.raises(TinyBertError, match="Expected training texts for 'static_int8'"):
            quantize_aware(classifier, "static_int8", texts)


def test_calibration_of_one_class(classifier):
    with pytest.raises(TinyBertError, match=r"at least two classes.*2 texts, all 'first'"):
        quantize_aware(classifier, "static_int8", TEXTS[:2], ["first", "first"])


def test_target_of_another_scheme(trained, tmp_path):
    with pytest.raises(TinyBertError, match=r"'dynamic_int8'.*quantization='static_int8'"):
        to_tflite(trained["static_int8"], tmp_path / "m.tflite", target="universal")
    with pytest.raises(TinyBertError, match=r"Received: quantization='dynamic_int8'"):
        to_tflite(trained["dynamic_int8"], tmp_path / "m.tflite", target="float32")
    assert list(tmp_path.iterdir()) == []


def test_float_target_has_nothing_to_train(classifier):
    with pytest.raises(TinyBertError, match="Expected a target with a quantization scheme"):
        quantize(classifier, TEXTS, target="float32")


def test_the_better_of_two_integer_files_is_kept(classifier, tmp_path):
    """The labels are the answers of the start's own file, so that it scores 1."""
    copy = aware(classifier, "static_int8")
    good = copy.get_weights()
    answers = TFLiteClassifier(export_as(copy, "static_int8", tmp_path / "m.tflite"))
    data = TEXTS, answers.classify(TEXTS)
    copy.output_dense.kernel.assign(-copy.output_dense.kernel)
    bad = copy.get_weights()
    assert keep_better_file(copy, good, data, "npu_int8")
    for own, expected in zip(copy.get_weights(), good, strict=True):
        np.testing.assert_array_equal(own, expected)
    assert not keep_better_file(copy, bad, data, "npu_int8")
    np.testing.assert_array_equal(copy.get_weights()[-1], good[-1])
