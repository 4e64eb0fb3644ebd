"""The dense layers of the encoder, plain or quantized."""

import keras
from keras import ops

from tinybert_tf.layers.initializers import bert_initializer
from tinybert_tf.layers.precision import multiply
from tinybert_tf.layers.quantized.quantized_dense import QuantizedDense


class Dense(keras.layers.Dense):
    """`keras.layers.Dense` that follows `matmul_precision`."""

    def call(self, inputs, training=None):
        x = multiply(inputs, self.kernel)
        if self.bias is not None:
            x = x + ops.cast(self.bias, x.dtype)
        return x if self.activation is None else self.activation(x)


def dense(units: int, quantization: str | None = None, **kwargs) -> keras.layers.Dense:
    """A dense layer with BERT's initialization.

    Args:
        units: int. Width of the output.
        quantization: string. Name of a quantization scheme, or `None`.
        **kwargs: arguments of `keras.layers.Dense`; `weight_bits` and `symmetric_output` of
            `QuantizedDense`, which a plain layer ignores.
    """
    kwargs.setdefault("kernel_initializer", bert_initializer())
    if quantization is not None:
        return QuantizedDense(units, quantization, **kwargs)
    for name in ("weight_bits", "symmetric_output"):
        kwargs.pop(name, None)
    return Dense(units, **kwargs)
