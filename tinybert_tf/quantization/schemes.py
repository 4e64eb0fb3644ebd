"""Quantization schemes: which numbers a file stores and computes with."""

from dataclasses import dataclass

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class Scheme:
    """A number format for weights and activations.

    Args:
        name: string.
        weight_bits: int. Bits of the dense layers' kernels, symmetric and without the lowest
            value (-127 to 127, -7 to 7). The classification head keeps 8.
        per_channel: bool. One scale for each output channel of a kernel, or one a kernel.
        table_bits: int. Bits of the word table.
        table_per_row: bool. One scale for each word vector, or one for the table.
        activations: string. `"int8"`: with trained ranges. `"token_int8"`: float32, and each
            token's input of a dense layer is quantized while it runs (asymmetric int8, what
            XNNPACK does). `"float32"`: computed in float32 throughout.
    """

    name: str
    weight_bits: int
    per_channel: bool
    table_bits: int
    table_per_row: bool
    activations: str

    @property
    def integer_activations(self) -> bool:
        """Whether activations are int8 with trained ranges."""
        return self.activations == "int8"

    @property
    def weight_only(self) -> bool:
        """Whether integers are stored, and float32 computed."""
        return self.activations == "float32"


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("dynamic_int8", 8, True, 8, True, "token_int8"),
        Scheme("dynamic_int8_int4_embedding", 8, True, 4, True, "token_int8"),
        Scheme("int4_weights", 4, True, 4, True, "token_int8"),
        Scheme("per_tensor_int8", 8, False, 8, False, "token_int8"),
        Scheme("weight_only_int8", 8, True, 8, True, "float32"),
        Scheme("weight_only_int8_int4_embedding", 8, True, 4, True, "float32"),
        Scheme("static_int8", 8, True, 8, False, "int8"),
    )
}

# Names of the schemes whose files compute in float32.
WEIGHT_ONLY = tuple(name for name, scheme in SCHEMES.items() if scheme.weight_only)


def find_scheme(name: str) -> Scheme:
    """The scheme of a name.

    Raises:
        TinyBertError: If there is none.
    """
    if name not in SCHEMES:
        raise TinyBertError(
            f"Expected a quantization scheme out of {', '.join(SCHEMES)}. Received: scheme={name!r}"
        )
    return SCHEMES[name]
