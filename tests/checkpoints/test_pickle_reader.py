"""PyTorch files without PyTorch: formats, element types, layouts."""

import sys

import numpy as np
import pytest

from tinybert_tf.checkpoints import read_torch_bin
from tinybert_tf.errors import TinyBertError


def test_reads_a_hand_written_file(torch_file, tmp_path):
    values = np.arange(12, dtype="<f4")
    storage = torch_file.storage("0", 12)
    path = torch_file.write_zip(
        tmp_path / "model.bin",
        torch_file.state_dict(
            whole=torch_file.tensor(storage, 0, (3, 4), (4, 1)),
            transposed=torch_file.tensor(storage, 0, (4, 3), (1, 4)),
            every_second=torch_file.tensor(storage, 1, (5,), (2,)),
            scalar=torch_file.tensor(storage, 7, (), ()),
            empty=torch_file.tensor(storage, 0, (0, 4), (4, 1)),
            repeated=torch_file.tensor(storage, 3, (2, 2), (0, 1)),
        ),
        {"0": values.tobytes()},
    )
    weights = read_torch_bin(path)
    np.testing.assert_array_equal(weights["whole"], values.reshape(3, 4))
    np.testing.assert_array_equal(weights["transposed"], values.reshape(3, 4).T)
    np.testing.assert_array_equal(weights["every_second"], [1, 3, 5, 7, 9])
    np.testing.assert_array_equal(weights["scalar"], 7.0)
    assert weights["empty"].shape == (0, 4)
    np.testing.assert_array_equal(weights["repeated"], [[3, 4], [3, 4]])


def test_big_endian_file(torch_file, tmp_path):
    values = np.array([1.5, -2.0, 3.0])
    path = torch_file.write_zip(
        tmp_path / "model.bin",
        torch_file.state_dict(w=torch_file.tensor(torch_file.storage("0", 3), 0, (3,), (1,))),
        {"0": values.astype(">f4").tobytes()},
        byteorder=b"big",
    )
    np.testing.assert_array_equal(read_torch_bin(path)["w"], values)


@pytest.fixture(scope="module")
def state_dict():
    torch = pytest.importorskip("torch", reason="compares with PyTorch's own files")
    base = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    return {
        "contiguous": base,
        "transposed": base.t(),  # shares the storage
        "slice": base[1:, ::2],
        "expanded": torch.arange(3).expand(2, 3),
        "bfloat16": base.bfloat16(),
        "half": base.half(),
        "double": base.double(),
        "int64": torch.arange(5),
        "int32": torch.arange(5, dtype=torch.int32),
        "int16": torch.arange(5, dtype=torch.int16),
        "int8": torch.arange(-2, 3, dtype=torch.int8),
        "uint8": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(3.0),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "state_dict"])
def test_equals_pytorch(state_dict, tmp_path, zip_format, protocol, nested):
    import torch

    content = state_dict
    if nested:
        content = {"state_dict": state_dict, "epoch": 3, "optimizer": [{"m": torch.ones(7)}]}
    path = tmp_path / "pytorch_model.bin"
    torch.save(content, path, _use_new_zipfile_serialization=zip_format, pickle_protocol=protocol)
    weights = read_torch_bin(path)
    assert list(weights) == list(state_dict)
    for key, tensor in state_dict.items():
        tensor = tensor.detach()
        expected = (tensor.float() if key == "bfloat16" else tensor).numpy()
        assert weights[key].dtype == expected.dtype, key
        np.testing.assert_array_equal(weights[key], expected, err_msg=key)


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_module_state_dict(tmp_path, zip_format):
    """A module's own state dict is an OrderedDict with version attributes."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch's own files")
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    path = tmp_path / "pytorch_model.bin"
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zip_format)
    weights = read_torch_bin(path)
    assert list(weights) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    np.testing.assert_array_equal(weights["0.weight"], module[0].weight.detach().numpy())


def test_python_2_ordered_dict(torch_file, tmp_path):
    """Python 2 wrote byte strings, and an OrderedDict as a list of pairs."""
    tensor = torch_file.tensor(torch_file.storage("0", 2), 0, (2,), (1,))
    data = (
        torch_file.HEADER
        + torch_file.name("collections", "OrderedDict")
        + b"(](](U\x01w"
        + tensor
        + b"eetR."
    )
    path = torch_file.write_zip(
        tmp_path / "model.bin", data, {"0": np.array([1, 2], "<f4").tobytes()}
    )
    np.testing.assert_array_equal(read_torch_bin(path)["w"], [1, 2])


def test_does_not_import_torch(torch_file, tmp_path):
    """Names of torch are only compared: reading works, and stays so, where torch is absent."""
    import subprocess

    path = torch_file.write_zip(
        tmp_path / "model.bin",
        torch_file.state_dict(w=torch_file.tensor(torch_file.storage("0", 1), 0, (1,), (1,))),
        {"0": np.array([5], "<f4").tobytes()},
    )
    code = (
        "import sys; from tinybert_tf.checkpoints.pickle_reader import read_torch_bin; "
        f"print(read_torch_bin({str(path)!r})['w'][0], 'torch' in sys.modules, "
        "'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5.0", "False", "False"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>", "no PyTorch file begins like this"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\x80\x02K\x07.", "not one that PyTorch wrote"),
    ],
)
def test_other_files_are_refused(tmp_path, content, expected):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(TinyBertError, match=expected) as caught:
        read_torch_bin(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(TinyBertError, match=r"No such file.*absent\.bin"):
        read_torch_bin(tmp_path / "absent.bin")


def test_not_a_state_dict(torch_file, tmp_path):
    path = torch_file.write_zip(tmp_path / "a.bin", b"\x80\x02K\x07.", {})
    with pytest.raises(TinyBertError, match="holds a int"):
        read_torch_bin(path)
    path = torch_file.write_zip(tmp_path / "b.bin", torch_file.state_dict(epoch=b"K\x07"), {})
    with pytest.raises(TinyBertError, match="holds a int under 'epoch'"):
        read_torch_bin(path)
