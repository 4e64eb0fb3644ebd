"""Pieces of the lowered graph, in operations that the delegates compute right."""

import math

import numpy as np
import tensorflow as tf


def composed_gelu(x):
    """GELU's tanh form as x * sigmoid(2 u), since (1 + tanh u) / 2 = sigmoid(2 u).

    The converter fuses the form with tanh into a GELU operator, which NNAPI does not know.
    """
    factor = 2.0 * math.sqrt(2.0 / math.pi)
    return x * tf.sigmoid(x * (x * x * (factor * 0.044715) + factor))


@tf.function(experimental_implements="embedding_matmul", autograph=False)
def embedding_lookup(table, ids):
    """Rows of `table` at `ids` `(S,)`; the converter turns it into EMBEDDING_LOOKUP by name."""
    return tf.gather(table, ids)


def split_heads(x, heads: int, order: tuple[int, ...]) -> tf.Tensor:
    """`(1, 1, L, width)` to `(1, L, heads, width / heads)`, transposed by `order`."""
    length, width = x.shape[2], x.shape[3]
    return tf.transpose(tf.reshape(x, (1, length, heads, width // heads)), order)


def constant4(value: np.ndarray) -> tf.Tensor:
    """A vector or matrix as a rank-4 constant `(1, 1, rows, columns)`."""
    return tf.constant(value.reshape((1, 1, -1, value.shape[-1])))


def equals(x, index: int) -> tf.Tensor:
    """1.0 where integer-valued `x` is `index`, else 0.0, without a boolean tensor."""
    return tf.nn.relu(1.0 - tf.abs(x - float(index)))
