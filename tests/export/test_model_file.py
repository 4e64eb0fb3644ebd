import io
import struct
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, read_metadata, read_model_file
from tinybert_tf.export.model_file import pack_model


def test_packed_files_are_stored_behind_the_flatbuffer(float_file):
    with zipfile.ZipFile(float_file) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == ["vocab.txt", "labels.txt", "tinybert.json"]
    data = float_file.read_bytes()
    assert data[4:8] == b"TFL3"
    # Stored means readable in place, as MediaPipe maps it into memory.
    assert b"first\nsecond\nthird\n" in data


@pytest.mark.parametrize("fixture", ["float_file", "int8_file"])
def test_constants_are_aligned(fixture, request):
    data = request.getfixturevalue(fixture).read_bytes()
    model = schema.Model.GetRootAsModel(data, 0)
    sizes = 0
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            sizes += buffer.DataLength()
            start = buffer._tab.Vector(buffer._tab.Offset(4))
            assert start % 16 == 0, f"buffer {index} starts at byte {start}"
    assert sizes > 10_000


def test_repacking_a_file_changes_no_prediction(float_file, tmp_path):
    file = read_model_file(float_file)
    again = tmp_path / "again.tflite"
    again.write_bytes(pack_model(file.model, files=file.packed))
    ids = np.array([2, 9, 8, 7, 3])
    np.testing.assert_array_equal(
        TFLiteClassifier(again).run(ids), TFLiteClassifier(float_file).run(ids)
    )


@pytest.mark.parametrize("read", [read_model_file, read_metadata, TFLiteClassifier])
@pytest.mark.parametrize(
    "content",
    [b"", b"TFL3", b"not a model at all, but long enough", b"\x10\0\0\0TFL3" + b"\0" * 100],
)
def test_other_files_are_refused(read, content, tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(TinyBertError, match=r"TFLite file.*m\.tflite"):
        read(path)


@pytest.mark.parametrize("read", [read_model_file, TFLiteClassifier])
def test_missing_file_and_folder_are_refused(read, tmp_path):
    with pytest.raises(TinyBertError, match="No such file"):
        read(tmp_path / "absent.tflite")
    with pytest.raises(TinyBertError, match="Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize("fixture", ["float_file", "int8_file"])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.97, 0.999])
def test_truncated_files_are_refused(fixture, share, request, tmp_path):
    data = request.getfixturevalue(fixture).read_bytes()
    path = tmp_path / "m.tflite"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TinyBertError, match=r"truncated|Expected a TFLite file"):
        TFLiteClassifier(path)


def test_damaged_files_raise_nothing_but_our_error(float_file, tmp_path):
    """Flips bytes of the tables, which lie at the front; reading succeeds or says why not."""
    data = float_file.read_bytes()
    generator = np.random.default_rng(0)
    path, refused = tmp_path / "m.tflite", 0
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, 4096, 4):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_model_file(path)
        except TinyBertError:
            refused += 1
    assert refused > 0


def test_damaged_settings_are_named(float_file, tmp_path):
    file = read_model_file(float_file)
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(file.model, files={**file.packed, "tinybert.json": b"{"}))
    with pytest.raises(TinyBertError, match=r"readable 'tinybert\.json'"):
        TFLiteClassifier(path)


def test_labels_that_are_not_utf8_are_named(float_file, tmp_path):
    file = read_model_file(float_file)
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(file.model, files={**file.packed, "labels.txt": b"\xff\n"}))
    with pytest.raises(TinyBertError, match=r"readable 'labels\.txt'"):
        TFLiteClassifier(path)


def test_corrupt_archive_is_refused(float_file, tmp_path):
    data = bytearray(float_file.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        header = archive.getinfo("vocab.txt").header_offset
    struct.pack_into("<H", data, header + 30 + len("vocab.txt") + 10, 0xFFFF)  # breaks the CRC
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(TinyBertError, match="whole packed files"):
        read_model_file(path)
