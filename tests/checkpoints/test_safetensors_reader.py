"""safetensors files, whole and damaged, every element type."""

import json

import numpy as np
import pytest

from tinybert_tf.checkpoints import read_safetensors
from tinybert_tf.errors import TinyBertError


def assemble(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_element_types(tmp_path):
    from safetensors.numpy import save_file

    arrays = {
        str(np.dtype(dtype)): np.arange(6).reshape(2, 3).astype(dtype)
        for dtype in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?")
    }
    save_file(arrays, tmp_path / "model.safetensors")
    weights = read_safetensors(tmp_path / "model.safetensors")
    assert set(weights) == set(arrays)
    for name, array in arrays.items():
        assert weights[name].dtype == array.dtype
        np.testing.assert_array_equal(weights[name], array)


def test_bfloat16(tmp_path):
    """The upper half of a float32's bits; safetensors' own numpy reader cannot do it."""
    expected = np.array([[1.0, -2.5], [3.140625, 0.0]], "float32")
    data = (expected.view("uint32") >> 16).astype("<u2").tobytes()
    header = {"w": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}
    (tmp_path / "model.safetensors").write_bytes(assemble(header, data))
    weights = read_safetensors(tmp_path / "model.safetensors")
    assert weights["w"].dtype == np.float32
    np.testing.assert_array_equal(weights["w"], expected)


def test_every_truncation_is_refused(tmp_path):
    header = {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    content = assemble(header, bytes(16))
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert read_safetensors(path)["w"].shape == (2, 2)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(TinyBertError, match="truncated or corrupt") as caught:
            read_safetensors(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 64]},
        {"dtype": "F32", "shape": [2, 2], "data_offsets": [8, 24]},
        {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 16]},
        {"dtype": "F99", "shape": [2, 2], "data_offsets": [0, 16]},
    ],
)
def test_lying_headers_are_refused(tmp_path, tensor):
    path = tmp_path / "model.safetensors"
    path.write_bytes(assemble({"w": tensor}, bytes(16)))
    with pytest.raises(TinyBertError, match="truncated or corrupt"):
        read_safetensors(path)


def test_element_type_of_no_bert(tmp_path):
    header = {"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}
    (tmp_path / "model.safetensors").write_bytes(assemble(header, bytes(2)))
    with pytest.raises(TinyBertError, match="F8_E4M3 for 'w'"):
        read_safetensors(tmp_path / "model.safetensors")


def test_missing_file(tmp_path):
    with pytest.raises(TinyBertError, match="No such file"):
        read_safetensors(tmp_path / "model.safetensors")
