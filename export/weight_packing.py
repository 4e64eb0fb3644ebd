"""Puts the trained integers into a converted float file, in place of the constants they stand for.

The converter's own dynamic-range quantization knows neither int4 nor one scale a tensor for some
operators and one a channel for others, and chooses its scales itself.
"""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.graph_edits import add_constant, add_tensor, operator_code
from tinybert_tf.export.model_file import tensor_name
from tinybert_tf.export.weights import Grid

# A constant's grid and the biases of the layers that have it.
Grids = dict[bytes, tuple[Grid, tuple[np.ndarray, ...]]]

_Operator = schema.BuiltinOperator
_TYPES = {8: schema.TensorType.INT8, 4: schema.TensorType.INT4}


def pack_weights(
    model: schema.ModelT, grids: dict[bytes, tuple[Grid, tuple[np.ndarray, ...]]]
) -> None:
    """Replaces float constants by integers with scales.

    Args:
        model: ModelT with one subgraph. Changed in place.
        grids: dict from a constant's bytes to its grid and biases; see `LoweredTask.grids`.

    Raises:
        TinyBertError: If the converter changed a constant, so that its integers have no place.
    """
    graph = model.subgraphs[0]
    packed, missing = {}, dict(grids)
    for index, tensor in enumerate(graph.tensors):
        data = model.buffers[tensor.buffer].data
        found = None if data is None else grids.get(bytes(data))
        if found is not None:
            missing.pop(bytes(data), None)
            _store(model, tensor, found[0])
            packed[index] = found
    if missing:
        shapes = [grid.integers.shape for grid, _ in missing.values()]
        raise TinyBertError(
            "Expected every quantized matrix as a constant of the converted file; this version of "
            f"the converter changes them. Received: no constant for matrices of {shapes}"
        )
    operators = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == _Operator.BATCH_MATMUL and int(operator.inputs[1]) in packed:
            operators.append(_decoded_weights(model, operator))
        operators.append(operator)
        if code == _Operator.GATHER and int(operator.inputs[0]) in packed:
            operator.opcodeIndex = operator_code(model, code, 2)
            operators.append(_decoded_rows(model, operator))
        elif code == _Operator.EMBEDDING_LOOKUP and int(operator.inputs[1]) in packed:
            operator.opcodeIndex = operator_code(model, code, 4)
        elif code == _Operator.FULLY_CONNECTED and int(operator.inputs[1]) in packed:
            grid, biases = packed[int(operator.inputs[1])]
            per_channel = grid.scales.size > 1
            # Symmetric inputs where old runtimes shall read the file: NNAPI knows no others.
            operator.builtinOptions.asymmetricQuantizeInputs = per_channel
            operator.opcodeIndex = operator_code(model, code, 12 if per_channel else 5)
            if not _holds(model, operator.inputs[2:], biases):
                constant = add_constant(model, "bias", _only(biases))
                operator.inputs = np.array([*operator.inputs[:2], constant], "int32")
    graph.operators = operators
    _drop_unused(model)


def _holds(model: schema.ModelT, bias: np.ndarray, values: Sequence[np.ndarray]) -> bool:
    """Whether an operator has a bias that it was trained with.

    The converter moves the bias of a layer without activation into the next layer. In float that
    changes nothing, but the input that is quantized while it runs would be another.

    Args:
        model: ModelT.
        bias: int array. The index of the bias; empty, or -1, when there is none.
        values: list of float arrays. The biases of the layers with this kernel.
    """
    if not len(bias) or bias[0] < 0:
        return False
    data = model.buffers[model.subgraphs[0].tensors[bias[0]].buffer].data
    return data is not None and bytes(data) in [one.astype("float32").tobytes() for one in values]


def _only(biases: Sequence[np.ndarray]) -> np.ndarray:
    """The bias to put back.

    Raises:
        TinyBertError: If several layers have one kernel, so that it is not known whose is missing.
    """
    if len(biases) == 1:
        return biases[0]
    raise TinyBertError(
        "Expected layers that differ in their kernels; this version of the converter moves biases, "
        f"and which to put back is not known. Received: {len(biases)} layers with one kernel"
    )


def _drop_unused(model: schema.ModelT) -> None:
    """Empties the buffers that held the floats."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None


def _store(model: schema.ModelT, tensor: schema.TensorT, grid: Grid) -> None:
    """Makes a float constant an integer one."""
    transposed = list(tensor.shape) == list(grid.integers.T.shape) and grid.axis == 1
    integers = np.ascontiguousarray(grid.integers.T if transposed else grid.integers)
    data = integers.reshape(-1)
    if grid.bits == 4:
        data = _nibbles(data)
    model.buffers.append(schema.BufferT(data=data.view("uint8")))
    tensor.buffer = len(model.buffers) - 1
    tensor.type = _TYPES[grid.bits]
    tensor.quantization = schema.QuantizationParametersT(
        scale=grid.scales.astype("float32"),
        zeroPoint=np.zeros(grid.scales.size, "int64"),
        quantizedDimension=0,
    )


def _nibbles(values: np.ndarray) -> np.ndarray:
    """Two 4-bit integers a byte, the first in the low half."""
    if values.size % 2:
        values = np.append(values, np.int8(0))
    low, high = values[0::2].view("uint8") & 0x0F, values[1::2].view("uint8") & 0x0F
    return (low | (high << 4)).astype("uint8")


def _decoded_weights(model: schema.ModelT, product: schema.OperatorT) -> schema.OperatorT:
    """Makes a BATCH_MATMUL read decoded integers; returns the operator that decodes them."""
    integers = int(product.inputs[1])
    stored = model.subgraphs[0].tensors[integers]
    name = f"{tensor_name(stored)}/float32".encode()
    decoded = schema.TensorT(name=name, shape=stored.shape, type=schema.TensorType.FLOAT32)
    product.inputs = np.array([product.inputs[0], add_tensor(model, decoded)], "int32")
    return _dequantize(model, integers, product.inputs[1])


def _decoded_rows(model: schema.ModelT, gather: schema.OperatorT) -> schema.OperatorT:
    """Makes a GATHER of an integer table return integers; returns the operator that decodes."""
    graph = model.subgraphs[0]
    table, result = graph.tensors[gather.inputs[0]], gather.outputs[0]
    integers = add_tensor(
        model,
        schema.TensorT(
            name=b"word_embeddings_int8",
            shape=graph.tensors[result].shape,
            type=table.type,
            quantization=table.quantization,
        ),
    )
    gather.outputs = np.array([integers], "int32")
    return _dequantize(model, integers, result)


def _dequantize(model: schema.ModelT, integers: int, result: int) -> schema.OperatorT:
    """An operator that decodes a tensor with one scale."""
    return schema.OperatorT(
        opcodeIndex=operator_code(model, _Operator.DEQUANTIZE, 2),
        inputs=np.array([integers], "int32"),
        outputs=np.array([result], "int32"),
        builtinOptionsType=schema.BuiltinOptions.DequantizeOptions,
        builtinOptions=schema.DequantizeOptionsT(),
    )
