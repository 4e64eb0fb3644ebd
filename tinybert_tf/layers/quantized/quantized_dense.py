"""A dense layer that computes with the numbers of a quantization scheme."""

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.layers.quantized.activation_quantizer import ActivationQuantizer, tanh_int8
from tinybert_tf.quantization.numbers import largest_integer, per_token_int8
from tinybert_tf.quantization.schemes import find_scheme
from tinybert_tf.quantization.tfmot_bridge import attach, quantizers


@keras.saving.register_keras_serializable(package="tinybert_tf")
class QuantizedDense(keras.layers.Dense):
    """`keras.layers.Dense` with fake quantization.

    The kernel passes tfmot's `LastValueQuantizer` (symmetric, narrow range), whose grid is a
    function of the present kernel: the exporter stores exactly these integers. By the scheme, the
    input is quantized by token, or the output has a trained range, or neither.

    Args:
        units: int. Width of the output.
        scheme: string. See `SCHEMES`.
        weight_bits: int. Defaults to `None`: the scheme's.
        symmetric_output: bool. See `ActivationQuantizer`. Defaults to `False`.
    """

    def __init__(
        self,
        units: int,
        scheme: str,
        weight_bits: int | None = None,
        symmetric_output: bool = False,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.scheme = scheme
        self.weight_bits = weight_bits
        self.symmetric_output = symmetric_output
        self._scheme = find_scheme(scheme)
        self._kernel_quantizer = quantizers().LastValueQuantizer(
            num_bits=self.bits,
            per_axis=self._scheme.per_channel,
            symmetric=True,
            narrow_range=True,
        )
        self.output_quantizer = None
        if self._scheme.integer_activations:
            self.output_quantizer = ActivationQuantizer(symmetric_output, name="output_range")

    @property
    def bits(self) -> int:
        """Bits of a weight."""
        return self.weight_bits or self._scheme.weight_bits

    def build(self, input_shape):
        super().build(input_shape)
        self._range = attach(self._kernel_quantizer, self, tuple(self._kernel.shape), "kernel")
        if self.output_quantizer is not None:
            self.output_quantizer.build((*input_shape[:-1], self.units))

    def quantized_kernel(self) -> tf.Tensor:
        """The kernel on its grid, `(inputs, outputs)`; gradients reach the kernel."""
        # Always as in training: the range follows the kernel instead of its value of the past.
        return self._kernel_quantizer(self._kernel.value, True, self._range)

    def kernel_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """The integers, int8 `(inputs, outputs)`, and scales, float32 `(outputs,)` or `(1,)`."""
        quantized = self.quantized_kernel().numpy()
        scales = self._range["max_var"].numpy().reshape(-1) / np.float32(largest_integer(self.bits))
        scales = np.where(scales > 0, scales, np.float32(1))
        return np.round(quantized / scales).astype("int8"), scales.astype("float32")

    def call(self, inputs, training=None):
        if self._scheme.activations == "token_int8":
            inputs = per_token_int8(inputs)
        x = tf.matmul(inputs, self.quantized_kernel()) + self.bias
        if self.output_quantizer is None:
            return x if self.activation is None else self.activation(x)
        x = self.output_quantizer(x, training=training)
        return tanh_int8(x) if self.activation is keras.activations.tanh else x

    # Dense stores kernel and bias only.
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def get_config(self):
        return {
            **super().get_config(),
            "scheme": self.scheme,
            "weight_bits": self.weight_bits,
            "symmetric_output": self.symmetric_output,
        }
