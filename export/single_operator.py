"""One operator of a graph, cut out as a file of its own."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tinybert_tf.export.model_file import OPERATOR_NAMES, TYPE_NAMES, pack_model

_LOOKUPS = ("EMBEDDING_LOOKUP", "GATHER")


class SingleOperator:
    """An operator together with the graph it is taken from.

    Args:
        model: ModelT. Not changed.
        subgraph: int. Index of the graph.
        operator: OperatorT. One of the graph's.
    """

    def __init__(self, model: schema.ModelT, subgraph: int, operator: schema.OperatorT):
        self._model = model
        self._tensors = model.subgraphs[subgraph].tensors
        self._operator = operator
        self._code = model.operatorCodes[operator.opcodeIndex]

    @property
    def name(self) -> str:
        """The name in TFLite's schema, or that of a custom operator."""
        if self._code.customCode:
            return self._code.customCode.decode("utf-8", "replace")
        return OPERATOR_NAMES.get(self._code.builtinCode, str(self._code.builtinCode))

    @property
    def kind(self) -> str:
        """Type of the numbers it computes with; `"float32 x int8"` with int8 weights."""
        activations = [self._type(i) for i in self._operator.inputs if self._is_computed(i)]
        constants = [self._type(i) for i in self._operator.inputs if self._is_weights(i)]
        # A lookup reads its table's type, whatever the type of the row numbers.
        main = self._type(self._operator.outputs[0]) if self.name in _LOOKUPS else None
        main = main or (activations or constants or ["none"])[0]
        weights = [kind for kind in constants if kind != main and kind != "int32"]
        return f"{main} x {weights[0]}" if weights else main

    @property
    def shapes(self) -> str:
        """Shapes of all inputs that are no shape or bias, and of the output."""
        inputs = [
            self._shape(index)
            for index in self._operator.inputs
            if self._is_computed(index) or self._is_weights(index)
        ]
        return f"{', '.join(inputs)} -> {self._shape(self._operator.outputs[0])}"

    @property
    def key(self) -> tuple:
        """Equal for operators that cost the same: all but the values and names of tensors."""
        return (
            self._code.builtinCode,
            self._code.version,
            self._code.customCode,
            _options(self._operator),
            bytes(self._operator.customOptions or b""),
            tuple(self._tensor_key(index) for index in self._operator.inputs),
            tuple(self._tensor_key(index) for index in self._operator.outputs),
        )

    def file(self, copies: int) -> bytes:
        """A `.tflite` file of copies of the operator side by side, all on the same inputs.

        Args:
            copies: int. Each has outputs of its own.
        """
        tensors, buffers, inputs = [], [schema.BufferT()], []

        def add(index: int, data=None) -> int:
            if data is not None:
                buffers.append(schema.BufferT(data=data))
            tensor = schema.TensorT(**vars(self._tensors[index]))
            tensor.buffer = 0 if data is None else len(buffers) - 1
            tensor.name = f"tensor_{len(tensors)}"
            tensors.append(tensor)
            return len(tensors) - 1

        places = {-1: -1}  # an input left out
        for index in map(int, self._operator.inputs):
            if index not in places:
                places[index] = add(index, self._data(index))
                if self._is_computed(index):
                    inputs.append(places[index])
        operators = []
        for _ in range(copies):
            copy = schema.OperatorT(**vars(self._operator))
            copy.opcodeIndex = 0
            copy.inputs = np.array([places[int(i)] for i in self._operator.inputs], "int32")
            copy.outputs = np.array([add(i) for i in self._operator.outputs], "int32")
            operators.append(copy)
        graph = schema.SubGraphT(
            tensors=tensors,
            inputs=np.array(inputs, "int32"),
            outputs=np.concatenate([copy.outputs for copy in operators]),
            operators=operators,
        )
        model = schema.ModelT(
            version=3, operatorCodes=[self._code], subgraphs=[graph], buffers=buffers
        )
        return pack_model(model)

    def interpreter(self, copies: int, threads: int) -> Interpreter:
        """An interpreter of `file(copies)`, its inputs set at random.

        Args:
            copies: int.
            threads: int.

        Raises:
            RuntimeError, ValueError: If the operator does not run alone.
        """
        interpreter = Interpreter(model_content=self.file(copies), num_threads=threads)
        interpreter.allocate_tensors()
        generator = np.random.default_rng(0)
        for detail in interpreter.get_input_details():
            value = self._random(generator, detail["shape"], np.dtype(detail["dtype"]))
            interpreter.set_tensor(detail["index"], value)
        return interpreter

    def _random(self, generator, shape, dtype) -> np.ndarray:
        if dtype.kind == "f":  # positive, for roots and logarithms
            return generator.uniform(0.1, 1.0, shape).astype(dtype)
        if dtype == np.int8 or dtype == np.uint8:
            return generator.integers(0, 100, shape).astype(dtype)
        return generator.integers(0, self._rows(), shape).astype(dtype)

    def _rows(self) -> int:
        """Rows of a lookup's table; 1 elsewhere: integer inputs are zeros then."""
        tables = [index for index in self._operator.inputs if self._is_weights(index)]
        if self.name not in _LOOKUPS or not tables:
            return 1
        return int(self._tensors[tables[0]].shape[0])

    def _data(self, index: int):
        return self._model.buffers[self._tensors[index].buffer].data

    def _is_computed(self, index: int) -> bool:
        return index >= 0 and self._data(index) is None

    def _is_weights(self, index: int) -> bool:
        """Whether an input is a constant of rank 2 or more."""
        return index >= 0 and self._data(index) is not None and len(self._dims(index)) > 1

    def _dims(self, index: int) -> list[int]:
        shape = self._tensors[index].shape
        return [] if shape is None else [int(size) for size in shape]

    def _shape(self, index: int) -> str:
        return "x".join(map(str, self._dims(index))) or "scalar"

    def _type(self, index: int) -> str:
        return TYPE_NAMES[self._tensors[index].type].lower()

    def _tensor_key(self, index: int) -> tuple:
        if index < 0:
            return ()
        quantization = self._tensors[index].quantization
        scales = [] if quantization is None else _list(quantization.scale)
        points = [] if quantization is None else _list(quantization.zeroPoint)
        data = self._data(index)
        small = data is not None and len(self._dims(index)) < 2 and len(data) <= 64
        return (
            self._type(index),
            tuple(self._dims(index)),
            data is not None,
            len(scales),
            any(points),
            # Axes and permutations decide the cost; weights do not.
            bytes(data) if small and self._type(index) == "int32" else b"",
        )


def _options(operator: schema.OperatorT) -> str:
    options = operator.builtinOptions
    return "" if options is None else repr(vars(options))


def _list(values) -> list:
    return [] if values is None else list(values)
