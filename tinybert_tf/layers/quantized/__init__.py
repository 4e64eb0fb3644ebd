"""The encoder's layers with fake quantization: they train for the numbers of a scheme.

Schemes with float activations need `QuantizedDense` and `QuantizedEmbedding` only, inside the
plain layers; `static_int8` has an int8 form of every layer. TensorFlow only, since tfmot's
quantizers are.
"""
