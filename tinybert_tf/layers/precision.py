"""The precision in which dense layers multiply."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.errors import TinyBertError

PRECISIONS = ("float32", "bfloat16")
_current = "float32"


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Trains with dense layers that multiply in `precision`; all else stays float32.

    ```python
    with tb.matmul_precision("bfloat16"):
        tb.distill(teacher, student, texts)
    ```

    Micikevicius et al. 2018, with bfloat16 as in Kalamkar et al. 2019: inputs, kernels and their
    gradients are rounded to bfloat16 before a dense layer multiplies them, products are summed in
    float32. Weights, optimizer, norms, softmax and losses stay float32, and so does everything
    outside the block. Processors with bfloat16 units (Intel AMX, AVX512-BF16; recent Arm) train
    faster, others slower; RESULTS.md has a ratio.

    Args:
        precision: string. `"bfloat16"` or `"float32"`.

    Raises:
        TinyBertError: For another precision.
    """
    global _current
    if precision not in PRECISIONS:
        raise TinyBertError(
            f"Expected a precision out of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    before, _current = _current, precision
    try:
        yield
    finally:
        _current = before


def multiply(x, kernel):
    """`x @ kernel`, `(..., inputs)` to `(..., outputs)`, in the precision of the moment."""
    if _current == "float32" or keras.backend.standardize_dtype(x.dtype) != "float32":
        return ops.matmul(x, kernel)
    x, kernel = tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)
    outputs = kernel.shape[-1]
    rows = tf.cast(tf.reshape(x, (-1, kernel.shape[0])), tf.bfloat16)
    product = tf.cast(tf.matmul(rows, tf.cast(kernel, tf.bfloat16)), tf.float32)
    if x.shape.rank == 2:
        return product
    product = tf.reshape(product, tf.concat([tf.shape(x)[:-1], [outputs]], 0))
    return tf.ensure_shape(product, [*x.shape[:-1], outputs])


class PrecisionModel:
    """Mixed into a Keras model: `fit`, `evaluate` and `predict` follow `matmul_precision`.

    Keras keeps the traced functions; ones of another precision are traced anew.
    """

    def make_train_function(self, force=False):
        return super().make_train_function(force or self._other_precision("train"))

    def make_test_function(self, force=False):
        return super().make_test_function(force or self._other_precision("test"))

    def make_predict_function(self, force=False):
        return super().make_predict_function(force or self._other_precision("predict"))

    def _other_precision(self, function: str) -> bool:
        traced = self.__dict__.setdefault("_traced_precisions", {})
        before = traced.get(function, "float32")
        traced[function] = _current
        return before != _current
