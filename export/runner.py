"""Runs an exported classifier with LiteRT, as a phone does."""

import os
from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.model_file import ModelFile, read_model_file, tensor_name
from tinybert_tf.quiet import quiet_stderr
from tinybert_tf.text.wordpiece import WordPiece

_INPUTS = ("ids", "mask", "segment_ids")


class TFLiteClassifier:
    """A `.tflite` text classifier: strings in, probabilities out, no TensorFlow.

    Of a file with signatures for several lengths, the shortest that a text fits into runs it.

    Args:
        path: path. A file with three int32 `(1, S)` inputs and a float32 `(1, N)` output, or
            several graphs of this kind, one a signature.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.
        tokenizer: WordPiece. Defaults to `None`: the one packed into the file.

    Raises:
        TinyBertError: If the file is no TFLite file, is truncated, or its inputs and outputs are
            not a text classifier's.

    Example:
        >>> TFLiteClassifier("model.tflite").classify(["what a film!"])
        ['positive']
    """

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
        self.sequence_lengths, self.num_classes = _shapes(file)
        self.multi_label = bool(file.settings.get("multi_label", False))
        self.regression = bool(file.settings.get("regression", False))
        self.labels = _labels(file, self.num_classes)
        self._tokenizer = tokenizer or _tokenizer(file)
        self._order = _input_order(file)
        self._interpreter = _interpreter(file, num_threads)
        self._signatures = _signatures(file) if len(self.sequence_lengths) > 1 else {}
        self._input_indices = [d["index"] for d in self._interpreter.get_input_details()]
        self._output_index = self._interpreter.get_output_details()[0]["index"]

    @property
    def sequence_length(self) -> int:
        """The longest input in tokens."""
        return self.sequence_lengths[-1]

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

    def predict_proba(self, texts, progress: Callable[[], None] | None = None) -> np.ndarray:
        """Returns probabilities `(n, num_classes)`.

        Args:
            texts: list of strings, or a tuple of two such lists for sentence pairs.
            progress: callable. Called after each text. Defaults to `None`.

        Raises:
            TinyBertError: If the file is a regression; see `predict_scores`.
        """
        if self.regression:
            raise TinyBertError(
                "Expected the file of a classifier; a regression has `predict_scores`. "
                f"Received: {str(self.path)!r}"
            )
        return self.predict(texts, progress)

    def predict_scores(self, texts, progress: Callable[[], None] | None = None) -> np.ndarray:
        """Returns a regression's scores `(n, 1)`; arguments as in `predict_proba`.

        Raises:
            TinyBertError: If the file has classes.
        """
        if not self.regression:
            raise TinyBertError(
                "Expected the file of a regression; a classifier has `predict_proba`. "
                f"Received: {str(self.path)!r}"
            )
        return self.predict(texts, progress)

    def predict(self, texts, progress: Callable[[], None] | None = None) -> np.ndarray:
        """Returns what the file puts out: probabilities, or of a regression scores `(n, 1)`.

        Args:
            texts: list of strings, or a tuple of two such lists for sentence pairs.
            progress: callable. Called after each text. Defaults to `None`.
        """
        parts = texts if isinstance(texts, tuple) else (texts,)
        encoded = self.tokenizer.encode(
            *(list(part) for part in parts), max_length=self.sequence_length
        )
        probabilities = np.empty((len(encoded), self.num_classes), "float32")
        for row, (ids, segments) in enumerate(
            zip(encoded.token_ids, encoded.segment_ids, strict=True)
        ):
            probabilities[row] = self.run(ids, segments)
            if progress is not None:
                progress()
        return probabilities

    def classify(self, texts, threshold: float = 0.5) -> list:
        """Returns the label of each text, or the list of labels above `threshold`."""
        probabilities = self.predict_proba(texts)
        if self.multi_label:
            return [
                [name for name, p in zip(self.labels, row, strict=True) if p >= threshold]
                for row in probabilities
            ]
        return [self.labels[index] for index in probabilities.argmax(axis=-1)]

    def run(self, token_ids: np.ndarray, segment_ids: np.ndarray | None = None) -> np.ndarray:
        """Runs the file once.

        Args:
            token_ids: int array `(length,)`, [CLS] and [SEP] included, without padding.
            segment_ids: int array `(length,)`. Defaults to `None`: zeros.

        Returns:
            Float32 array `(num_classes,)`.

        Raises:
            TinyBertError: If there are more ids than the file has inputs, or an id lies outside
                its word table.
        """
        length = len(token_ids)
        if length > self.sequence_length:
            raise TinyBertError(
                f"Expected at most {self.sequence_length} token ids. Received: {length}"
            )
        columns = next(size for size in self.sequence_lengths if size >= length)
        rows = {name: np.zeros((1, columns), "int32") for name in _INPUTS}
        rows["ids"][0, :length] = token_ids
        rows["mask"][0, :length] = 1
        if segment_ids is not None:
            rows["segment_ids"][0, :length] = segment_ids
        if self._signatures:
            return self._normalized(self._run_signature(self._signatures[columns], rows))
        for name, index in zip(self._order, self._input_indices, strict=True):
            self._interpreter.set_tensor(index, rows[name])
        self.invoke()
        return self._normalized(self._interpreter.get_tensor(self._output_index)[0])

    def _normalized(self, probabilities: np.ndarray) -> np.ndarray:
        """An int8 softmax returns multiples of 1/256, whose sum may miss 1."""
        total = probabilities.sum()
        exact = self.multi_label or self.regression or total <= 0
        if self.quantization != "static_int8" or exact:
            return probabilities
        return probabilities / total

    def _run_signature(self, key: str, rows: dict[str, np.ndarray]) -> np.ndarray:
        try:
            outputs = self._interpreter.get_signature_runner(key)(**rows)
        except RuntimeError as error:
            raise TinyBertError(
                f"Expected inputs that the file can run on. Received: {error}"
            ) from error
        return next(iter(outputs.values()))[0]

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


def _shapes(file: ModelFile) -> tuple[tuple[int, ...], int]:
    """Checks inputs and outputs; returns the sequence lengths and the number of classes."""
    found = [_shape(file, graph) for graph in file.model.subgraphs]
    lengths = tuple(sorted(length for length, _ in found))
    classes = {count for _, count in found}
    if len(set(lengths)) < len(lengths) or len(classes) > 1:
        raise TinyBertError(
            "Expected graphs of different lengths with the same classes. "
            f"Received: {str(file.path)!r} with (length, classes) of {found}"
        )
    if len(lengths) > 1 and sorted(_signatures(file)) != list(lengths):
        raise TinyBertError(
            "Expected a signature for each graph, with inputs ids, mask and segment_ids. "
            f"Received: {str(file.path)!r} with signatures {list(_signatures(file).values())}"
        )
    return lengths, classes.pop()


def _shape(file: ModelFile, graph) -> tuple[int, int]:
    """Length and number of classes of one graph."""
    inputs = [graph.tensors[index] for index in graph.inputs]
    outputs = [graph.tensors[index] for index in graph.outputs]
    fits = (
        len(inputs) == 3
        and len(outputs) == 1
        and all(_is_row(tensor, schema.TensorType.INT32) for tensor in inputs)
        and len({int(tensor.shape[1]) for tensor in inputs}) == 1
        and _is_row(outputs[0], schema.TensorType.FLOAT32)
    )
    if not fits:
        received = "; ".join(
            f"{tensor_name(tensor)} {[] if tensor.shape is None else tensor.shape.tolist()}"
            for tensor in inputs + outputs
        )
        raise TinyBertError(
            "Expected a text classifier: three int32 inputs (1, S) and a float32 output (1, N). "
            f"Received: {str(file.path)!r} with {received}"
        )
    return int(inputs[0].shape[1]), int(outputs[0].shape[1])


def _signatures(file: ModelFile) -> dict[int, str]:
    """Signature keys by length, of signatures with our input names."""
    found = {}
    for signature in file.model.signatureDefs or []:
        if {entry.name.decode() for entry in signature.inputs} == set(_INPUTS):
            length, _ = _shape(file, file.model.subgraphs[signature.subgraphIndex])
            found[length] = signature.signatureKey.decode()
    return found


def _is_row(tensor, kind: int) -> bool:
    shape = tensor.shape
    return tensor.type == kind and shape is not None and len(shape) == 2 and shape[0] == 1


def _input_order(file: ModelFile) -> tuple[str, ...]:
    """What each input of the graph takes: by the metadata, else by the tensors' names."""
    names = tuple(tensor_name(tensor) for tensor in file.inputs)
    if file.metadata is not None and file.metadata.input_names:
        names = file.metadata.input_names
    if sorted(names) != sorted(_INPUTS):
        raise TinyBertError(
            f"Expected inputs named {', '.join(_INPUTS)}. Received: {str(file.path)!r} with "
            f"{', '.join(names)}"
        )
    return names


def _labels(file: ModelFile, num_classes: int) -> list[str]:
    labels = file.labels
    if labels is None:
        return [str(index) for index in range(num_classes)]
    if len(labels) != num_classes:
        raise TinyBertError(
            f"Expected {num_classes} packed labels, one a probability. "
            f"Received: {str(file.path)!r} with {len(labels)}"
        )
    return labels


def _tokenizer(file: ModelFile) -> WordPiece | None:
    vocabulary = file.vocabulary
    if vocabulary is None:
        return None
    return WordPiece(vocabulary, **file.settings.get("tokenizer", {}))


def _interpreter(file: ModelFile, num_threads: int | None) -> Interpreter:
    if num_threads is not None and num_threads < 1:
        raise TinyBertError(f"Expected at least one thread. Received: num_threads={num_threads}")
    with quiet_stderr():
        try:
            interpreter = Interpreter(model_path=str(file.path), num_threads=num_threads or 1)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise TinyBertError(
                f"Expected a file that LiteRT can load. Received: {str(file.path)!r} ({error})"
            ) from error
    return interpreter
