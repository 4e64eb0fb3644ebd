"""What a target forbids is refused by name, before a file is written."""

import pytest
from export_models import TEXTS

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TARGETS, read_model_file, to_tflite
from tinybert_tf.export.delegates import check
from tinybert_tf.export.requirements import check_requirements

# A file of each target.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(classifier, tmp_path_factory):
    """Target to its file."""
    folder = tmp_path_factory.mktemp("targets")
    return {
        name: to_tflite(classifier, folder / f"{name}.tflite", target=name, texts=TEXTS * 8).path
        for name in TARGETS
    }


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_has_a_summary_and_keeps_its_promise(name, files):
    target = TARGETS[name]
    assert target.summary and (target.delegate or target.integer)
    check_requirements(read_model_file(files[name]).model, target, files[name])


@pytest.mark.parametrize("name", ["universal", "small", "weight_only", "float32", "nnapi"])
def test_gpu_accelerator_takes_every_operator(name, files):
    assert check(files[name]).summary("gpu_litert").takes_all


def test_nnapi_takes_the_whole_graph_in_one_piece(files):
    found = check(files["nnapi"]).summary("nnapi")
    assert found.takes_all and found.partitions == (1,)
    # BATCH_MATMUL, and RESHAPE of the int32 ids.
    assert found.feature_level == 6
    names = read_model_file(files["nnapi"]).operators()
    assert "GELU" not in names and "EMBEDDING_LOOKUP" not in names


def test_forbidden_operator_is_named_with_its_layer_and_the_fix(files, tmp_path):
    model = read_model_file(files["universal"]).model
    with pytest.raises(TinyBertError, match=r"Target 'nnapi'.*EMBEDDING_LOOKUP.*nnapi"):
        check_requirements(model, TARGETS["nnapi"], tmp_path / "m.tflite")


def test_float_tensor_in_an_integer_target(files, tmp_path):
    model = read_model_file(files["universal"]).model
    expected = r"integer tensors only.*EMBEDDING_LOOKUP in embeddings with FLOAT32.*static_int8"
    with pytest.raises(TinyBertError, match=expected):
        check_requirements(model, TARGETS["npu_int8"], tmp_path / "m.tflite")


def test_integer_target_ends_in_the_only_float(files):
    model = read_model_file(files["npu_int8"]).model
    graph = model.subgraphs[0]
    floats = [index for index, tensor in enumerate(graph.tensors) if tensor.type == 0]
    assert floats == list(graph.outputs)


def test_nothing_is_written_when_the_graph_is_refused(classifier, tmp_path, monkeypatch):
    def refuse(*_):
        raise TinyBertError("refused")

    monkeypatch.setattr("tinybert_tf.export.converter.check_requirements", refuse)
    with pytest.raises(TinyBertError, match="refused"):
        to_tflite(classifier, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []
