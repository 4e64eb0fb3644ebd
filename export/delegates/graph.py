"""The operators of a flatbuffer as the rules see them: names, versions, tensors by role."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.model_file import OPERATOR_NAMES, TYPE_NAMES, tensor_name

_DTYPES = {"INT32": "<i4", "INT64": "<i8", "INT8": "i1", "FLOAT32": "<f4"}
# Operators behind which a tensor still counts as produced by what came before.
_TRANSPARENT = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


@dataclass(eq=False)
class Tensor:
    """A tensor of one subgraph.

    Args:
        index: int. Its place in the subgraph.
        name: string. Its name, which may be empty.
        shape: tuple of ints; -1 where the size is known only at run time.
        type: string. A name of TFLite's TensorType, such as `"FLOAT32"`.
        constant: bool. Whether the file holds its values.
        buffer: int. Index of the model's buffer of a constant.
        scales: float array. One scale, one per channel, or empty without quantization.
        zero_points: int array. As many, or one.
        producer: Operator or None. What computes it.
        consumers: list of Operators that read it.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    constant: bool
    buffer: int
    scales: np.ndarray
    zero_points: np.ndarray
    producer: "Operator | None" = None
    consumers: list["Operator"] = field(default_factory=list)
    _data: np.ndarray | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def elements(self) -> int:
        """Number of values; unknown sizes count as 1."""
        return int(np.prod([max(size, 1) for size in self.shape], dtype="int64"))

    @property
    def quantization(self) -> str:
        """`"none"`, `"per_tensor"` or `"per_channel"`."""
        return ("none", "per_tensor", "per_channel")[min(self.scales.size, 2)]

    @property
    def is_weights(self) -> bool:
        """Whether it is constant, perhaps stored as float16: delegates fold that DEQUANTIZE."""
        made = self.producer
        source = made.inputs[0] if made is not None and made.name == "DEQUANTIZE" else None
        return self.constant or (
            source is not None and source.constant and source.type == "FLOAT16"
        )

    def values(self) -> np.ndarray | None:
        """The values of a constant in plain integers or floats, else `None`."""
        if self._data is None or self.type not in _DTYPES:
            return None
        return np.frombuffer(self._data.tobytes(), _DTYPES[self.type])

    def origin(self) -> "Operator | None":
        """The operator whose result this is, seen through changes of shape."""
        operator, seen = self.producer, set()
        while operator is not None and operator.name in _TRANSPARENT and operator not in seen:
            seen.add(operator)  # a damaged file may go round in circles
            source = operator.inputs[0]
            operator = None if source is None else source.producer
        return operator


@dataclass(eq=False)
class Operator:
    """An operator of one subgraph.

    Args:
        subgraph: int. Index of the subgraph.
        index: int. Its place in the order of execution.
        name: string. Its name in TFLite's schema, `"CUSTOM"` for custom operators.
        custom: string. The name of a custom operator, else empty.
        version: int. Version of the operator.
        inputs: tuple of Tensors, `None` where an optional one is absent.
        outputs: tuple of Tensors.
        options: dict. Options by their names in TFLite's schema.
    """

    subgraph: int
    index: int
    name: str
    custom: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: dict

    @property
    def title(self) -> str:
        """The name with that of a custom operator."""
        return f"CUSTOM {self.custom}" if self.custom else self.name

    def tensors(self, role: str) -> list[Tensor]:
        """The tensors of a role; absent ones are left out.

        Args:
            role: string. `"inputs"`, `"outputs"`, `"tensors"` (both), `"runtime"` (all that are
                not constant), or one by number: `"input0"`, `"output1"`.
        """
        inputs = [tensor for tensor in self.inputs if tensor is not None]
        if role == "inputs":
            return inputs
        if role == "outputs":
            return list(self.outputs)
        if role == "tensors":
            return [*inputs, *self.outputs]
        if role == "runtime":
            return [tensor for tensor in [*inputs, *self.outputs] if not tensor.constant]
        group = self.outputs if role.startswith("output") else self.inputs
        place = int(role.removeprefix("output").removeprefix("input"))
        found = group[place] if place < len(group) else None
        return [] if found is None else [found]


def read_operators(model: schema.ModelT) -> list[list[Operator]]:
    """The operators of each subgraph, in the order of execution."""
    return [list(_subgraph(model, number)) for number in range(len(model.subgraphs))]


@contextlib.contextmanager
def whole_file(path) -> Iterator[None]:
    """Says of a file whose parts do not fit together that it is damaged.

    Raises:
        TinyBertError: In place of what the block raises on such a file.
    """
    try:
        yield
    except TinyBertError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise TinyBertError(
            "Expected a whole TFLite file; one of its parts refers to what the file does not "
            f"hold. Received: {str(path)!r} ({type(error).__name__}: {error})"
        ) from error


def _subgraph(model: schema.ModelT, number: int) -> Iterator[Operator]:
    graph = model.subgraphs[number]
    tensors = [_tensor(model, index, tensor) for index, tensor in enumerate(graph.tensors)]
    for index, operator in enumerate(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        # Old files hold the code in the deprecated field only.
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = (code.customCode or b"").decode("utf-8", "replace")
        found = Operator(
            subgraph=number,
            index=index,
            name=OPERATOR_NAMES.get(builtin, f"BUILTIN_{builtin}"),
            custom=custom,
            version=code.version,
            inputs=tuple(tensors[i] if i >= 0 else None for i in _indices(operator.inputs)),
            outputs=tuple(tensors[i] for i in _indices(operator.outputs)),
            options={} if operator.builtinOptions is None else vars(operator.builtinOptions),
        )
        for tensor in found.tensors("inputs"):
            tensor.consumers.append(found)
        for tensor in found.outputs:
            tensor.producer = found
        yield found


def _indices(values) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _tensor(model: schema.ModelT, index: int, tensor: schema.TensorT) -> Tensor:
    shape = tensor.shapeSignature
    if shape is None or len(shape) == 0:
        shape = tensor.shape
    buffer = model.buffers[tensor.buffer]
    has_data = buffer.data is not None and len(buffer.data) > 0
    quantization = tensor.quantization
    return Tensor(
        index=index,
        name=tensor_name(tensor),
        shape=tuple(_indices(shape)),
        type=TYPE_NAMES.get(tensor.type, str(tensor.type)),
        constant=has_data or (buffer.offset or 0) > 1,
        buffer=tensor.buffer,
        scales=_array(quantization and quantization.scale),
        zero_points=_array(quantization and quantization.zeroPoint),
        _data=np.asarray(buffer.data, "uint8") if has_data else None,
    )


def _array(values) -> np.ndarray:
    return np.zeros(0) if values is None else np.asarray(values)
