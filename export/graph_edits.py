"""What the converter does not leave as the lowering wrote it, put right in the flatbuffer."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.export.model_file import tensor_name

_ELEMENTWISE = (
    schema.BuiltinOperator.ADD,
    schema.BuiltinOperator.MUL,
    schema.BuiltinOperator.SUB,
)


def name_tensors(model: schema.ModelT, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    """Orders a model's inputs and outputs by their signature names, and names the tensors so.

    The converter orders inputs by first use; MediaPipe and callers without signatures go by
    position.

    Args:
        model: ModelT with one subgraph and one signature. Changed in place.
        inputs: tuple of strings. The signature's input names in the order wanted.
        outputs: tuple of strings. The same for outputs.
    """
    graph, (signature,) = model.subgraphs[0], model.signatureDefs
    for names, entries, side in (
        (inputs, signature.inputs, "inputs"),
        (outputs, signature.outputs, "outputs"),
    ):
        by_name = {entry.name.decode(): entry for entry in entries}
        ordered = [by_name[name] for name in names]
        setattr(signature, side, ordered)
        setattr(graph, side, np.array([entry.tensorIndex for entry in ordered], "int32"))
        for name, entry in zip(names, ordered, strict=True):
            graph.tensors[entry.tensorIndex].name = name.encode()


def equalize_ranks(model: schema.ModelT) -> int:
    """Reshapes computed operands of elementwise operators to the rank of the result.

    The converter drops a reshape whose effect broadcasting has too, such as the one between the
    word lookup and the sum of the embeddings. GPU delegates want equal ranks (LiteRT#8593).

    Args:
        model: ModelT with one subgraph. Changed in place.

    Returns:
        The number of reshapes inserted.
    """
    graph = model.subgraphs[0]
    computed = set(graph.inputs).union(*(operator.outputs for operator in graph.operators))
    operators = []
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode in _ELEMENTWISE:
            rank = len(graph.tensors[operator.outputs[0]].shape)
            for place, index in enumerate(operator.inputs):
                if index in computed and len(graph.tensors[index].shape) < rank:
                    reshape = _reshape(model, index, rank)
                    operators.append(reshape)
                    operator.inputs = operator.inputs.copy()
                    operator.inputs[place] = reshape.outputs[0]
        operators.append(operator)
    inserted = len(operators) - len(graph.operators)
    graph.operators = operators
    return inserted


def _reshape(model: schema.ModelT, index: int, rank: int) -> schema.OperatorT:
    """An operator that gives tensor `index` leading axes of size 1, up to `rank`."""
    source = model.subgraphs[0].tensors[index]
    shape = np.array([1] * (rank - len(source.shape)) + list(source.shape), "int32")
    constant = add_constant(model, f"{tensor_name(source)}/shape", shape)
    result = add_tensor(
        model,
        schema.TensorT(
            name=f"{tensor_name(source)}/reshaped".encode(),
            shape=shape,
            type=source.type,
            quantization=source.quantization,
        ),
    )
    return schema.OperatorT(
        opcodeIndex=operator_code(model, schema.BuiltinOperator.RESHAPE, 1),
        inputs=np.array([index, constant], "int32"),
        outputs=np.array([result], "int32"),
        builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
        builtinOptions=schema.ReshapeOptionsT(newShape=shape),
    )


def add_tensor(model: schema.ModelT, tensor: schema.TensorT) -> int:
    """Adds a tensor to a model of one subgraph; returns its index."""
    tensor.hasRank = True
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def add_constant(model: schema.ModelT, name: str, values: np.ndarray) -> int:
    """Adds an int32 or float32 vector to a model of one subgraph; returns its tensor's index."""
    model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), "uint8")))
    types = {"int32": schema.TensorType.INT32, "float32": schema.TensorType.FLOAT32}
    return add_tensor(
        model,
        schema.TensorT(
            name=name.encode(),
            shape=np.array(values.shape, "int32"),
            type=types[values.dtype.name],
            buffer=len(model.buffers) - 1,
        ),
    )


def operator_code(model: schema.ModelT, operator: int, version: int) -> int:
    """Index of an operator in a version, added to the model when it is not there."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == operator and code.version == version:
            return index
    model.operatorCodes.append(
        schema.OperatorCodeT(
            builtinCode=operator, deprecatedBuiltinCode=min(operator, 127), version=version
        )
    )
    return len(model.operatorCodes) - 1
