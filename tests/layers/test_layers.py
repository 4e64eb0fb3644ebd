"""Every layer: config round trip, symbolic = eager, one fit step, mixed precision."""

import keras
import numpy as np
import pytest
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers import BertEmbeddings, EncoderBlock, FeedForward, MultiHeadSelfAttention
from tinybert_tf.layers.position_table import PositionTable, sinusoidal_positions

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(size=(2, 5, 8)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")


def first(outputs):
    return outputs[0] if isinstance(outputs, (tuple, list)) else outputs


LAYERS = [
    (FeedForward, {"hidden_dim": 8, "intermediate_dim": 12, "activation": "gelu"}),
    (FeedForward, {"hidden_dim": 8, "intermediate_dim": 12, "activation": "relu"}),
    (MultiHeadSelfAttention, {"num_heads": 2, "hidden_dim": 8}),
    (MultiHeadSelfAttention, {"num_heads": 2, "hidden_dim": 8, "attention_dim": 6}),
    (EncoderBlock, {"num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}),
    (PositionTable, {"max_sequence_length": 7, "hidden_dim": 8}),
    (PositionTable, {"max_sequence_length": 7, "hidden_dim": 8, "encoding": "sinusoidal"}),
]


@pytest.mark.parametrize(("cls", "arguments"), LAYERS)
def test_layer_contract(cls, arguments):
    layer = cls(**arguments)
    eager = first(layer(HIDDEN))

    # Config round trip, with the same weights.
    copy = cls.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy(HIDDEN)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(first(copy(HIDDEN)), eager)

    # Symbolic = eager, and the declared shape is the real one.
    symbolic = keras.Input((None, 8))
    model = keras.Model(symbolic, first(layer(symbolic)))
    np.testing.assert_allclose(model.predict(HIDDEN, verbose=0)[:1], eager[:1], atol=1e-6)
    assert first(layer(symbolic)).shape[-1] == 8
    assert tuple(eager.shape[1:]) == (5, 8)


@pytest.mark.parametrize(("cls", "arguments"), LAYERS[:5])
def test_layer_trains_every_weight(cls, arguments):
    layer = cls(**arguments)
    symbolic = keras.Input((None, 8))
    model = keras.Model(symbolic, first(layer(symbolic)))
    before = [w.copy() for w in layer.get_weights()]
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse", jit_compile=False)
    model.fit(HIDDEN, HIDDEN[::-1] + 1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True)]
    names = [w.path for w in layer.weights]
    # The key's bias shifts every score of a query alike, which a softmax does not see.
    assert [n for n, c in zip(names, changed, strict=True) if not c and "key/bias" not in n] == []


@pytest.mark.parametrize(("cls", "arguments"), LAYERS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_layer_mixed_precision(cls, arguments, policy):
    layer = cls(**arguments, dtype=policy)
    output = first(layer(HIDDEN))
    assert keras.backend.standardize_dtype(output.dtype) == policy.removeprefix("mixed_")
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in layer.weights)
    full = cls(**arguments)
    full(HIDDEN)
    full.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        ops.cast(output, "float32"), first(full(HIDDEN)), atol=0.06, rtol=0.02
    )


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_attention_against_numpy():
    layer = MultiHeadSelfAttention(num_heads=2, hidden_dim=8, attention_dim=6)
    output, scores = layer(HIDDEN, padding_mask=MASK)
    for dense in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense):
        dense.bias.assign(RANDOM.normal(size=dense.bias.shape))
    output, scores = layer(HIDDEN, padding_mask=MASK)
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = (
        d.get_weights()
        for d in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    expected = np.zeros((2, 5, 8))
    for row in range(2):
        contexts = []
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            q = HIDDEN[row] @ wq[:, part] + bq[part]
            k = HIDDEN[row] @ wk[:, part] + bk[part]
            v = HIDDEN[row] @ wv[:, part] + bv[part]
            raw = q @ k.T / np.sqrt(3)
            np.testing.assert_allclose(scores[row, head], raw, atol=1e-5)
            contexts.append(softmax(np.where(MASK[row] == 1, raw, -np.inf)) @ v)
        expected[row] = np.concatenate(contexts, -1) @ wo + bo
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_padding_does_not_reach_real_tokens():
    block = EncoderBlock(num_heads=2, hidden_dim=8, intermediate_dim=12)
    changed = HIDDEN.copy()
    changed[1, 3:] = 100.0
    np.testing.assert_allclose(
        block(HIDDEN, padding_mask=MASK)[0][1, :3],
        block(changed, padding_mask=MASK)[0][1, :3],
        atol=1e-6,
    )


def test_a_row_of_padding_only_stays_finite():
    block = EncoderBlock(num_heads=2, hidden_dim=8, intermediate_dim=12)
    assert np.isfinite(np.array(block(HIDDEN, padding_mask=MASK * 0)[0])).all()


def test_dropout_acts_in_training_only():
    block = EncoderBlock(num_heads=2, hidden_dim=8, intermediate_dim=12, dropout=0.5)
    quiet = block(HIDDEN, training=False)[0]
    np.testing.assert_array_equal(quiet, block(HIDDEN, training=False)[0])
    assert np.abs(np.array(block(HIDDEN, training=True)[0] - quiet)).max() > 1e-3


def test_embeddings_against_numpy():
    layer = BertEmbeddings(10, 8, max_sequence_length=6)
    ids = np.array([[1, 2, 3], [4, 5, 0]])
    segments = np.array([[0, 0, 1], [0, 1, 1]])
    output = layer(ids, segments)
    words = layer.token_embedding.get_weights()[0]
    total = words[ids] + layer.position_embedding.table[None, :3]
    total = total + layer.segment_embedding.get_weights()[0][segments]
    mean, variance = total.mean(-1, keepdims=True), total.var(-1, keepdims=True)
    np.testing.assert_allclose(output, (total - mean) / np.sqrt(variance + 1e-12), atol=1e-4)


def test_sinusoidal_positions_by_hand():
    table = sinusoidal_positions(3, 4)
    np.testing.assert_allclose(table[0], [0, 1, 0, 1])
    np.testing.assert_allclose(
        table[2], [np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)], atol=1e-6
    )


def test_gelu_forms_differ():
    erf = FeedForward(8, 12, activation="gelu")
    tanh = FeedForward(8, 12, activation="gelu_tanh")
    big = HIDDEN * 60
    erf(big), tanh(big)
    tanh.set_weights(erf.get_weights())
    difference = np.abs(np.array(erf(big) - tanh(big))).max()
    assert 0 < difference < 1e-2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MultiHeadSelfAttention(3, 8), "attention_dim=8, num_heads=3"),
        (lambda: FeedForward(8, 12, activation="swish"), "activation='swish'"),
        (lambda: PositionTable(4, 8, encoding="rotary"), "encoding='rotary'"),
        (lambda: PositionTable(4, 8)(HIDDEN), "length=5"),
    ],
)
def test_layer_errors(build, message):
    with pytest.raises(TinyBertError, match=message):
        build()
