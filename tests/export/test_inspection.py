import json

import numpy as np
import pytest
from flat_models import Op, Tensor, constant, graph, one_op, write

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import read_model_file
from tinybert_tf.export.delegates.graph import read_operators
from tinybert_tf.export.delegates.layers import graph_parts, source_layers
from tinybert_tf.export.inspection import inspect_file

# Bytes of small constants such as axes and shapes, which each part has a few of.
SHAPES = 300


def sizes(path) -> dict[str, int]:
    return {group.name: group.size_bytes for group in inspect_file(path).sizes}


@pytest.mark.parametrize("fixture", ["float_file", "int8_file"])
def test_sizes_add_up_to_the_file(fixture, request):
    path = request.getfixturevalue(fixture)
    found = inspect_file(path)
    assert sum(group.size_bytes for group in found.sizes) == path.stat().st_size
    assert sum(group.share for group in found.sizes) == pytest.approx(1)


def test_sizes_by_purpose(float_file, classifier):
    found = sizes(float_file)
    backbone = classifier.backbone
    rows, width = backbone.vocabulary_size, backbone.hidden_dim
    assert found["word table"] == 4 * rows * width
    # Kernels and biases of four dense layers, and a norm, in each of two blocks.
    attention = 2 * (4 * (width * width + width) + 2 * width)
    assert found["attention"] == pytest.approx(4 * attention, abs=SHAPES)
    inner = backbone.intermediate_dim
    feed_forward = 2 * (2 * width * inner + inner + width + 2 * width)
    assert found["feed-forward"] == pytest.approx(4 * feed_forward, abs=SHAPES)
    assert found["packed files"] == sum(map(len, read_model_file(float_file).packed.values()))


def test_types_of_an_int8_file(float_file, int8_file):
    types = {group.name: group.types for group in inspect_file(int8_file).sizes}
    assert types["word table"] == "int8"
    assert sizes(int8_file)["word table"] * 4 == sizes(float_file)["word table"]


def test_signatures_and_counts(float_file):
    found = inspect_file(float_file)
    (signature,) = found.signatures
    assert signature.name == "serving_default"
    assert [(tensor.name, tensor.shape, tensor.type) for tensor in signature.inputs] == [
        (name, (1, 16), "int32") for name in ("ids", "mask", "segment_ids")
    ]
    assert [(tensor.name, tensor.shape) for tensor in signature.outputs] == [
        ("probabilities", (1, 3))
    ]
    counts = {count.operator: count.count for count in found.operators}
    assert counts == dict(read_model_file(float_file).operators())


def test_everything_is_json(int8_file):
    found = json.loads(json.dumps(inspect_file(int8_file).to_dict()))
    assert found["labels"] == ["first", "second", "third"]
    assert found["quantization"] == read_model_file(int8_file).quantization
    assert found["delegates"]["xnnpack"]["partitions"] == [1]
    assert len(found["operators"]) == found["delegates"]["nnapi"]["total"]
    assert found["operators"][0]["verdicts"]["nnapi"]["accepted"] is True
    assert found["metadata"]["input_names"] == ["ids", "mask", "segment_ids"]


def test_parts_of_the_graph(float_file):
    (operators,) = read_operators(read_model_file(float_file).model)
    parts = dict.fromkeys(graph_parts(operators))
    blocks = [
        f"encoder_block_{block}/{part}"
        for block in range(2)
        for part in ("attention", "attention_layer_norm", "feed_forward", "output_layer_norm")
    ]
    assert list(parts) == ["embeddings", *blocks, "head"]
    gelu = [op.index for op in operators if op.name == "GELU"]
    layers = source_layers(operators)
    assert [layers[i].split("/")[-1] for i in gelu] == ["feed_forward", "feed_forward"]


def test_layers_are_read_from_names_where_there_are_names(tmp_path):
    model = one_op("GELU", [Tensor((2,))], [Tensor((2,))])
    path = tmp_path / "named.tflite"
    for name, layer in (
        (
            "StatefulPartitionedCall_1/functional_2/block_3/feed_forward/Gelu;x",
            "block_3/feed_forward",
        ),
        ("Gelu/mul_2;;Gelu/Erfc", ""),
        ("tfl.gelu/x", ""),
        ("", ""),
    ):
        model.subgraphs[0].tensors[1].name = name
        (finding,) = inspect_file(write(model, path)).delegates.operators
        assert finding.layer == layer


def test_a_float16_table_is_the_word_table(tmp_path):
    table = Tensor((50, 4), "FLOAT16", "ones")
    model = graph(
        [Tensor((8,), "INT32"), table, Tensor((50, 4)), Tensor((8, 4))],
        [Op("DEQUANTIZE", [1], [2], 3), Op("EMBEDDING_LOOKUP", [0, 2], [3])],
    )
    assert sizes(write(model, tmp_path / "f16.tflite"))["word table"] == 2 * 50 * 4


def test_a_file_without_signature_shows_its_main_graph(tmp_path):
    model = one_op("RESHAPE", [Tensor((-1, 4)), constant([2, 2])], [Tensor((2, 2))])
    (signature,) = inspect_file(write(model, tmp_path / "bare.tflite")).signatures
    assert signature.name == ""
    assert [tensor.shape for tensor in signature.inputs] == [(-1, 4)]


def test_damaged_files_raise_nothing_but_our_error(int8_file, tmp_path):
    data = int8_file.read_bytes()
    generator = np.random.default_rng(0)
    path, refused = tmp_path / "m.tflite", 0
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, 20_000, 12):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            inspect_file(path)
        except TinyBertError:
            refused += 1
    assert refused > 0
