"""Runs an exported file with LiteRT, as a phone does: ids in, the raw output out."""

import os
from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.file_settings import (
    INPUTS,
    input_order,
    kind_of,
    open_interpreter,
    packed_tokenizer,
)
from tinybert_tf.export.model_file import ModelFile, read_model_file, tensor_name
from tinybert_tf.text.wordpiece import WordPiece

# The second output of a text classifier that was exported with it.
ATTENTION = "attention"


class TFLiteModel:
    """What the runners of all tasks share: a file, its tokenizer, and one call of its graph.

    Of a file with signatures for several lengths, the shortest that an input fits into runs it.

    Args:
        path: path. A file with three int32 `(1, S)` inputs and one float32 output, or several
            graphs of this kind, one a signature.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.
        tokenizer: WordPiece. Defaults to `None`: the one packed into the file.

    Raises:
        TinyBertError: If the file is no TFLite file, is truncated, or its inputs and outputs are
            of another kind.
    """

    # Kinds of logits (see `TinyBertTask`) that the class runs, and how its output looks.
    kinds: tuple[str, ...] = ()
    expected = "a model of tinybert_tf"
    by_token = False

    def __init__(
        self,
        path: str | os.PathLike,
        num_threads: int | None = None,
        tokenizer: WordPiece | None = None,
    ):
        file = read_model_file(path)
        self.path = file.path
        self.size_bytes = file.size_bytes
        self.metadata = file.metadata
        self.quantization = file.quantization
        self.kind = kind_of(file)
        if self.kind not in self.kinds:
            raise TinyBertError(
                f"Expected {self.expected}. Received: {str(file.path)!r}, whose logits are "
                f"{self.kind!r}"
            )
        self.sequence_lengths, self.num_outputs = self._shapes(file)
        self._tokenizer = tokenizer or packed_tokenizer(file)
        self._order = input_order(file)
        self._interpreter = open_interpreter(file, num_threads)
        self._signatures = self._find_signatures(file) if len(self.sequence_lengths) > 1 else {}
        self._input_indices = [d["index"] for d in self._interpreter.get_input_details()]
        self._output_indices = [d["index"] for d in self._interpreter.get_output_details()]
        self._read(file)

    def _read(self, file: ModelFile) -> None:
        """Takes what a task needs besides from the file."""

    @property
    def sequence_length(self) -> int:
        """The longest input in tokens."""
        return self.sequence_lengths[-1]

    @property
    def input_order(self) -> tuple[str, ...]:
        """What the graph's inputs take, in their order: `ids`, `mask` and `segment_ids`."""
        return self._order

    @property
    def tokenizer(self) -> WordPiece:
        """The tokenizer.

        Raises:
            TinyBertError: If the file packs no vocabulary and none was given.
        """
        if self._tokenizer is None:
            raise TinyBertError(
                "Expected a file with a packed vocabulary, or the argument `tokenizer`. "
                f"Received: path={str(self.path)!r} without metadata"
            )
        return self._tokenizer

    @property
    def wordpiece(self) -> WordPiece:
        """`tokenizer`, under the name that Keras models have for it."""
        return self.tokenizer

    def encode(self, examples):
        """Token ids of raw examples, cut to the file's length: an `Encoded`."""
        parts = examples if isinstance(examples, tuple) else (examples,)
        return self.tokenizer.encode(
            *(list(part) for part in parts), max_length=self.sequence_length
        )

    def predict(self, examples, progress: Callable[[], None] | None = None):
        """Returns what the file puts out for each example.

        Args:
            examples: list of strings, or a tuple of two such lists; what the task reads.
            progress: callable. Called after each example. Defaults to `None`.

        Returns:
            Float32 array `(n, outputs)`; where tokens have a row each, a list of arrays
            `(length, outputs)`.
        """
        encoded = self.encode(examples)
        found = []
        segments = getattr(encoded, "segment_ids", [None] * len(encoded.token_ids))
        for ids, own in zip(encoded.token_ids, segments, strict=True):
            found.append(self.run(ids, own))
            if progress is not None:
                progress()
        if self.by_token:
            return found
        return np.array(found, "float32").reshape(len(found), self.num_outputs)

    def predict_outputs(self, examples, progress: Callable[[], None] | None = None):
        """`predict`, under the name that Keras models have for it too."""
        return self.predict(examples, progress)

    def run(self, token_ids: np.ndarray, segment_ids: np.ndarray | None = None) -> np.ndarray:
        """Runs the file once.

        Args:
            token_ids: int array `(length,)`, [CLS] and [SEP] included, without padding.
            segment_ids: int array `(length,)`. Defaults to `None`: zeros.

        Returns:
            Float32 array `(outputs,)`; where tokens have a row each, `(length, outputs)`.

        Raises:
            TinyBertError: If there are more ids than the file has inputs, or an id lies outside
                its word table.
        """
        length = len(token_ids)
        output = self._outputs(token_ids, segment_ids)[0]
        return self._normalized(output[:length] if self.by_token else output)

    def run_attention(
        self, token_ids: np.ndarray, segment_ids: np.ndarray | None = None
    ) -> np.ndarray | None:
        """The second output of a file that was exported with it, `(heads, tokens)`, or `None`."""
        outputs = self._outputs(token_ids, segment_ids)
        if len(outputs) == 1:
            return None
        columns = self._columns(len(token_ids))
        return outputs[1].reshape(-1, columns)[:, : len(token_ids)]

    def _columns(self, length: int) -> int:
        """The shortest input that holds so many tokens."""
        if length > self.sequence_length:
            raise TinyBertError(
                f"Expected at most {self.sequence_length} token ids. Received: {length}"
            )
        return next(size for size in self.sequence_lengths if size >= length)

    def _outputs(self, token_ids, segment_ids) -> list[np.ndarray]:
        """One call: what the graph puts out, without the axis of size 1."""
        length = len(token_ids)
        columns = self._columns(length)
        rows = {name: np.zeros((1, columns), "int32") for name in INPUTS}
        rows["ids"][0, :length] = token_ids
        rows["mask"][0, :length] = 1
        if segment_ids is not None:
            rows["segment_ids"][0, :length] = segment_ids
        if self._signatures:
            return self._run_signature(self._signatures[columns], rows)
        for name, index in zip(self._order, self._input_indices, strict=True):
            self._interpreter.set_tensor(index, rows[name])
        self.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._output_indices]

    def _normalized(self, output: np.ndarray) -> np.ndarray:
        """The output as callers want it."""
        return output

    def _run_signature(self, key: str, rows: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            outputs = self._interpreter.get_signature_runner(key)(**rows)
        except RuntimeError as error:
            raise TinyBertError(
                f"Expected inputs that the file can run on. Received: {error}"
            ) from error
        return [outputs[name][0] for name in sorted(outputs, key=lambda name: name == ATTENTION)]

    def invoke(self) -> None:
        """Runs the first graph on the inputs that were set last.

        Raises:
            TinyBertError: If the runtime refuses the inputs.
        """
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise TinyBertError(
                f"Expected inputs that the file can run on. Received: {error}"
            ) from error

    def _shapes(self, file: ModelFile) -> tuple[tuple[int, ...], int]:
        """Checks inputs and outputs; returns the sequence lengths and the number of outputs."""
        found = [self._shape(file, graph) for graph in file.model.subgraphs]
        lengths = tuple(sorted(length for length, _ in found))
        classes = {count for _, count in found}
        if len(set(lengths)) < len(lengths) or len(classes) > 1:
            raise TinyBertError(
                "Expected graphs of different lengths with the same classes. "
                f"Received: {str(file.path)!r} with (length, classes) of {found}"
            )
        if len(lengths) > 1 and sorted(self._find_signatures(file)) != list(lengths):
            raise TinyBertError(
                "Expected a signature for each graph, with inputs ids, mask and segment_ids. "
                f"Received: {str(file.path)!r} with signatures "
                f"{list(self._find_signatures(file).values())}"
            )
        return lengths, classes.pop()

    def _shape(self, file: ModelFile, graph) -> tuple[int, int]:
        """Length and number of outputs of one graph."""
        inputs = [graph.tensors[index] for index in graph.inputs]
        outputs = [graph.tensors[index] for index in graph.outputs]
        if len(outputs) == 2 and tensor_name(outputs[1]) == ATTENTION:
            del outputs[1]
        fits = (
            len(inputs) == 3
            and len(outputs) == 1
            and all(_has_shape(tensor, schema.TensorType.INT32, 2) for tensor in inputs)
            and len({int(tensor.shape[1]) for tensor in inputs}) == 1
            and _has_shape(outputs[0], schema.TensorType.FLOAT32, 3 if self.by_token else 2)
        )
        if not fits:
            received = "; ".join(
                f"{tensor_name(tensor)} {[] if tensor.shape is None else tensor.shape.tolist()}"
                for tensor in inputs + outputs
            )
            shape = "(1, S, N)" if self.by_token else "(1, N)"
            raise TinyBertError(
                f"Expected {self.expected}: three int32 inputs (1, S) and a float32 output "
                f"{shape}. Received: {str(file.path)!r} with {received}"
            )
        return int(inputs[0].shape[1]), int(outputs[0].shape[-1])

    def _find_signatures(self, file: ModelFile) -> dict[int, str]:
        """Signature keys by length, of signatures with our input names."""
        found = {}
        for signature in file.model.signatureDefs or []:
            if {entry.name.decode() for entry in signature.inputs} == set(INPUTS):
                length, _ = self._shape(file, file.model.subgraphs[signature.subgraphIndex])
                found[length] = signature.signatureKey.decode()
        return found


def _has_shape(tensor, kind: int, rank: int) -> bool:
    shape = tensor.shape
    return tensor.type == kind and shape is not None and len(shape) == rank and shape[0] == 1
