"""Hostile and damaged checkpoints: refused by name, nothing executed, nothing read outside."""

import builtins
import functools
import io
import os
import pickle
import random
import zipfile

import numpy as np
import pytest

from tinybert_tf.checkpoints import read_torch_bin
from tinybert_tf.errors import TinyBertError

LEGACY_HEAD = b"".join(
    pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
)


class Call:
    """Pickles as a call of `function(*arguments)`, which `pickle.load` would make."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def write(path, data: bytes, zip_format: bool):
    if zip_format:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
    else:
        path.write_bytes(LEGACY_HEAD + data + pickle.dumps([], 2))
    return path


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, f"{os.system.__module__}.system"),
        (builtins.eval, "builtins.eval"),
        (builtins.exec, "builtins.exec"),
        (builtins.getattr, "builtins.getattr"),
        (functools.partial, "functools.partial"),
    ],
)
def test_calls_are_refused_by_name(tmp_path, zip_format, protocol, function, name):
    marker = tmp_path / "executed"
    argument = f"touch {marker}" if function is os.system else f"open({str(marker)!r}, 'w')"
    data = pickle.dumps({"weight": Call(function, argument)}, protocol)
    if protocol == 2:
        name = name.replace("builtins", "__builtin__")  # Python 2's name, as protocol 2 writes it
    path = write(tmp_path / "pytorch_model.bin", data, zip_format)
    with pytest.raises(TinyBertError, match="tensors only; nothing in it was executed") as caught:
        read_torch_bin(path)
    assert repr(name) in str(caught.value)
    assert str(path) in str(caught.value)
    assert not marker.exists()


def test_the_attack_is_real(tmp_path):
    """The file that we refuse does run code in an ordinary unpickler."""
    marker = tmp_path / "executed"
    pickle.loads(pickle.dumps({"weight": Call(os.mkdir, str(marker))}, 2))
    assert marker.exists()


@pytest.mark.parametrize(
    ("opcodes", "named"),
    [
        (b"cos\nsystem\n", "'os.system'"),
        (b"ctorch.hub\nload\n", "'torch.hub.load'"),
        (b"cnumpy\nload\n", "'numpy.load'"),
        (b"(iposix\nsystem\n", "instruction INST"),
        (b"(cos\nsystem\nX\x01\x00\x00\x00xo", "'os.system'"),
        (b"ccollections\nOrderedDict\n)\x81", "instruction NEWOBJ"),
        (b"\x82\x01", "instruction EXT1"),
        (b"ctorch\nFloatStorage\n)R", "a call of 'torch.FloatStorage'"),
        (b"X\x01\x00\x00\x00xQ", "persistent id 'x'"),
        (b"(X\x06\x00\x00\x00moduleX\x01\x00\x00\x00xtQ", "persistent id 'module'"),
        (b"(K\x01K\x02tQ", "persistent id int"),
        (b"Px\n", "instruction PERSID"),
        (b"(X\x07\x00\x00\x00storageX\x01\x00\x00\x00xK\x00K\x00K\x00tQ", "unknown type"),
        (b"}(K\x01\x85K\x01u", "dictionary key of type tuple"),
    ],
)
def test_instructions_are_refused_by_name(tmp_path, opcodes, named):
    for zip_format in (True, False):
        path = write(tmp_path / "model.bin", b"\x80\x02" + opcodes + b".", zip_format)
        with pytest.raises(TinyBertError, match="tensors only") as caught:
            read_torch_bin(path)
        assert named in str(caught.value)


def test_build_cannot_change_admitted_names(tmp_path):
    """BUILD on a global would set attributes on an object that outlives the reading."""
    state = b"}X\x0c\x00\x00\x00__defaults__K\x01s"
    data = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + state + b"b."
    with pytest.raises(TinyBertError, match="corrupt"):
        read_torch_bin(write(tmp_path / "model.bin", data, True))


@pytest.mark.parametrize(
    ("count", "offset", "shape", "strides", "message"),
    [
        (4, 0, (5,), (1,), "outside its storage"),
        (4, 1, (4,), (1,), "outside its storage"),
        (4, 4, (1,), (1,), "outside its storage"),
        (4, 0, (2, 2), (3, 1), "outside its storage"),
        (4, 0, (2,), (2**61,), "outside its storage"),
        (4, 0, (2**40,), (2**40,), "outside its storage"),
        (4, 2**61, (1,), (1,), "outside its storage"),
        (4, 0, (2**31, 2**31), (0, 0), "too large"),
        (4, 0, (2**50, 0), (0, 0), "too large"),
        (4, 0, (1,) * 40, (0,) * 40, "40 axes"),
        (4, -1, (2,), (1,), "natural numbers"),
        (4, 3, (4,), (-1,), "natural numbers"),
        (4, 0, (-4,), (1,), "natural numbers"),
        (4, 0, (2**70,), (1,), "natural numbers"),
        (4, 0, (2, 2), (1,), "strides"),
        (1000, 0, (1000,), (1,), "16 bytes, not the 4000"),
        (2, 0, (2,), (1,), "16 bytes, not the 8"),
        (-4, 0, (4,), (1,), "natural numbers"),
    ],
)
def test_lies_about_sizes_are_refused(torch_file, tmp_path, count, offset, shape, strides, message):
    path = torch_file.write_zip(
        tmp_path / "model.bin",
        torch_file.state_dict(
            w=torch_file.tensor(torch_file.storage("0", count), offset, shape, strides)
        ),
        {"0": np.arange(4, dtype="<f4").tobytes()},
    )
    with pytest.raises(TinyBertError, match=f"corrupt.*{message}"):
        read_torch_bin(path)


def test_two_sizes_of_one_storage(torch_file, tmp_path):
    path = torch_file.write_zip(
        tmp_path / "model.bin",
        torch_file.state_dict(
            honest=torch_file.tensor(torch_file.storage("0", 4), 0, (4,), (1,)),
            lying=torch_file.tensor(torch_file.storage("0", 400), 0, (400,), (1,)),
        ),
        {"0": np.arange(4, dtype="<f4").tobytes()},
    )
    with pytest.raises(TinyBertError, match="corrupt"):
        read_torch_bin(path)


def test_compressed_entries_are_refused(torch_file, tmp_path):
    """PyTorch stores entries as they are; a compressed one could be a bomb."""
    path = tmp_path / "model.bin"
    count = 2**20
    data = torch_file.state_dict(
        w=torch_file.tensor(torch_file.storage("0", count), 0, (count,), (1,))
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", data, zipfile.ZIP_STORED)
        archive.writestr("archive/data/0", bytes(4 * count))
    assert path.stat().st_size < count
    with pytest.raises(TinyBertError, match="compressed"):
        read_torch_bin(path)


def test_overlapping_entries_do_not_multiply(torch_file, tmp_path):
    """Many directory entries for one stretch of the file: small on disk, large in memory."""
    stretch, copies = 2**16, 64
    tensors = {
        f"w{index}": torch_file.tensor(
            torch_file.storage(f"{index:02}", stretch // 4), 0, (stretch // 4,), (1,)
        )
        for index in range(copies)
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", torch_file.state_dict(**tensors))
        archive.writestr("archive/data/00", bytes(stretch))
        original = archive.getinfo("archive/data/00")
        for index in range(1, copies):
            entry = zipfile.ZipInfo(f"archive/data/{index:02}")
            for field in ("CRC", "file_size", "compress_size", "header_offset", "external_attr"):
                setattr(entry, field, getattr(original, field))
            archive.filelist.append(entry)
    path = tmp_path / "model.bin"
    path.write_bytes(buffer.getvalue())
    assert path.stat().st_size < 2 * stretch
    with pytest.raises(TinyBertError, match="corrupt"):
        read_torch_bin(path)


def test_huge_memo_index_allocates_nothing(torch_file, tmp_path):
    """CPython's unpickler allocates a table as long as the largest memo index."""
    tensor = torch_file.tensor(torch_file.storage("0", 1), 0, (1,), (1,))
    data = torch_file.HEADER + b"}r\xff\xff\xff\xff(" + torch_file.text("w") + tensor + b"u."
    path = torch_file.write_zip(tmp_path / "model.bin", data, {"0": bytes(4)})
    assert read_torch_bin(path)["w"].tolist() == [0.0]


def checkpoint_bytes(torch_file, tmp_path, zip_format: bool) -> bytes:
    values = np.arange(6, dtype="<f4").tobytes()
    storage = torch_file.storage("0", 6)
    path = tmp_path / "whole.bin"
    if zip_format:
        data = torch_file.state_dict(w=torch_file.tensor(storage, 0, (2, 3), (3, 1)))
        torch_file.write_zip(path, data, {"0": values})
    else:
        legacy = storage[:-2] + b"NtQ"  # legacy storages carry view metadata: none here
        data = torch_file.state_dict(w=torch_file.tensor(legacy, 0, (2, 3), (3, 1)))
        keys = pickle.dumps(["0"], 2)
        path.write_bytes(LEGACY_HEAD + data + keys + (6).to_bytes(8, "little") + values)
    np.testing.assert_array_equal(read_torch_bin(path)["w"], [[0, 1, 2], [3, 4, 5]])
    return path.read_bytes()


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_every_truncation_is_refused(torch_file, tmp_path, zip_format):
    content = checkpoint_bytes(torch_file, tmp_path, zip_format)
    path = tmp_path / "truncated.bin"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(TinyBertError) as caught:
            read_torch_bin(path)
        assert str(path) in str(caught.value)


def reach(array: np.ndarray) -> int:
    """Bytes from the first element of a view to the end of its last: at most 24, 48 widened."""
    steps = zip(array.shape, array.strides, strict=True)
    return array.size and sum((size - 1) * step for size, step in steps) + array.itemsize


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_damage_is_an_error_or_harmless(torch_file, tmp_path, zip_format):
    """Random bytes in random places: never another exception, never memory outside the file."""
    content = checkpoint_bytes(torch_file, tmp_path, zip_format)
    generator = random.Random(0)
    path = tmp_path / "damaged.bin"
    refused = 0
    for _ in range(600):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 1, 2, 8])):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path.write_bytes(damaged)
        try:
            weights = read_torch_bin(path)
        except TinyBertError:
            refused += 1
        else:
            assert all(reach(weight) <= 48 for weight in weights.values())
    assert refused > 150


def test_legacy_storage_views(torch_file, tmp_path):
    """Before PyTorch 0.4 a storage could be a part of another one."""

    def storage(start: int, length: int) -> bytes:
        view = torch_file.text("v") + torch_file.integer(start) + torch_file.integer(length)
        return torch_file.storage("0", 6)[:-2] + b"(" + view + b"ttQ"

    def content(start: int, length: int) -> bytes:
        tensor = torch_file.tensor(storage(start, length), 1, (2,), (1,))
        values = np.arange(6, dtype="<f4").tobytes()
        tail = pickle.dumps(["0"], 2) + (6).to_bytes(8, "little") + values
        return LEGACY_HEAD + torch_file.state_dict(w=tensor) + tail

    path = tmp_path / "model.bin"
    path.write_bytes(content(2, 3))
    assert read_torch_bin(path)["w"].tolist() == [3.0, 4.0]
    path.write_bytes(content(2, 2))  # offset 1 and two elements reach outside the view
    with pytest.raises(TinyBertError, match="outside its storage"):
        read_torch_bin(path)
    path.write_bytes(content(4, 3))
    with pytest.raises(TinyBertError, match="outside its root"):
        read_torch_bin(path)
