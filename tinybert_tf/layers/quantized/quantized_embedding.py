"""A lookup table that is stored in few bits."""

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.errors import TinyBertError
from tinybert_tf.quantization.numbers import (
    largest_integer,
    round_to,
    row_scales,
    straight_through,
)
from tinybert_tf.quantization.schemes import find_scheme

# Rows whose scales are searched at a time.
_CHUNK = 4096


@keras.saving.register_keras_serializable(package="tinybert_tf")
class QuantizedEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` whose rows are rounded to a grid after the lookup.

    Only the rows in use are rounded, so that the gradient stays sparse; tfmot's quantizers would
    round the whole table and know channels on the last axis only. The scale of a row is a
    function of the row; one scale for all is the table's largest value.

    Args:
        input_dim: int. Rows.
        output_dim: int. Width of a row.
        scheme: string. See `SCHEMES`.

    Raises:
        TinyBertError: If rows of 4-bit integers would not fill whole bytes.
    """

    def __init__(self, input_dim: int, output_dim: int, scheme: str, **kwargs):
        super().__init__(input_dim, output_dim, **kwargs)
        self.scheme = scheme
        self.per_row = find_scheme(scheme).table_per_row
        self.bits = find_scheme(scheme).table_bits
        if self.bits == 4 and output_dim % 2:
            raise TinyBertError(
                "Expected an even width of the word table, since its rows hold two 4-bit integers "
                "a byte (of a factorized table: an even rank); or choose a scheme with int8 rows. "
                f"Received: a width of {output_dim}, scheme={scheme!r}"
            )

    def call(self, inputs):
        rows = tf.gather(self.embeddings.value, inputs)
        scale = row_scales(rows, self.bits) if self.per_row else self._table_scale()
        return straight_through(rows, round_to(rows, scale, self.bits))

    def _table_scale(self) -> tf.Tensor:
        table = tf.convert_to_tensor(self.embeddings.value)
        return row_scales(tf.reshape(table, (1, -1)), 8)[0, 0]

    def table_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """The integers, int8 `(rows, dim)`, and scales, float32 `(rows,)` or `(1,)`."""
        table = tf.convert_to_tensor(self.embeddings.value)
        if self.per_row:
            parts = [table[i : i + _CHUNK] for i in range(0, self.input_dim, _CHUNK)]
            scales = np.concatenate([row_scales(part, self.bits).numpy() for part in parts])
        else:
            scales = self._table_scale().numpy().reshape(1, 1)
        top = largest_integer(self.bits)
        integers = np.clip(np.round(table.numpy() / scales), -top, top).astype("int8")
        return integers, scales.reshape(-1)

    def get_config(self):
        return {**super().get_config(), "scheme": self.scheme}
