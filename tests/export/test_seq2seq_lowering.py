"""The graphs of a sequence-to-sequence file: caches, stored matrices, the GPU accelerator."""

import numpy as np
import pytest
from gpu_device import skip_without_gpu
from seq2seq_models import (
    SOURCES,
    TARGET_LENGTH,
    WORDS,
    export_both,
    file_logits,
    keras_logits,
    largest_difference,
    make,
)
from seq2seq_on_gpu import differences

from tinybert_tf.export import (
    TFLiteSeq2Seq,
    check_delegates,
    read_model_file,
    seq2seq_to_tflite,
)

# Exports of several models.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return make(decoder_layers=2)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """Target to the result of exporting `model` for it."""
    return export_both(model, tmp_path_factory.mktemp("seq2seq"))


@pytest.fixture(scope="module")
def shared():
    """A model whose encoder, decoder and output share a word table."""
    return make(None)


@pytest.fixture(scope="module")
def shared_files(shared, tmp_path_factory):
    return export_both(shared, tmp_path_factory.mktemp("shared"))


# === Caches ===


def test_a_step_writes_its_position_alone(files):
    file = TFLiteSeq2Seq(files["float32"].path)
    source = file.encode([2, 5, 6, 3])
    generator = np.random.default_rng(0)
    caches = {
        name: generator.normal(size=value.shape).astype("float32")
        for name, value in file.empty_caches().items()
    }
    before = {name: value.copy() for name, value in caches.items()}
    _, after = file.step(7, 2, source, caches)
    assert sorted(after) == sorted(caches) and len(caches) == 4
    for name, value in after.items():
        np.testing.assert_array_equal(caches[name], before[name])
        axis = 3 if "key" in name else 2
        changed = np.unique(np.nonzero(np.abs(value - caches[name]) > 1e-5)[axis])
        assert changed.tolist() == [2]


def test_what_later_positions_hold_is_never_read(files):
    file = TFLiteSeq2Seq(files["float32"].path)
    source = file.encode([2, 5, 6, 3])
    clean = file.empty_caches()
    dirty = {name: value + 3.0 for name, value in clean.items()}
    for position, token in enumerate([2, 7, 6]):
        expected, clean = file.step(token, position, source, clean)
        found, dirty = file.step(token, position, source, dirty)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_of_the_source_is_never_read(files):
    file = TFLiteSeq2Seq(files["float32"].path)
    source = file.encode([2, 5, 3])
    other = {name: value.copy() for name, value in source.items()}
    for name, value in other.items():
        if name.startswith("cross_key"):
            value[:, :, :, 3:] = 5.0
        elif name.startswith("cross_value"):
            value[:, :, 3:] = 5.0
    expected, _ = file.step(2, 0, source, file.empty_caches())
    found, _ = file.step(2, 0, other, file.empty_caches())
    np.testing.assert_allclose(found, expected, atol=1e-6)


# === Graphs ===


def test_shapes_follow_the_lengths(model, tmp_path):
    result = seq2seq_to_tflite(
        model, tmp_path / "m.tflite", "float32", sequence_length=12, target_length=10
    )
    assert result.sequence_lengths == (12,)
    graph = read_model_file(result.path).model.subgraphs[1]
    shapes = {t.name.decode(): t.shape.tolist() for t in (graph.tensors[i] for i in graph.inputs)}
    assert list(shapes)[:3] == ["id", "position", "mask"]
    assert shapes["mask"] == [1, 12]
    assert shapes["cross_key_1"] == [1, 2, 8, 12] and shapes["cross_value_0"] == [1, 2, 12, 8]
    assert shapes["self_key_1"] == [1, 2, 8, 10] and shapes["self_value_0"] == [1, 2, 10, 8]
    file = TFLiteSeq2Seq(result.path)
    texts = [" ".join(WORDS * 2), "one"]
    assert file.generate(texts[1:]) == model.generate(texts[1:], max_length=10)
    assert len(file.encode(np.full(12, 5))["mask"][0]) == 12


def stored_bytes(path):
    """Bytes of the constants of rank 2, each buffer counted once."""
    model = read_model_file(path).model
    matrices = {
        tensor.buffer
        for graph in model.subgraphs
        for tensor in graph.tensors
        if len(tensor.shape) == 2 and tensor.type in (0, 9)  # float32, int8
    }
    contents = [bytes(b.data) for b in model.buffers if b.data is not None and len(b.data)]
    assert len(contents) == len(set(contents))
    sizes = [model.buffers[index].data for index in matrices]
    return sum(len(data) for data in sizes if data is not None)


@pytest.mark.parametrize(("target", "width"), [("float32", 4), ("universal", 1)])
def test_matrices_are_stored_once(target, width, shared, shared_files):
    """Also the word table that both word lookups and the output share."""
    matrices = [
        weight
        for weight in shared.weights
        if len(weight.shape) == 2
        and "position" not in weight.path  # float32, cut to the lengths
        and "segment" not in weight.path  # a difference of rows
        and "pooler" not in weight.path
    ]
    expected = width * sum(int(np.prod(weight.shape)) for weight in matrices)
    positions = 4 * TARGET_LENGTH * shared.backbone.hidden_dim
    assert stored_bytes(shared_files[target].path) == expected + positions


def test_graphs_keep_to_what_the_gpu_takes(files):
    for result in files.values():
        check_delegates(result.path).require("gpu_litert")
        file = read_model_file(result.path)
        assert [s.signatureKey.decode() for s in file.model.signatureDefs] == ["encode", "decode"]
        assert file.operators()["EMBEDDING_LOOKUP"] == 3
        assert not {"GATHER", "SELECT_V2", "STRIDED_SLICE"} & set(file.operators())
        ranks = {len(t.shape) for graph in file.model.subgraphs for t in graph.tensors}
        assert max(ranks) == 4


@pytest.mark.parametrize(("target", "tolerance"), [("float32", 1e-4), ("universal", 0.1)])
def test_real_gpu_accelerator(target, tolerance, files):
    with skip_without_gpu():
        found = differences(files[target].path)
    assert set(found) == {"encode", "decode"}
    assert max(found.values()) < tolerance


def test_a_shared_int8_table_is_close(shared, shared_files):
    file = TFLiteSeq2Seq(shared_files["universal"].path)
    expected, ids = keras_logits(shared, SOURCES, SOURCES)
    found = file_logits(file, SOURCES, ids)
    assert largest_difference(found, expected) < 0.15 * np.concatenate(expected).std()
