"""Small graphs that the GPU accelerator refuses or computes wrong, built by TensorFlow alone."""

import numpy as np
import tensorflow as tf

from tinybert_tf.quiet import quiet_stderr


def converted(path, forward):
    """A classifier of three classes from a function of ids, mask and segment_ids, as a file."""
    names = ("ids", "mask", "segment_ids")
    module = tf.Module()
    module.run = tf.function(
        lambda ids, mask, segment_ids: {"probabilities": forward(ids, mask, segment_ids)},
        input_signature=[tf.TensorSpec((1, 16), tf.int32, name=name) for name in names],
        autograph=False,
    )
    folder = str(path.with_suffix(""))
    with quiet_stderr():
        signatures = {"serving_default": module.run.get_concrete_function()}
        tf.saved_model.save(module, folder, signatures=signatures)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    return path


def matrices(*shapes):
    """Seeded random matrices of these shapes."""
    generator = np.random.default_rng(0)
    return [generator.normal(size=shape).astype("float32") * 0.5 for shape in shapes]


@tf.function(experimental_implements="embedding_matmul", autograph=False)
def lookup(table, ids):
    return tf.gather(table, ids)


class Attention:
    """Embeddings and self-attention on activations of a rank: `(16, 16)` with leading ones."""

    def __init__(self, rank):
        self.lead = (1,) * (rank - 2)
        self.table, positions, *self.kernels, self.head = matrices(
            (67, 16), *[(16, 16)] * 5, (16, 3)
        )
        self.positions = positions.reshape((*self.lead, 16, 16))

    def __call__(self, ids, mask, segment_ids):
        words = tf.reshape(lookup(self.table, tf.reshape(ids, (16,))), (*self.lead, 16, 16))
        segment = tf.cast(tf.reshape(segment_ids, (*self.lead, 16, 1)), tf.float32)
        hidden = words + segment * self.table[0] + self.positions
        query, key, value, output = self.kernels
        bias = tf.cast(tf.reshape(mask, (1, 1, 1, 16)), tf.float32) * 1000.0 - 1000.0
        scores = self.split(hidden @ query, (0, 2, 1, 3)) @ self.split(hidden @ key, (0, 2, 3, 1))
        context = tf.nn.softmax(scores + bias) @ self.split(hidden @ value, (0, 2, 1, 3))
        context = tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (*self.lead, 16, 16))
        hidden += context @ output
        first = tf.reshape(hidden, (1, 1, 16, 16))[:, :, 0:1, :]
        return tf.nn.softmax(tf.reshape(first @ self.head, (1, 3)))

    @staticmethod
    def split(x, order):
        return tf.transpose(tf.reshape(x, (1, 16, 2, 8)), order)


def pooled(hidden, mask, segment_ids):
    """`(1, 16, 16)` to probabilities, by way of both other inputs."""
    (head,) = matrices((16, 3))
    weight = tf.cast(tf.reshape(mask + segment_ids, (1, 1, 16, 1)), tf.float32)
    mean = tf.reduce_mean(tf.reshape(hidden, (1, 1, 16, 16)) * weight, axis=2, keepdims=True)
    return tf.nn.softmax(tf.reshape(mean @ head, (1, 3)))
