import numpy as np
import pytest
from export_models import build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, to_tflite
from tinybert_tf.export.file_call import Entry, FileCall, entries
from tinybert_tf.export.model_file import pack_model, read_model_file

IDS = np.array([[2, 8, 9, 3, 7, 3, 5, 3]])


@pytest.fixture(scope="module")
def several_lengths(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "several.tflite"
    return to_tflite(build_classifier(), path, target="float32", sequence_length=(8, 16)).path


def test_entries_of_a_file_with_several_lengths(several_lengths, float_file):
    found = entries(read_model_file(several_lengths))
    assert [(e.key, e.sequence_length) for e in found] == [("tokens_8", 8), ("tokens_16", 16)]
    assert entries(read_model_file(float_file)) == [Entry("serving_default", 0, 16)]


def test_each_entry_runs_its_own_graph(several_lengths, float_file):
    expected = TFLiteClassifier(float_file).run(IDS[0])
    for entry in entries(read_model_file(several_lengths)):
        padding = ((0, 0), (0, entry.sequence_length - IDS.shape[1]))
        inputs = {"ids": np.pad(IDS, padding), "mask": np.pad(np.ones_like(IDS), padding)}
        (probabilities,) = FileCall(several_lengths, entry, 1, inputs)().values()
        np.testing.assert_allclose(probabilities[0], expected, atol=1e-5)


def test_inputs_that_are_not_given_are_an_unpadded_row_of_zeros(float_file):
    expected = TFLiteClassifier(float_file).run(np.zeros(16, "int32"))
    (probabilities,) = FileCall(float_file)().values()
    np.testing.assert_allclose(probabilities[0], expected, atol=1e-6)


def test_a_file_without_signatures_runs_its_main_graph(float_file, tmp_path):
    model = read_model_file(float_file).model
    model.signatureDefs = None
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(model))
    (entry,) = entries(read_model_file(path))
    assert entry == Entry("", 0, 16)
    (probabilities,) = FileCall(path, entry, 2)().values()
    np.testing.assert_allclose(probabilities, *FileCall(float_file)().values(), atol=1e-6)


def test_inputs_of_an_open_shape_are_refused(float_file, tmp_path):
    model = read_model_file(float_file).model
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shapeSignature = np.array([-1, 16], "int32")
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(model))
    with pytest.raises(TinyBertError, match=r"fixed shape.*m\.tflite.*ids"):
        entries(read_model_file(path))


def test_a_file_that_does_not_run_is_refused(float_file, tmp_path):
    """A lookup beyond its table: the ids are given."""
    with pytest.raises(TinyBertError, match="LiteRT can run"):
        FileCall(float_file, inputs={"ids": np.full((1, 16), 10**6)})


def test_threads_below_one_are_refused(float_file):
    with pytest.raises(TinyBertError, match="threads=0"):
        FileCall(float_file, threads=0)
