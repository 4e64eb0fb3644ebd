"""PyTorch checkpoints (`pytorch_model.bin`) as numpy arrays, without PyTorch."""

import io
import math
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinybert_tf.checkpoints.tensor_unpickler import (
    ELEMENTS,
    CorruptPickle,
    StorageRecord,
    TensorRecord,
    load_pickle,
)
from tinybert_tf.errors import TinyBertError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
# Far above any weight; a stride of 0 repeats elements and could claim any number of them.
_MOST_ELEMENTS = 2**40

# What zipfile, struct and numpy raise on damaged input.
_DAMAGE = (
    *(CorruptPickle, zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, ValueError, RuntimeError, OverflowError, MemoryError),
)


def read_torch_bin(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the tensors of a PyTorch checkpoint; no pickled code is executed.

    Both formats are read: the zip archive of PyTorch 1.6 and later, and the plain file before it.
    A dict that holds its tensors under `"state_dict"` is unwrapped.

    Args:
        path: path. The file.

    Returns:
        The tensors by name. bfloat16 becomes float32 (exactly); other types stay. Arrays may be
        read-only views of a common storage.

    Raises:
        TinyBertError: If the file is missing, truncated, corrupt, or holds anything but tensors.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
            if head.startswith(b"PK"):
                return _read_zip(stream, str(path))
            _check_head(head, str(path))
            return _read_legacy(stream, str(path))
    except TinyBertError:
        raise
    except OSError as error:
        raise TinyBertError(
            f"Expected a PyTorch checkpoint that can be read ({error.strerror or error}). "
            f"Received: path={str(path)!r}"
        ) from error
    except _DAMAGE as error:
        raise TinyBertError(
            "Expected a whole PyTorch checkpoint; this one is truncated or corrupt "
            f"({str(error) or type(error).__name__}). Received: path={str(path)!r}"
        ) from error


def bfloat16_to_float32(bits: np.ndarray) -> np.ndarray:
    """Widens bfloat16, given as uint16 bit patterns, to the float32 of the same values."""
    return (bits.astype("uint32") << np.uint32(16)).view("float32")


def _check_head(head: bytes, source: str) -> None:
    """Refuses files that are recognizably something else."""
    if head.startswith(b"version https://git-lfs"):
        raise TinyBertError(
            "Expected a PyTorch checkpoint, not the Git LFS pointer to one (fetch it with "
            f"`git lfs pull`). Received: path={source!r}"
        )
    if not head.startswith(b"\x80"):
        raise CorruptPickle("no PyTorch file begins like this" if head else "the file is empty")


# === Zip format, PyTorch 1.6 and later ===


def _read_zip(stream: io.BufferedReader, source: str) -> dict[str, np.ndarray]:
    """Reads `<folder>/data.pkl` and the storages `<folder>/data/<key>` of an archive."""
    with zipfile.ZipFile(stream) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickles = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CorruptPickle(f"{len(pickles)} entries named data.pkl")
        folder = pickles[0][: -len("data.pkl")]

        def read(name: str) -> bytes:
            entry = entries.get(folder + name)
            if entry is None:
                raise CorruptPickle(f"no entry {name!r}")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise CorruptPickle(f"the entry {name!r} is compressed or encrypted")
            return archive.read(entry)

        order = read("byteorder") if folder + "byteorder" in entries else b"little"
        if order not in (b"little", b"big"):
            raise CorruptPickle("unknown byte order")
        budget = _Budget(stream)

        def storage(record: StorageRecord) -> bytes:
            name = f"data/{record.key}"
            entry = entries.get(folder + name)
            budget.spend(entry.file_size if entry else 0)
            return read(name)

        tree, _ = load_pickle(io.BytesIO(read("data.pkl")), source)
        return _tensors(tree, storage, ">" if order == b"big" else "<", source)


class _Budget:
    """Keeps entries that overlap from multiplying a small file in memory."""

    def __init__(self, stream: io.BufferedReader):
        self.left = os.fstat(stream.fileno()).st_size

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise CorruptPickle("its storages are larger than the file")


# === Legacy format, before PyTorch 1.6 ===


def _read_legacy(stream: io.BufferedReader, source: str) -> dict[str, np.ndarray]:
    """Reads magic number, protocol, system info, the tensors, storage names, raw storages."""
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if load_pickle(mapped, source)[0] != _LEGACY_MAGIC:
            raise CorruptPickle("a pickle, but not one that PyTorch wrote")
        if load_pickle(mapped, source)[0] != _LEGACY_PROTOCOL:
            raise CorruptPickle("unknown protocol version")
        load_pickle(mapped, source)  # word sizes of the writing machine; storages do not need them
        tree, records = load_pickle(mapped, source)
        keys, _ = load_pickle(mapped, source)
        storages = _legacy_storages(mapped, keys, records)

    def storage(record: StorageRecord) -> bytes:
        if record.key not in storages:
            raise CorruptPickle(f"no storage {record.key!r}")
        return storages[record.key]

    return _tensors(tree, storage, "<", source)


def _legacy_storages(
    mapped: mmap.mmap, keys: object, records: dict[str, StorageRecord]
) -> dict[str, bytes]:
    """Reads the storages at the end of a legacy file: an int64 count, then the elements."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CorruptPickle("no list of storages")
    storages = {}
    for key in keys:
        if key not in records or key in storages:
            raise CorruptPickle(f"the storage {key!r} is unknown or repeated")
        (count,) = struct.unpack("<q", mapped.read(8))
        if count != records[key].count:
            raise CorruptPickle(f"the storage {key!r} has another size than stated")
        size = count * np.dtype(ELEMENTS[records[key].kind]).itemsize
        storages[key] = mapped.read(size)
        if len(storages[key]) != size:
            raise CorruptPickle(f"the storage {key!r} is not whole")
    return storages


# === Tensors ===


def _named_tensors(tree: object, source: str) -> list[tuple[str, TensorRecord]]:
    """Lists the tensors of a state dict, or refuses what is not one."""
    if isinstance(tree, dict) and isinstance(tree.get("state_dict"), dict):
        tree = tree["state_dict"]
    if not isinstance(tree, dict):
        raise TinyBertError(
            "Expected a PyTorch checkpoint with a dict of tensors. "
            f"Received: {source!r}, which holds a {type(tree).__name__}"
        )
    for key, value in tree.items():
        if not isinstance(key, str) or not isinstance(value, TensorRecord):
            raise TinyBertError(
                "Expected a PyTorch checkpoint with a dict of named tensors, or one under "
                f"'state_dict'. Received: {source!r}, which holds a {type(value).__name__} "
                f"under {key!r}"
            )
    return list(tree.items())


def _tensors(
    tree: object, read_storage: Callable[[StorageRecord], bytes], order: str, source: str
) -> dict[str, np.ndarray]:
    """Turns the records of `tree` into arrays; each storage is read once."""
    raw: dict[str, bytes] = {}
    typed: dict[tuple[str, str], np.ndarray] = {}
    arrays = {}
    for name, tensor in _named_tensors(tree, source):
        record = tensor.storage
        if record.key not in raw:
            raw[record.key] = read_storage(record)
        if (record.key, record.kind) not in typed:
            typed[record.key, record.kind] = _elements(raw[record.key], record, order)
        elements = typed[record.key, record.kind]
        if len(elements) != record.count:
            raise CorruptPickle(f"the storage of {name!r} is stated with two sizes")
        if record.view is not None:
            start, length = record.view
            if start + length > len(elements):
                raise CorruptPickle(f"the storage of {name!r} reaches outside its root")
            elements = elements[start : start + length]
        arrays[name] = _view(name, elements, tensor)
    return arrays


def _elements(data: bytes, record: StorageRecord, order: str) -> np.ndarray:
    dtype = np.dtype(ELEMENTS[record.kind])
    if len(data) != record.count * dtype.itemsize:
        raise CorruptPickle(
            f"the storage {record.key!r} holds {len(data)} bytes, not the "
            f"{record.count * dtype.itemsize} of {record.count} elements"
        )
    elements = np.frombuffer(data, dtype.newbyteorder(order)).astype(dtype, copy=False)
    if record.kind == "BFloat16":
        return bfloat16_to_float32(elements)
    return elements != 0 if record.kind == "Bool" else elements


def _view(name: str, elements: np.ndarray, tensor: TensorRecord) -> np.ndarray:
    """Applies offset, shape and strides after checking that they stay inside the storage."""
    if len(tensor.shape) > 32:
        raise CorruptPickle(f"{name!r} has {len(tensor.shape)} axes")
    if math.prod(max(size, 1) for size in tensor.shape) > _MOST_ELEMENTS:
        raise CorruptPickle(f"{name!r} is too large")
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, elements.dtype)
    reach = sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if tensor.offset + reach >= len(elements):
        raise CorruptPickle(f"{name!r} reaches outside its storage")
    return np.lib.stride_tricks.as_strided(
        elements[tensor.offset :],
        tensor.shape,
        [stride * elements.itemsize for stride in tensor.strides],
        writeable=False,
    )
