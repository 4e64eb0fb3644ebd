"""tfmot's quantizers inside Keras 3 layers.

tensorflow-model-optimization refuses Keras 3 models as a whole, but its quantizers need nothing
of Keras but `layer.add_weight`. `attach` gives them that: a stand-in for the layer that creates
Keras 3 weights (saved and loaded with the layer) and hands out the TensorFlow variables.
"""

import functools

import keras


class _Host:
    """What a tfmot quantizer sees instead of a layer."""

    def __init__(self, layer: keras.layers.Layer):
        self._layer = layer

    def add_weight(self, name, initializer, trainable=False, shape=None):
        # Initializers come from tf_keras, and Keras 3 wants its own; shapes may be one number.
        shape = (shape,) if isinstance(shape, int) else tuple(shape or ())
        variable = self._layer.add_weight(
            name=name,
            shape=shape,
            initializer=keras.initializers.Constant(initializer.value),
            trainable=trainable,
            dtype="float32",
        )
        return variable.value


def attach(quantizer, layer: keras.layers.Layer, shape: tuple[int | None, ...], name: str) -> dict:
    """Creates a quantizer's weights in a Keras 3 layer.

    Args:
        quantizer: a tfmot quantizer.
        layer: the layer that owns the weights; call this in its `build`.
        shape: tuple. Shape of the tensor that is quantized; the last axis counts per channel.
        name: string. Prefix of the weights' names.

    Returns:
        The dict of variables that the quantizer wants as its argument `weights`.
    """
    return quantizer.build(shape, name, _Host(layer))


@functools.cache
def quantizers():
    """tfmot's module of quantizers; loads tf_keras, so only who quantizes pays."""
    from tensorflow_model_optimization.quantization.keras import quantizers as module

    return module
