"""tfmot's quantizers inside Keras 3 layers, and the int8 form of every layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer
from tinybert_tf.layers.quantized.int8_attention import MASK_MARGIN, Int8SelfAttention
from tinybert_tf.layers.quantized.int8_layer_norm import Int8LayerNorm
from tinybert_tf.layers.quantized.quantized_dense import QuantizedDense
from tinybert_tf.layers.quantized.quantized_embedding import QuantizedEmbedding
from tinybert_tf.quantization.schemes import SCHEMES, find_scheme

SCHEME_NAMES = list(SCHEMES)


def rows(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def dense(scheme, **kwargs):
    layer = QuantizedDense(6, scheme, **kwargs)
    layer.build((None, 8))
    layer.kernel.assign(rows(8, 6))
    layer.bias.assign(rows(6, seed=1))
    return layer


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_kernel_grid_by_hand(scheme):
    found, layer = find_scheme(scheme), dense(scheme)
    kernel, top = layer.kernel.numpy(), 2 ** (found.weight_bits - 1) - 1
    widest = np.abs(kernel).max(axis=0 if found.per_channel else None)
    scales = np.atleast_1d(widest / top).astype("float32")
    integers, own_scales = layer.kernel_grid()
    np.testing.assert_allclose(own_scales, scales, rtol=1e-6)
    assert np.abs(integers - kernel / scales).max() <= 0.5 + 1e-4
    assert np.abs(integers).max() == top
    np.testing.assert_allclose(
        layer.quantized_kernel().numpy(), integers * own_scales, rtol=1e-5, atol=1e-7
    )


def test_grid_follows_the_kernel_and_not_the_last_training_step():
    layer = dense("dynamic_int8")
    layer(rows(2, 8), training=True)
    layer.kernel.assign(layer.kernel.numpy() * 10)
    integers, scales = layer.kernel_grid()
    np.testing.assert_allclose(integers * scales, layer.kernel.numpy(), atol=scales.max())


def test_column_of_zeros():
    layer = dense("dynamic_int8")
    kernel = layer.kernel.numpy()
    kernel[:, 2] = 0
    layer.kernel.assign(kernel)
    integers, scales = layer.kernel_grid()
    assert (integers[:, 2] == 0).all() and scales[2] == 1
    assert np.isfinite(layer(rows(2, 8)).numpy()).all()


def test_head_keeps_eight_bits():
    assert dense("int4_weights", weight_bits=8).bits == 8
    assert np.abs(dense("int4_weights").kernel_grid()[0]).max() == 7


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_dense_trains_saves_and_loads(scheme, tmp_path):
    model = keras.Sequential([keras.Input((8,)), dense(scheme)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = rows(64, 8), rows(64, 6, seed=2)
    before = model.layers[0].kernel.numpy()
    first = model.fit(x, y, epochs=1, verbose=0).history["loss"][0]
    last = model.fit(x, y, epochs=20, verbose=0).history["loss"][-1]
    assert last < first
    assert np.abs(model.layers[0].kernel.numpy() - before).max() > 0
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_dense_config_round_trip():
    layer = dense("static_int8", symmetric_output=True, weight_bits=8, activation="tanh")
    copy = QuantizedDense.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


# === Activations ===


def watched(quantizer, *batches):
    if not quantizer.built:
        quantizer.build(batches[0].shape)
    quantizer.watch(True)
    for batch in batches:
        np.testing.assert_array_equal(quantizer(batch), batch)
    quantizer.watch(False)
    return quantizer


def test_calibration_averages_the_ranges_of_batches():
    quantizer = watched(
        ActivationQuantizer(),
        np.array([[-1.0, 3.0]], "float32"),
        np.array([[-2.0, 1.0]], "float32"),
    )
    assert quantizer.bounds() == (-1.5, 2.0)
    again = watched(quantizer, np.array([[-4.0, 4.0]], "float32"))  # starts anew
    assert again.bounds() == (-4.0, 4.0)


def test_symmetric_range():
    quantizer = watched(ActivationQuantizer(symmetric=True), np.array([[-1.0, 3.0]], "float32"))
    assert quantizer.bounds() == (-3.0, 3.0)
    assert len(np.unique(quantizer(np.linspace(-5, 5, 5001, dtype="float32")))) == 255


def test_training_moves_the_range_and_inference_does_not():
    quantizer = watched(ActivationQuantizer(), np.array([[-1.0, 1.0]], "float32"))
    wide = np.array([[-101.0, 1.0]], "float32")  # within 16 standard deviations
    quantizer(wide, training=False)
    assert quantizer.bounds() == (-1.0, 1.0)
    quantizer(wide, training=True)  # tfmot's decay is 0.999
    np.testing.assert_allclose(quantizer.bounds(), (-1.1, 1.0), rtol=1e-5)


def test_outliers_do_not_widen_the_range():
    """As on [CLS] and [SEP] of real BERTs: one value a hundred times as large as the rest."""
    batch = rows(8, 16, 32)
    batch[0, 0, 0] = 1000.0
    low, high = watched(ActivationQuantizer(), batch).bounds()
    reach = batch.mean() + 16 * batch.std()
    np.testing.assert_allclose(high, reach, rtol=1e-4)
    assert low == batch.min()


def test_values_lie_on_a_grid_of_256_levels():
    quantizer = watched(ActivationQuantizer(), np.array([[-1.0, 3.0]], "float32"))
    values = quantizer(np.linspace(-2, 4, 5001, dtype="float32")).numpy()
    assert len(np.unique(values)) == 256 and 0.0 in values
    steps = values / (4.0 / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_range_that_was_never_set():
    quantizer = ActivationQuantizer(name="scores")
    quantizer.build((None, 2))
    with pytest.raises(TinyBertError, match=r"quantize_aware.*Received: scores without a range"):
        quantizer.bounds()


# === Tables ===


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_embedding_rounds_the_rows_in_use(scheme):
    found = find_scheme(scheme)
    layer = QuantizedEmbedding(10, 16, scheme)
    layer.build(None)
    layer.embeddings.assign(rows(10, 16))
    integers, scales = layer.table_grid()
    assert integers.dtype == np.int8 and integers.shape == (10, 16)
    assert scales.shape == ((10,) if found.table_per_row else (1,))
    assert np.abs(integers).max() == 2 ** (found.table_bits - 1) - 1
    ids = np.array([[3, 3, 9]], "int32")
    expected = (integers * scales.reshape(-1, 1))[ids]
    np.testing.assert_allclose(layer(ids).numpy(), expected, rtol=1e-6, atol=1e-7)


def test_embedding_gradient_stays_sparse():
    layer = QuantizedEmbedding(10, 4, "dynamic_int8_int4_embedding")
    layer.build(None)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.array([[1, 7]], "int32")))
    gradient = tape.gradient(loss, layer.embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(gradient.values.numpy(), np.ones((2, 4)))


# === Int8 forms ===


def calibrated(layer, *arguments, **kwargs):
    """Builds a layer, sets all its ranges from one call, returns its output after that."""
    layer(*arguments, **kwargs)
    quantizers = [q for q in layer._flatten_layers() if isinstance(q, ActivationQuantizer)]
    for quantizer in quantizers:
        quantizer.watch(True)
    layer(*arguments, **kwargs)
    for quantizer in quantizers:
        quantizer.watch(False)
    return layer(*arguments, **kwargs)


def test_int8_layer_norm_is_close_to_layer_norm():
    x = rows(4, 8, 64) * 2 + 0.5
    plain = keras.layers.LayerNormalization(epsilon=1e-12)
    plain.build(x.shape)
    plain.gamma.assign(1 + 0.1 * rows(64, seed=1))
    plain.beta.assign(rows(64, seed=2))
    layer = Int8LayerNorm(epsilon=1e-12)
    layer.build(x.shape)
    layer.gamma.assign(plain.gamma)
    layer.beta.assign(plain.beta)
    error = np.abs(calibrated(layer, x).numpy() - plain(x).numpy())
    assert 0 < error.mean() < 0.03
    assert len(np.unique(calibrated(layer, x).numpy())) <= 256


def test_int8_layer_norm_of_constant_rows_is_finite():
    layer = Int8LayerNorm(epsilon=1e-12)
    x = rows(2, 4, 16)
    x[0, 0] = 3.0
    assert np.isfinite(calibrated(layer, x).numpy()).all()


def test_int8_attention_masks_padding():
    layer = Int8SelfAttention(2, 16, dropout=0.0, quantization="static_int8")
    hidden = rows(2, 6, 16)
    mask = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]], "int32")
    before = calibrated(layer, hidden, padding_mask=mask)[0].numpy()
    changed = hidden.copy()
    changed[mask == 0] = -changed[mask == 0]
    after = layer(changed, padding_mask=mask)[0].numpy()
    real = mask.astype(bool)
    # exp(-8) of the least attended token leaks, less than a level of int8 probabilities.
    step = np.ptp(before) / 255
    assert np.abs(before - after)[real].max() <= 2 * step
    assert np.exp(-MASK_MARGIN) < 1 / 256


def test_unknown_scheme_names_the_known_ones():
    with pytest.raises(TinyBertError, match=r"dynamic_int8, .*static_int8.*scheme='int3'"):
        find_scheme("int3")
