"""A `.tflite` file as a whole: flatbuffer, metadata buffer and packed files."""

import collections
import io
import json
import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.metadata import ModelMetadata, parse_metadata
from tinybert_tf.quantization.schemes import WEIGHT_ONLY

IDENTIFIER = b"TFL3"
METADATA_NAME = "TFLITE_METADATA"
# Packed beside vocabulary and labels: what MediaPipe's metadata has no place for, such as the
# tokenizer's settings.
SETTINGS_FILE = "tinybert.json"
VOCABULARY_FILE, LABELS_FILE = "vocab.txt", "labels.txt"
# Constants start at multiples of this many bytes, as the TFLite schema demands.
_ALIGNMENT = 16
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def _names(values: type) -> dict[int, str]:
    return {value: name for name, value in vars(values).items() if isinstance(value, int)}


# Names in TFLite's schema by their numbers.
OPERATOR_NAMES, TYPE_NAMES = _names(schema.BuiltinOperator), _names(schema.TensorType)


@dataclass(frozen=True)
class ModelFile:
    """The parts of a `.tflite` file.

    Args:
        path: path. Where it was read from.
        size_bytes: int. Size of the file, packed files included.
        model: the flatbuffer as the object tree of TFLite's schema (`ModelT`).
        metadata: ModelMetadata or None. The parsed TFLITE_METADATA buffer.
        packed: dict of file name to bytes. The files appended as a zip archive.
    """

    path: Path
    size_bytes: int
    model: schema.ModelT
    metadata: ModelMetadata | None
    packed: dict[str, bytes]

    @property
    def settings(self) -> dict:
        """The exporter's settings, empty in files of other origin."""
        try:
            return json.loads(self.packed.get(SETTINGS_FILE, b"{}"))
        except ValueError as error:
            raise self._damaged(SETTINGS_FILE, error) from error

    @property
    def labels(self) -> list[str] | None:
        """The class names, `None` when none are packed."""
        if self.metadata is None or not self.metadata.labels_file:
            return None
        return self._lines(self.metadata.labels_file)

    @property
    def vocabulary(self) -> list[str] | None:
        """The tokens in the order of their ids, `None` when none are packed."""
        if self.metadata is None or not self.metadata.vocabulary_file:
            return None
        return self._lines(self.metadata.vocabulary_file)

    @property
    def quantization(self) -> str:
        """The scheme or `"float32"`; by the constants' types in files of other origin."""
        stored = self.settings.get("quantization")
        if stored is not None:
            return stored
        integer = (schema.TensorType.INT8, schema.TensorType.INT4)
        tensors = [tensor for graph in self.model.subgraphs for tensor in graph.tensors]
        return "dynamic_int8" if any(t.type in integer for t in tensors) else "float32"

    @property
    def computes_in_float32(self) -> bool:
        """Whether every runtime gives the same numbers, to rounding of float32 sums."""
        return self.quantization == "float32" or self.quantization in WEIGHT_ONLY

    @property
    def inputs(self) -> list[schema.TensorT]:
        """The input tensors of the main graph, in order."""
        graph = self.model.subgraphs[0]
        return [graph.tensors[index] for index in graph.inputs]

    @property
    def outputs(self) -> list[schema.TensorT]:
        """The output tensors of the main graph, in order."""
        graph = self.model.subgraphs[0]
        return [graph.tensors[index] for index in graph.outputs]

    def operators(self) -> collections.Counter[str]:
        """How often each operator occurs, by its name in TFLite's schema."""
        codes = self.model.operatorCodes
        return collections.Counter(
            OPERATOR_NAMES[codes[operator.opcodeIndex].builtinCode]
            for graph in self.model.subgraphs
            for operator in graph.operators
        )

    def _lines(self, name: str) -> list[str]:
        if name not in self.packed:
            raise TinyBertError(
                f"Expected the file {name!r}, which the metadata names, packed into the model; "
                f"the file may be truncated. Received: path={str(self.path)!r}"
            )
        try:
            return self.packed[name].decode("utf-8").removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> TinyBertError:
        return TinyBertError(
            f"Expected a readable {name!r} in {str(self.path)!r}. Received: {error}"
        )


def text_lines(items) -> bytes:
    """A text file's content, one item a line."""
    return "".join(f"{item}\n" for item in items).encode("utf-8")


def read_model_file(path: str | os.PathLike) -> ModelFile:
    """Reads and takes apart a `.tflite` file.

    Raises:
        TinyBertError: If it cannot be read, is no TFLite file or is truncated.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TinyBertError(
            f"Expected a readable .tflite file. Received: {str(path)!r} ({error.strerror})"
        ) from error
    model = parse_model(data, str(path))
    buffer = _metadata_buffer(model)
    return ModelFile(
        path=path,
        size_bytes=len(data),
        model=model,
        metadata=None if buffer is None else parse_metadata(buffer),
        packed=_packed_files(data, path),
    )


def read_metadata(path: str | os.PathLike) -> ModelMetadata | None:
    """Reads the TFLITE_METADATA buffer of a file; `None` when it has none.

    Raises:
        TinyBertError: If it cannot be read, is no TFLite file or is truncated.
    """
    return read_model_file(path).metadata


def parse_model(data: bytes, source: str) -> schema.ModelT:
    """Parses a TFLite flatbuffer.

    Args:
        data: bytes. The flatbuffer, files packed behind it or not.
        source: string. Its name in errors.

    Raises:
        TinyBertError: If it is no TFLite flatbuffer or ends too early.
    """
    if data[4:8] != IDENTIFIER:
        raise TinyBertError(
            f"Expected a TFLite file (bytes 4 to 8 are {IDENTIFIER!r}). "
            f"Received: {source!r} with {bytes(data[4:8])!r}"
        )
    try:
        model = schema.ModelT.InitFromPackedBuf(data)
    except (struct.error, IndexError, TypeError, ValueError, OverflowError) as error:
        raise TinyBertError(
            "Expected a whole TFLite file; this one is truncated or damaged. "
            f"Received: {source!r} ({error})"
        ) from error
    if not model.subgraphs or not model.buffers or not model.operatorCodes:
        raise TinyBertError(f"Expected a TFLite file with a graph. Received: {source!r}")
    return model


def tensor_name(tensor: schema.TensorT) -> str:
    """A tensor's name as text, empty when it has none."""
    return (tensor.name or b"").decode("utf-8", "replace")


def pack_model(
    model: schema.ModelT, metadata: bytes | None = None, files: dict[str, bytes] | None = None
) -> bytes:
    """Serializes a model with its metadata buffer, and appends files as a zip archive.

    Args:
        model: ModelT. Gets the metadata buffer added in place.
        metadata: bytes. Content of the TFLITE_METADATA buffer. Defaults to `None`: none.
        files: dict of name to content. Stored uncompressed, since readers map them into memory.
            Defaults to `None`: none.
    """
    if metadata is not None:
        model.buffers.append(schema.BufferT(data=_bytes_array(metadata)))
        entry = schema.MetadataT(name=METADATA_NAME, buffer=len(model.buffers) - 1)
        model.metadata = [*(model.metadata or []), entry]
    size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    builder = _AligningBuilder(size + (1 << 16))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    stream = io.BytesIO()
    stream.write(builder.Output())
    if files:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content)
    return stream.getvalue()


class _AligningBuilder(flatbuffers.Builder):
    """Aligns vectors of bytes, which hold the constants; generated Python code does not.

    Equal vectors are written once: the zero points of every per-channel matrix are the same.
    """

    def __init__(self, initialSize=1024):
        super().__init__(initialSize)
        self._written: dict[tuple, int] = {}

    def CreateNumpyVector(self, x):
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def StartVector(self, elemSize, numElems, alignment):
        aligned = _ALIGNMENT if elemSize == 1 and numElems else alignment
        return super().StartVector(elemSize, numElems, aligned)


def _bytes_array(data: bytes):
    return schema.np.frombuffer(data, dtype="uint8")


def _metadata_buffer(model: schema.ModelT) -> bytes | None:
    for entry in model.metadata or []:
        if entry.name == METADATA_NAME.encode() and entry.buffer < len(model.buffers):
            data = model.buffers[entry.buffer].data
            return None if data is None else bytes(data)
    return None


def _packed_files(data: bytes, path: Path) -> dict[str, bytes]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise TinyBertError(
            f"Expected whole packed files in {str(path)!r}. Received: {error}"
        ) from error
