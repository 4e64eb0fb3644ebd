"""What a target demands of a finished graph, checked before anything is written."""

from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.delegates import check
from tinybert_tf.export.delegates.graph import read_operators
from tinybert_tf.export.delegates.layers import source_layers
from tinybert_tf.export.model_file import ModelFile
from tinybert_tf.export.targets import Target

# Where NNAPI ends: Android 15 deprecated it, so nothing later counts.
NNAPI_API_LEVEL = 34


def check_requirements(model: schema.ModelT, target: Target, path: Path) -> None:
    """Checks that a graph has only operators that its target allows.

    Args:
        model: ModelT.
        target: Target.
        path: path. The file to be, for messages.

    Raises:
        TinyBertError: Naming the operator, its layer and what to change.
    """
    file = ModelFile(path, 0, model, None, {})
    if target.delegate is not None:
        level = NNAPI_API_LEVEL if target.delegate == "nnapi" else None
        try:
            check(file).require(target.delegate, max_api_level=level)
        except TinyBertError as error:
            raise TinyBertError(f"Target {target.name!r}: {error}") from error
    if target.integer:
        _check_integer(file, target)


def _check_integer(file: ModelFile, target: Target) -> None:
    """Float32 may appear in the output alone, which the last operator decodes."""
    for operators in read_operators(file.model):
        for operator, layer in zip(operators, source_layers(operators), strict=True):
            tensors = [*operator.tensors("inputs"), *operator.outputs]
            if operator is operators[-1] and operator.name == "DEQUANTIZE":
                tensors = operator.tensors("inputs")
            floats = [tensor for tensor in tensors if tensor.type.startswith("FLOAT")]
            if floats:
                raise TinyBertError(
                    f"Target {target.name!r}: Expected integer tensors only. Received: "
                    f"{operator.name} in {layer or 'an unnamed layer'} with {floats[0].type} "
                    f"{floats[0].name!r}; train with quantize_aware(..., 'static_int8')"
                )
