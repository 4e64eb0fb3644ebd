"""The masked language model's head."""

from collections.abc import Callable

import keras
from keras import ops

from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.precision import multiply


@keras.saving.register_keras_serializable(package="tinybert_tf")
class MaskedLMHead(keras.layers.Layer):
    """Predicts the tokens at some positions (Devlin et al. 2019, section 3.1).

    A dense layer with GELU, a layer normalization, and the word table itself as output matrix,
    with a bias of its own. The table stays the encoder's variable: `tie` says where it is.

    Args:
        vocabulary_size: int. Rows of the word table.
        hidden_dim: int. Width of the encoder.
        layer_norm_epsilon: float. Defaults to `1e-12`.
    """

    def __init__(
        self, vocabulary_size: int, hidden_dim: int, layer_norm_epsilon: float = 1e-12, **kwargs
    ):
        super().__init__(**kwargs)
        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.layer_norm_epsilon = layer_norm_epsilon

        # === Layers ===
        self.transform_dense = dense(hidden_dim, dtype=self.dtype_policy, name="transform")
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="layer_norm"
        )

        self._table = None

    def tie(self, table: Callable) -> None:
        """Sets a function that returns the word table `(vocabulary_size, hidden_dim)`."""
        self._table = table

    def build(self, hidden_shape, positions_shape=None):
        self.transform_dense.build(hidden_shape)
        self.layer_norm.build(hidden_shape)
        self.bias = self.add_weight(shape=(self.vocabulary_size,), initializer="zeros", name="bias")
        self.built = True

    def call(self, hidden, positions):
        """Returns logits `(batch, predictions, vocabulary_size)`.

        Args:
            hidden: float tensor `(batch, length, hidden_dim)`.
            positions: int tensor `(batch, predictions)`. Which tokens to predict.
        """
        hidden = ops.take_along_axis(hidden, ops.expand_dims(positions, -1), axis=1)
        hidden = ops.gelu(self.transform_dense(hidden), approximate=False)
        hidden = self.layer_norm(hidden)
        logits = multiply(hidden, ops.transpose(ops.cast(self._table(), hidden.dtype)))
        return ops.cast(logits + self.bias, "float32")

    def compute_output_shape(self, hidden_shape, positions_shape=None):
        return (*positions_shape, self.vocabulary_size)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "vocabulary_size": self.vocabulary_size,
                "hidden_dim": self.hidden_dim,
                "layer_norm_epsilon": self.layer_norm_epsilon,
            }
        )
        return config
