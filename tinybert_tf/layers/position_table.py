"""Position vectors: learned (BERT) or sinusoidal (the Transformer)."""

import keras
import numpy as np
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.initializers import bert_initializer

POSITION_ENCODINGS = ("learned", "sinusoidal")


def sinusoidal_positions(length: int, dim: int) -> np.ndarray:
    """The fixed table of Vaswani et al. 2017, section 3.5, as float32 `(length, dim)`.

    Even columns hold `sin(p / 10000^(2i/dim))`, odd columns the cosine of the same angle.
    """
    position = np.arange(length)[:, None]
    rate = 10000.0 ** (-2.0 * (np.arange(dim)[None, :] // 2) / dim)
    angle = position * rate
    return np.where(np.arange(dim)[None, :] % 2 == 0, np.sin(angle), np.cos(angle)).astype(
        "float32"
    )


@keras.saving.register_keras_serializable(package="tinybert_tf")
class PositionTable(keras.layers.Layer):
    """A table of position vectors, of which the first `length` rows are used.

    Args:
        max_sequence_length: int. Rows of the table, the longest input it can serve.
        hidden_dim: int. Width of a row.
        encoding: string. `"learned"` trains the table; `"sinusoidal"` fixes it and stores
            no weight. Defaults to `"learned"`.
    """

    def __init__(
        self, max_sequence_length: int, hidden_dim: int, encoding: str = "learned", **kwargs
    ):
        super().__init__(**kwargs)
        if encoding not in POSITION_ENCODINGS:
            raise TinyBertError(
                f"Expected a position encoding out of {POSITION_ENCODINGS}. "
                f"Received: encoding={encoding!r}"
            )
        self.max_sequence_length = max_sequence_length
        self.hidden_dim = hidden_dim
        self.encoding = encoding
        self.embeddings = None

    def build(self, input_shape):
        if self.encoding == "learned":
            self.embeddings = self.add_weight(
                name="embeddings",
                shape=(self.max_sequence_length, self.hidden_dim),
                initializer=bert_initializer(),
            )
        self.built = True

    @property
    def table(self) -> np.ndarray:
        """The whole table as numpy, `(max_sequence_length, hidden_dim)`."""
        if self.encoding == "sinusoidal":
            return sinusoidal_positions(self.max_sequence_length, self.hidden_dim)
        return self.embeddings.numpy()

    def call(self, inputs):
        """Returns the rows for `inputs` of shape `(batch, length, hidden_dim)`: `(1, length, h)`.

        Raises:
            TinyBertError: If the (statically known) length exceeds the table.
        """
        length = inputs.shape[1]
        if length is not None and length > self.max_sequence_length:
            raise TinyBertError(
                f"Expected at most {self.max_sequence_length} tokens, the rows of the position "
                f"table. Received: length={length}"
            )
        length = ops.shape(inputs)[1]
        if self.encoding == "sinusoidal":
            table = ops.convert_to_tensor(self.table, dtype=self.compute_dtype)
        else:
            table = ops.cast(self.embeddings, self.compute_dtype)
        return table[None, :length, :]

    def compute_output_shape(self, input_shape):
        return (1, input_shape[1], self.hidden_dim)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "max_sequence_length": self.max_sequence_length,
                "hidden_dim": self.hidden_dim,
                "encoding": self.encoding,
            }
        )
        return config
