"""The fused AdamW takes the steps of Keras' AdamW."""

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.training import WarmupLinearDecay
from tinybert_tf.training.optimizer import FusedAdamW


def trained(cls) -> list[np.ndarray]:
    """Three variables after five steps: a table with sparse gradients, a kernel, a bias."""
    random = np.random.default_rng(0)
    table = keras.Variable(random.normal(size=(6, 3)).astype("float32"), name="embeddings")
    kernel = keras.Variable(random.normal(size=(3, 2)).astype("float32"), name="kernel")
    bias = keras.Variable(np.zeros(2, "float32"), name="bias")
    optimizer = cls(
        WarmupLinearDecay(0.1, 8, 2), weight_decay=0.1, global_clipnorm=1.0, epsilon=1e-6
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    variables = [table, kernel, bias]
    optimizer.build(variables)

    @tf.function
    def step(ids):
        with tf.GradientTape() as tape:
            output = tf.gather(table.value, ids) @ kernel.value + bias.value
            loss = tf.reduce_sum(tf.square(output - 1.0))
        gradients = tape.gradient(loss, [v.value for v in variables])
        assert isinstance(gradients[0], tf.IndexedSlices)
        if cls is not FusedAdamW:
            # Keras' norm of a sparse gradient squares a repeated row part by part.
            gradients[0] = tf.convert_to_tensor(gradients[0])
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    for ids in ([0, 1, 1], [2, 2, 2], [0, 3, 5], [1, 4, 0], [5, 5, 1]):
        step(tf.constant(ids))
    return [v.numpy() for v in (*variables, *optimizer.variables)]


def test_same_steps_and_state_as_keras():
    for ours, theirs in zip(trained(FusedAdamW), trained(keras.optimizers.AdamW), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)


def test_config_round_trip():
    optimizer = FusedAdamW(WarmupLinearDecay(0.1, 8, 2), weight_decay=0.1)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, FusedAdamW)
    assert copy.weight_decay == 0.1


def test_other_precisions_fall_back():
    variable = keras.Variable(np.ones(3, "float16"), dtype="float16", name="kernel")
    optimizer = FusedAdamW(0.1)
    optimizer.build([variable])
    optimizer.apply_gradients([(tf.ones(3, tf.float16), variable)])
    assert np.isfinite(variable.numpy()).all()
    assert (variable.numpy() < 1).all()
