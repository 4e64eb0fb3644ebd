"""TFLite files of one operator, built without a converter: any version, type, rank and option."""

import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.export.model_file import pack_model

_DTYPES = {"FLOAT32": "float32", "INT32": "int32", "INT64": "int64", "INT8": "int8"}
_DTYPES |= {"UINT8": "uint8", "BOOL": "bool", "FLOAT16": "float16", "INT16": "int16"}


@dataclass
class Tensor:
    """A tensor of a file to build.

    Args:
        shape: tuple of ints; -1 for a dimension known only at run time.
        type: string. A name of TFLite's TensorType. Defaults to `"FLOAT32"`.
        data: values of a constant; `"ones"` for any. Defaults to `None`: computed.
        scale: float or list of floats. Quantization, by channel when a list. Defaults to `None`.
        zero_point: int. Defaults to `0`.
        axis: int. The quantized dimension. Defaults to `0`.
    """

    shape: tuple
    type: str = "FLOAT32"
    data: object = None
    scale: object = None
    zero_point: int = 0
    axis: int = 0


@dataclass
class Op:
    """An operator: tensors by name or position in the list of the graph, -1 for an absent one."""

    name: str
    inputs: list
    outputs: list
    version: int = 1
    options: dict = field(default_factory=dict)
    custom: str | None = None


def constant(values, type="INT32") -> Tensor:
    """A small constant, such as a shape or an axis."""
    values = np.asarray(values, _DTYPES[type])
    return Tensor(values.shape, type, values)


def one_op(name, inputs, outputs, version=1, custom=None, **options) -> schema.ModelT:
    """A model of one operator. Inputs are Tensors or `None`; options as in TFLite's schema."""
    tensors = [tensor for tensor in inputs if tensor is not None] + list(outputs)
    places = iter(range(len(tensors)))
    ins = [-1 if tensor is None else next(places) for tensor in inputs]
    outs = [next(places) for _ in outputs]
    return graph(tensors, [Op(name, ins, outs, version, options, custom)])


def graph(tensors: list[Tensor], operators: list[Op]) -> schema.ModelT:
    """A model of one subgraph. Its inputs are what nothing computes, its outputs what nothing
    reads."""
    buffers, built = [schema.BufferT()], []
    for index, tensor in enumerate(tensors):
        built.append(_tensor(tensor, f"tensor_{index}", buffers))
    codes = []
    ops = [_operator(operator, codes) for operator in operators]
    made = {index for op in ops for index in op.outputs}
    read = {index for op in ops for index in op.inputs}
    free = [i for i, t in enumerate(tensors) if t.data is None and i not in made and i in read]
    subgraph = schema.SubGraphT(
        tensors=built,
        inputs=np.array(free, "int32"),
        outputs=np.array(sorted(made - read), "int32"),
        operators=ops,
        name="main",
    )
    return schema.ModelT(
        version=3, operatorCodes=codes, subgraphs=[subgraph], buffers=buffers, description="test"
    )


def merged(models: list[schema.ModelT]) -> schema.ModelT:
    """One model with the operators of all, side by side."""
    result = graph([], [])
    into = result.subgraphs[0]
    for model in models:
        part = model.subgraphs[0]
        tensors, buffers, codes = len(into.tensors), len(result.buffers), len(result.operatorCodes)
        for tensor in map(copy.copy, part.tensors):
            tensor.name = f"tensor_{len(into.tensors)}"
            tensor.buffer += buffers if tensor.buffer else 0
            into.tensors.append(tensor)
        for operator in map(copy.copy, part.operators):
            operator.opcodeIndex += codes
            # -1 stands for an absent tensor.
            operator.inputs = np.where(operator.inputs < 0, -1, operator.inputs + tensors)
            operator.outputs = operator.outputs + tensors
            into.operators.append(operator)
        into.inputs = np.concatenate([into.inputs, part.inputs + tensors])
        into.outputs = np.concatenate([into.outputs, part.outputs + tensors])
        result.buffers += model.buffers
        result.operatorCodes += model.operatorCodes
    return result


def write(model: schema.ModelT, path: Path) -> Path:
    """Writes a model to a file."""
    path.write_bytes(pack_model(model))
    return path


def _tensor(tensor: Tensor, name: str, buffers: list) -> schema.TensorT:
    shape = np.array([max(size, 1) for size in tensor.shape], "int32")
    built = schema.TensorT(
        name=name, shape=shape, type=getattr(schema.TensorType, tensor.type), hasRank=True
    )
    if -1 in tensor.shape:
        built.shapeSignature = np.array(tensor.shape, "int32")
    if tensor.data is not None:
        values = tensor.data
        if isinstance(values, str):
            values = np.ones(tensor.shape, _DTYPES[tensor.type])
        buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), "uint8")))
        built.buffer = len(buffers) - 1
    if tensor.scale is not None:
        scales = np.atleast_1d(np.asarray(tensor.scale, "float32"))
        built.quantization = schema.QuantizationParametersT(
            scale=scales,
            zeroPoint=np.full(scales.shape, tensor.zero_point, "int64"),
            quantizedDimension=tensor.axis,
        )
    return built


def _operator(operator: Op, codes: list) -> schema.OperatorT:
    code = getattr(schema.BuiltinOperator, operator.name)
    codes.append(
        schema.OperatorCodeT(
            builtinCode=code,
            deprecatedBuiltinCode=min(code, 127),
            version=operator.version,
            customCode=operator.custom,
        )
    )
    built = schema.OperatorT(
        opcodeIndex=len(codes) - 1,
        inputs=np.array(operator.inputs, "int32"),
        outputs=np.array(operator.outputs, "int32"),
    )
    kind = _OPTIONS.get(operator.name)
    if kind is not None:
        built.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        defaults = {"beta": 1.0} if operator.name == "SOFTMAX" else {}
        built.builtinOptions = getattr(schema, f"{kind}T")(**{**defaults, **operator.options})
    return built


_OPTIONS = {
    "ADD": "AddOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "DIV": "DivOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "GELU": "GeluOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "RESHAPE": "ReshapeOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "UNPACK": "UnpackOptions",
}
