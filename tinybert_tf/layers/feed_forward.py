"""The position-wise feed-forward network."""

import keras
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.initializers import bert_initializer

# "gelu" is the erf form that BERT was trained with; "gelu_tanh" is keras-hub's and GPT's.
ACTIVATIONS = {
    "gelu": lambda x: ops.gelu(x, approximate=False),
    "gelu_tanh": lambda x: ops.gelu(x, approximate=True),
    "relu": ops.relu,
}


@keras.saving.register_keras_serializable(package="tinybert_tf")
class FeedForward(keras.layers.Layer):
    """`FFN(x) = act(x W_1 + b_1) W_2 + b_2` (Vaswani et al. 2017; TinyBERT equation (4)).

    Args:
        hidden_dim: int. Width of inputs and outputs.
        intermediate_dim: int. Number of neurons.
        activation: string. `"gelu"` (erf), `"gelu_tanh"` or `"relu"`. Defaults to `"gelu"`.
    """

    def __init__(self, hidden_dim: int, intermediate_dim: int, activation: str = "gelu", **kwargs):
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise TinyBertError(
                f"Expected an activation out of {', '.join(ACTIVATIONS)}. "
                f"Received: activation={activation!r}"
            )
        # === Config ===
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.activation = activation

        # === Layers ===
        self.intermediate_dense = keras.layers.Dense(
            intermediate_dim,
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
            name="intermediate",
        )
        self.output_dense = keras.layers.Dense(
            hidden_dim,
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
            name="output",
        )

    def build(self, input_shape):
        self.intermediate_dense.build(input_shape)
        self.output_dense.build((*input_shape[:-1], self.intermediate_dim))
        self.built = True

    def call(self, hidden):
        """Maps `(batch, length, hidden_dim)` to the same shape."""
        return self.output_dense(ACTIVATIONS[self.activation](self.intermediate_dense(hidden)))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.hidden_dim)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "hidden_dim": self.hidden_dim,
                "intermediate_dim": self.intermediate_dim,
                "activation": self.activation,
            }
        )
        return config
