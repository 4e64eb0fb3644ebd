"""The decoder block: numpy parity, causality, one step = all at once, config, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tinybert_tf.layers.decoder import Decoder
from tinybert_tf.layers.decoder_block import DecoderBlock

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.normal(size=(2, 4, 8)).astype("float32")
SOURCE = RANDOM.normal(size=(2, 5, 8)).astype("float32")
TARGET_MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "int32")
SOURCE_MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], "int32")
ARGUMENTS = {"num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "activation": "relu"}


def block_of(**changes) -> DecoderBlock:
    """With weights and biases far from the start's."""
    block = DecoderBlock(**{**ARGUMENTS, "layer_norm_epsilon": 1e-6, **changes})
    block(TARGET, SOURCE)
    for index, weight in enumerate(block.weights):
        if "seed" not in weight.path:
            values = np.random.default_rng(index).normal(size=weight.shape) * 0.5
            weight.assign(values + (1 if weight.name == "gamma" else 0))
    return block


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def normalized(layer, x):
    gamma, beta = layer.get_weights()
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * gamma + beta


def attention(layer, queries, keys, allowed):
    """One row, head by head; `allowed` is `(queries, keys)`."""
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = (
        d.get_weights()
        for d in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    contexts, scores = [], []
    for head in range(layer.num_heads):
        part = slice(layer.head_dim * head, layer.head_dim * (head + 1))
        raw = (queries @ wq + bq)[:, part] @ (keys @ wk + bk)[:, part].T
        scores.append(raw / np.sqrt(layer.head_dim))
        probabilities = softmax(np.where(allowed, scores[-1], -np.inf))
        contexts.append(probabilities @ (keys @ wv + bv)[:, part])
    return np.concatenate(contexts, -1) @ wo + bo, np.array(scores)


@pytest.mark.parametrize("attention_dim", [None, 6])
def test_block_against_numpy(attention_dim):
    block = block_of(attention_dim=attention_dim)
    output, self_scores, cross_scores = block(
        TARGET, SOURCE, padding_mask=TARGET_MASK, encoder_mask=SOURCE_MASK
    )
    for row in range(2):
        x, source = TARGET[row].astype("float64"), SOURCE[row]
        earlier = np.tril(np.ones((4, 4), bool)) & (TARGET_MASK[row] == 1)
        attended, expected_self = attention(block.self_attention, x, x, earlier)
        x = normalized(block.self_attention_layer_norm, x + attended)
        attended, expected_cross = attention(
            block.cross_attention, x, source, np.tile(SOURCE_MASK[row] == 1, (4, 1))
        )
        x = normalized(block.cross_attention_layer_norm, x + attended)
        (w1, b1), (w2, b2) = (
            d.get_weights()
            for d in (block.feed_forward.intermediate_dense, block.feed_forward.output_dense)
        )
        x = normalized(block.output_layer_norm, x + np.maximum(x @ w1 + b1, 0) @ w2 + b2)
        np.testing.assert_allclose(output[row], x, atol=1e-4)
        np.testing.assert_allclose(self_scores[row], expected_self, atol=1e-4)
        np.testing.assert_allclose(cross_scores[row], expected_cross, atol=1e-4)


@pytest.mark.parametrize("changed", range(4))
def test_a_later_token_changes_no_earlier_output(changed):
    block = block_of()
    other = TARGET.copy()
    other[:, changed] += 3.0
    before, after = np.array(block(TARGET, SOURCE)[0]), np.array(block(other, SOURCE)[0])
    np.testing.assert_array_equal(before[:, :changed], after[:, :changed])
    assert (np.abs(before - after)[:, changed:].max(axis=-1) > 1e-4).all()


def test_padding_of_either_side_reaches_no_real_token():
    block = block_of()

    def run(target, source):
        output = block(target, source, padding_mask=TARGET_MASK, encoder_mask=SOURCE_MASK)[0]
        return np.array(output)[TARGET_MASK == 1]

    other, other_source = TARGET.copy(), SOURCE.copy()
    other[TARGET_MASK == 0] = 50.0
    other_source[SOURCE_MASK == 0] = 50.0
    np.testing.assert_allclose(run(TARGET, SOURCE), run(other, other_source), atol=1e-6)
    other_source[0, 0] += 1.0
    assert np.abs(run(TARGET, SOURCE) - run(TARGET, other_source)).max() > 1e-3


@pytest.mark.parametrize("attention_dim", [None, 6])
def test_steps_equal_all_at_once(attention_dim):
    """The cache is longer than the target; what it holds beyond must not count."""
    block = block_of(attention_dim=attention_dim)
    expected = np.array(block(TARGET, SOURCE, encoder_mask=SOURCE_MASK)[0])
    cross_cache = block.cross_cache(SOURCE)
    cache = tuple(x + 100.0 for x in block.empty_cache(2, 7))
    shapes = [tuple(x.shape) for x in cache]
    for position in range(4):
        hidden, cache = block.step(
            TARGET[:, position : position + 1], position, cache, cross_cache, SOURCE_MASK
        )
        np.testing.assert_allclose(hidden[:, 0], expected[:, position], atol=1e-5)
        assert [tuple(x.shape) for x in cache] == shapes
    assert shapes == [(2, 2, 7, (attention_dim or 8) // 2)] * 2
    assert np.all(np.array(cache[0])[:, :, 4:] == 100.0)


def test_a_step_has_static_shapes():
    block = block_of()

    @tf.function(
        input_signature=[
            tf.TensorSpec((1, 1, 8)),
            tf.TensorSpec((), tf.int32),
            [tf.TensorSpec((1, 2, 7, 4))] * 2,
            [tf.TensorSpec((1, 2, 5, 4))] * 2,
            tf.TensorSpec((1, 5), tf.int32),
        ]
    )
    def step(hidden, position, cache, cross_cache, mask):
        return block.step(hidden, position, cache, cross_cache, mask)

    graph = step.get_concrete_function().graph
    dynamic = [
        tensor.name
        for operation in graph.get_operations()
        for tensor in operation.outputs
        if not tensor.shape.is_fully_defined()
    ]
    assert not dynamic
    assert [tuple(x.shape) for x in graph.structured_outputs[1]] == [(1, 2, 7, 4)] * 2


def test_config_round_trip():
    block = block_of(attention_dim=6, dropout=0.3)
    copy = DecoderBlock.from_config(block.get_config())
    assert copy.get_config() == block.get_config()
    copy(TARGET, SOURCE)
    copy.set_weights(block.get_weights())
    np.testing.assert_array_equal(copy(TARGET, SOURCE)[0], block(TARGET, SOURCE)[0])


def test_symbolic_shapes():
    block = DecoderBlock(**ARGUMENTS)
    output, self_scores, cross_scores = block(keras.Input((None, 8)), keras.Input((5, 8)))
    assert output.shape == (None, None, 8)
    assert self_scores.shape == (None, 2, None, None)
    assert cross_scores.shape == (None, 2, None, 5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    block, full = DecoderBlock(**ARGUMENTS, dtype=policy), DecoderBlock(**ARGUMENTS)
    output = block(TARGET, SOURCE, padding_mask=TARGET_MASK)[0]
    assert keras.backend.standardize_dtype(output.dtype) == policy.removeprefix("mixed_")
    full(TARGET, SOURCE)
    full.set_weights(block.get_weights())
    expected = full(TARGET, SOURCE, padding_mask=TARGET_MASK)[0]
    np.testing.assert_allclose(ops.cast(output, "float32"), expected, atol=0.06, rtol=0.02)
    assert block.empty_cache(1, 3)[0].dtype == output.dtype


def test_dropout_acts_in_training_only():
    block = block_of(dropout=0.5, attention_dropout=0.5)
    quiet = np.array(block(TARGET, SOURCE, training=False)[0])
    np.testing.assert_array_equal(quiet, block(TARGET, SOURCE, training=False)[0])
    assert np.abs(quiet - np.array(block(TARGET, SOURCE, training=True)[0])).max() > 1e-3


# === The whole decoder ===


@pytest.mark.parametrize("encoding", ["learned", "sinusoidal"])
@pytest.mark.parametrize("tie_output", [True, False])
def test_decoder_steps_equal_all_at_once(encoding, tie_output):
    decoder = Decoder(
        11, 2, 2, 8, 12, max_length=6, position_encoding=encoding, tie_output=tie_output
    )
    ids = np.array([[2, 5, 6, 7], [2, 9, 10, 1]])
    outputs = decoder(ids, SOURCE, encoder_mask=SOURCE_MASK)
    assert outputs["logits"].shape == (2, 4, 11)
    assert [len(outputs[name]) for name in sorted(outputs) if name != "logits"] == [2, 3, 2]
    caches, cross_caches = decoder.empty_caches(2, 5), decoder.cross_caches(SOURCE)
    for position in range(4):
        logits, caches = decoder.step(
            ids[:, position : position + 1], position, caches, cross_caches, SOURCE_MASK
        )
        np.testing.assert_allclose(logits, outputs["logits"][:, position], atol=1e-6)


def test_tied_logits_by_hand():
    decoder = Decoder(11, 1, 2, 8, 12, max_length=6)
    decoder(np.array([[2, 3]]), SOURCE[:1])
    decoder.output_bias.assign(np.arange(11.0))
    outputs = decoder(np.array([[2, 3]]), SOURCE[:1])
    table = decoder.token_embedding.get_weights()[0]
    expected = np.array(outputs["hidden_states"][-1]) @ table.T + np.arange(11)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    assert len([w for w in decoder.weights if w.shape == (11, 8)]) == 1


def test_decoder_config_round_trip():
    decoder = Decoder(11, 1, 2, 8, 12, max_length=6, shared_words=True, tie_output=False)
    assert Decoder.from_config(decoder.get_config()).get_config() == decoder.get_config()
