"""The position-wise feed-forward network."""

import keras
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense

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
        quantization: string. Scheme that is trained for; see `SCHEMES`. Defaults to `None`.
    """

    def __init__(
        self,
        hidden_dim: int,
        intermediate_dim: int,
        activation: str = "gelu",
        quantization: str | None = None,
        **kwargs,
    ):
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
        self.quantization = quantization

        # === Layers ===
        self.intermediate_dense = dense(
            intermediate_dim, quantization, dtype=self.dtype_policy, name="intermediate"
        )
        self.output_dense = dense(hidden_dim, quantization, dtype=self.dtype_policy, name="output")

    def build(self, input_shape):
        self.intermediate_dense.build(input_shape)
        self.output_dense.build((*input_shape[:-1], self.intermediate_dim))
        self.built = True

    def call(self, hidden, training=None):
        """Maps `(batch, length, hidden_dim)` to the same shape."""
        inner = ACTIVATIONS[self.activation](self.intermediate_dense(hidden, training=training))
        return self.output_dense(inner, training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.hidden_dim)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "hidden_dim": self.hidden_dim,
                "intermediate_dim": self.intermediate_dim,
                "activation": self.activation,
                "quantization": self.quantization,
            }
        )
        return config
