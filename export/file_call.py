"""One signature of a `.tflite` file with fixed inputs: what the benchmarks call."""

import os
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.model_file import ModelFile, read_model_file, tensor_name
from tinybert_tf.quiet import quiet_stderr


@dataclass(frozen=True)
class Entry:
    """A way into a file: a signature, or the main graph of a file without signatures.

    Args:
        key: string. The signature's key, empty for a main graph without one.
        subgraph: int. Index of the graph it runs.
        sequence_length: int or None. Tokens of its inputs; `None` if they are no rows of ids.
    """

    key: str
    subgraph: int
    sequence_length: int | None


def entries(file: ModelFile) -> list[Entry]:
    """The ways into a file, by ascending length.

    Raises:
        TinyBertError: If an input has no fixed shape.
    """
    model = file.model
    found = [
        Entry(
            signature.signatureKey.decode(),
            signature.subgraphIndex,
            _sequence_length(file, signature.subgraphIndex),
        )
        for signature in model.signatureDefs or []
    ] or [Entry("", 0, _sequence_length(file, 0))]
    return sorted(found, key=lambda entry: entry.sequence_length or 0)


class FileCall:
    """A file's graph, called with the same inputs each time: inputs in, outputs out.

    The main graph is called by tensor index, as apps do; the graphs of further signatures through
    Python's signature runner, which adds about 0.02 ms.

    Unless given, masks are ones (no padding) and all other inputs zeros: shapes are static, so that
    the time does not depend on them.

    Args:
        path: path. A `.tflite` file.
        entry: Entry. Defaults to `None`: the file's first.
        threads: int. Threads of the interpreter. Defaults to `2`.
        inputs: dict of name to array. Values of inputs. Defaults to `None`: none.

    Raises:
        TinyBertError: If the file cannot be run.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        entry: Entry | None = None,
        threads: int = 2,
        inputs: dict[str, np.ndarray] | None = None,
    ):
        if threads < 1:
            raise TinyBertError(f"Expected at least one thread. Received: threads={threads}")
        self.path = path
        self.entry = entry or entries(read_model_file(path))[0]
        self.threads = threads
        with quiet_stderr():
            try:
                self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
                self._prepare(inputs or {})
                self()
            except (RuntimeError, ValueError) as error:
                raise TinyBertError(
                    f"Expected a file that LiteRT can run. Received: {str(path)!r} "
                    f"({' '.join(str(error).split())})"
                ) from error

    def __call__(self) -> dict[str, np.ndarray]:
        """Sets the inputs, runs the graph and returns copies of the outputs."""
        if self._runner is not None:
            return self._runner(**self._inputs)
        for index, value in self._inputs.items():
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs}

    def _prepare(self, given: dict[str, np.ndarray]) -> None:
        """Allocates tensors and makes the inputs."""
        interpreter, key = self._interpreter, self.entry.key
        self._runner = interpreter.get_signature_runner(key) if key else None
        if self._runner is not None:  # names are the signature's
            inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        else:
            inputs = {detail["name"]: detail for detail in interpreter.get_input_details()}
            outputs = {detail["name"]: detail for detail in interpreter.get_output_details()}
        self._inputs = {name: _value(name, detail, given) for name, detail in inputs.items()}
        if self.entry.subgraph == 0:
            self._runner = None  # while it exists the interpreter refuses to run
            self._inputs = {inputs[name]["index"]: value for name, value in self._inputs.items()}
            self._outputs = [(name, detail["index"]) for name, detail in outputs.items()]
            interpreter.allocate_tensors()


def _value(name: str, detail: dict, given: dict[str, np.ndarray]) -> np.ndarray:
    if name in given:
        return given[name].astype(detail["dtype"])
    make = np.ones if "mask" in name else np.zeros
    return make(detail["shape"], detail["dtype"])


def _sequence_length(file: ModelFile, subgraph: int) -> int | None:
    """The columns of a graph's integer inputs `(1, S)`."""
    graph = file.model.subgraphs[subgraph]
    lengths = set()
    for index in graph.inputs:
        tensor = graph.tensors[index]
        shape = [] if tensor.shape is None else tensor.shape.tolist()
        if any(size < 1 for size in shape) or -1 in _unknown(tensor):
            raise TinyBertError(
                "Expected inputs of a fixed shape. "
                f"Received: {str(file.path)!r} with {tensor_name(tensor)} {shape}"
            )
        if len(shape) == 2 and tensor.type in (schema.TensorType.INT32, schema.TensorType.INT64):
            lengths.add(shape[1])
    return lengths.pop() if len(lengths) == 1 else None


def _unknown(tensor) -> list[int]:
    return [] if tensor.shapeSignature is None else tensor.shapeSignature.tolist()
