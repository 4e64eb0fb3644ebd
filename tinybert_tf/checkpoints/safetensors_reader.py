"""safetensors files as numpy arrays, bfloat16 included."""

import os
from pathlib import Path

import numpy as np

from tinybert_tf.checkpoints.pickle_reader import bfloat16_to_float32
from tinybert_tf.errors import TinyBertError

_DTYPES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": "u2",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of one safetensors file.

    Args:
        path: path. The file.

    Returns:
        The tensors by name, read-only. bfloat16 becomes float32 (exactly); other types stay.

    Raises:
        TinyBertError: If the file is missing, truncated or corrupt, or holds an element type
            that no BERT checkpoint uses.
    """
    import safetensors  # numpy has no bfloat16, so safetensors.numpy cannot read such files

    path = Path(path)
    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except OSError as error:
        raise TinyBertError(
            f"Expected a safetensors file that can be read ({error.strerror or error}). "
            f"Received: path={str(path)!r}"
        ) from error
    except safetensors.SafetensorError as error:
        raise TinyBertError(
            f"Expected a whole safetensors file; this one is truncated or corrupt ({error}). "
            f"Received: path={str(path)!r}"
        ) from error
    arrays = {}
    for name, tensor in tensors:
        if tensor["dtype"] not in _DTYPES:
            raise TinyBertError(
                f"Expected element types out of {', '.join(_DTYPES)}. "
                f"Received: {tensor['dtype']} for {name!r} in {str(path)!r}"
            )
        flat = np.frombuffer(tensor["data"], np.dtype(_DTYPES[tensor["dtype"]]).newbyteorder("<"))
        if tensor["dtype"] == "BF16":
            flat = bfloat16_to_float32(flat)
        arrays[name] = flat.reshape(tensor["shape"])
    return arrays
