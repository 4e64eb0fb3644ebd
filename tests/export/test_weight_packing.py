"""The trained integers reach the file exactly."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from export_models import TARGET_OF, TEXTS, build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import quantize_aware, read_model_file, to_tflite
from tinybert_tf.export.verification import compare_outputs
from tinybert_tf.export.weight_packing import pack_weights
from tinybert_tf.export.weights import Grid, read_weights
from tinybert_tf.quantization.schemes import WEIGHT_ONLY

# Training and export of many small models.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Scheme to (trained classifier, its file's model)."""
    found = {}
    for scheme, target in TARGET_OF.items():
        copy = quantize_aware(build_classifier(), scheme, calibration_texts=TEXTS * 8)
        copy.fit(TEXTS * 4, ["first", "second", "third"] * 8, verbose=0)
        path = tmp_path_factory.mktemp("packed") / "m.tflite"
        to_tflite(copy, path, target=target, scheme=scheme)
        found[scheme] = copy, read_model_file(path).model
    return found


def unpack(model, tensor) -> np.ndarray:
    """A constant's integers, int4 taken apart."""
    data = np.asarray(model.buffers[tensor.buffer].data, "uint8")
    if tensor.type == schema.TensorType.INT4:
        nibbles = np.stack([data & 15, data >> 4], axis=1).reshape(-1).astype("int16")
        values = np.where(nibbles > 7, nibbles - 16, nibbles)[: int(np.prod(tensor.shape))]
    else:
        values = data.view("int8")
    return values.reshape(tensor.shape).astype("int8")


def dequantize(model, tensor) -> np.ndarray:
    quantization = tensor.quantization
    shape = [1] * len(tensor.shape)
    shape[quantization.quantizedDimension] = -1
    zero = np.asarray(quantization.zeroPoint).reshape(shape)
    return (unpack(model, tensor) - zero) * np.asarray(quantization.scale).reshape(shape)


def integer_matrices(model) -> list:
    kinds = (schema.TensorType.INT8, schema.TensorType.INT4)
    return [
        tensor
        for tensor in model.subgraphs[0].tensors
        if tensor.type in kinds
        and len(tensor.shape) == 2
        and model.buffers[tensor.buffer].data is not None
    ]


def kernels(classifier) -> dict[str, tuple[np.ndarray, float]]:
    """Training-time quantized kernels, as `(outputs, inputs)`, and their largest scale."""
    found = {}
    backbone = classifier.backbone
    layers = {"pooler": backbone.pooler, "logits": classifier.output_dense}
    for index, block in enumerate(backbone.encoder_blocks):
        attention, feed_forward = block.attention, block.feed_forward
        layers |= {
            f"{index}/query": attention.query_dense,
            f"{index}/key": attention.key_dense,
            f"{index}/value": attention.value_dense,
            f"{index}/attention": attention.output_dense,
            f"{index}/intermediate": feed_forward.intermediate_dense,
            f"{index}/output": feed_forward.output_dense,
        }
    for name, layer in layers.items():
        factor = 1 / np.sqrt(8) if name.endswith("query") else 1.0
        found[name] = layer.quantized_kernel().numpy().T * factor, layer.kernel_grid()[0].T
    return found


@pytest.mark.parametrize("scheme", WEIGHT_ONLY)
def test_decoded_and_scaled_weights_equal_the_training_grid(scheme, exported):
    """Integers with one scale, then a product by channel: together the trained kernel."""
    classifier, model = exported[scheme]
    graph = model.subgraphs[0]
    makers = {int(operator.outputs[0]): operator for operator in graph.operators}
    codes = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators]
    assert schema.BuiltinOperator.FULLY_CONNECTED not in codes
    stored = []
    for operator, code in zip(graph.operators, codes, strict=True):
        product = makers.get(int(operator.inputs[0]))
        decode = None if product is None else makers.get(int(product.inputs[-1]))
        if code != schema.BuiltinOperator.MUL or decode is None or len(product.inputs) < 2:
            continue
        tensor = graph.tensors[decode.inputs[0]]
        if tensor.type == schema.TensorType.INT8 and len(tensor.shape) == 4:
            ratio = model.buffers[graph.tensors[operator.inputs[1]].buffer].data
            ratio = np.frombuffer(bytes(ratio), "float32")
            assert ratio.max() == 1.0
            stored.append((dequantize(model, tensor)[0, 0] * ratio, unpack(model, tensor)[0, 0]))
    found = kernels(classifier)
    assert len(stored) == len(found)
    for (name, (values, integers)), (own, own_integers) in zip(
        found.items(), _in_order(stored, found), strict=True
    ):
        np.testing.assert_allclose(own, values.T, rtol=1e-5, atol=1e-7, err_msg=name)
        np.testing.assert_array_equal(own_integers, integers.T, name)


def _in_order(stored, found):
    """For each kernel the stored one that is nearest to it."""
    for values, _ in found.values():
        fitting = [pair for pair in stored if pair[0].shape == values.T.shape]
        yield min(fitting, key=lambda pair: np.abs(pair[0] - values.T).max())


@pytest.mark.parametrize("scheme", [name for name in TARGET_OF if name not in WEIGHT_ONLY])
def test_dequantized_file_equals_the_training_grid(scheme, exported):
    classifier, model = exported[scheme]
    stored = [
        (dequantize(model, tensor), unpack(model, tensor)) for tensor in integer_matrices(model)
    ]
    for name, (values, integers) in kernels(classifier).items():
        matches = [
            (own, own_integers)
            for own, own_integers in stored
            if own.shape == values.shape and np.allclose(own, values, rtol=1e-5, atol=1e-7)
        ]
        assert matches, f"{name}: no such matrix in the file"
        np.testing.assert_array_equal(matches[0][1], integers, name)


@pytest.mark.parametrize("scheme", TARGET_OF)
def test_word_table_equals_the_training_grid(scheme, exported):
    classifier, model = exported[scheme]
    layer = classifier.backbone.embeddings.token_embedding
    integers, scales = layer.table_grid()
    (table,) = [t for t in integer_matrices(model) if list(t.shape) == [layer.input_dim, 16]]
    np.testing.assert_array_equal(unpack(model, table), integers)
    np.testing.assert_allclose(np.asarray(table.quantization.scale), scales, rtol=1e-6)


def versions(model, name) -> set[int]:
    code = getattr(schema.BuiltinOperator, name)
    return {entry.version for entry in model.operatorCodes if entry.builtinCode == code}


def test_operator_versions(exported):
    """What the oldest runtime that reads the file must know (op_version.cc)."""
    assert versions(exported["dynamic_int8"][1], "FULLY_CONNECTED") >= {12}
    assert max(versions(exported["per_tensor_int8"][1], "FULLY_CONNECTED")) <= 5
    assert 4 in versions(exported["dynamic_int8_int4_embedding"][1], "EMBEDDING_LOOKUP")
    assert versions(exported["per_tensor_int8"][1], "GATHER") >= {2}


def test_floats_are_gone(exported):
    """No float matrix is left beside the integers, neither as a tensor nor as a dead buffer."""
    for scheme, (_, model) in exported.items():
        largest = max(
            (len(buffer.data) for buffer in model.buffers if buffer.data is not None), default=0
        )
        table = 67 * 16 * (1 if "int4" not in scheme else 0.5)
        assert largest <= max(table, 64 * 16, 4 * 16 * 16), scheme


def test_int4_halves_the_table(exported):
    def table_bytes(scheme):
        model = exported[scheme][1]
        (table,) = [t for t in integer_matrices(model) if list(t.shape) == [67, 16]]
        return len(model.buffers[table.buffer].data)

    assert table_bytes("dynamic_int8") == 67 * 16
    assert table_bytes("dynamic_int8_int4_embedding") == 67 * 8


def test_odd_number_of_nibbles_is_padded():
    weights = read_weights(quantize_aware(build_classifier(), "int4_weights"))
    assert weights.words_grid.bits == 4
    constant = np.array([[1.0, -7.0, 3.0]], "float32")
    model = schema.ModelT(
        buffers=[schema.BufferT(), schema.BufferT(data=constant.view("uint8").reshape(-1))],
        operatorCodes=[],
        subgraphs=[
            schema.SubGraphT(
                tensors=[schema.TensorT(shape=np.array([1, 3]), buffer=1)], operators=[]
            )
        ],
    )
    grid = Grid(np.array([[1, -7, 3]], "int8"), np.ones(1, "float32"), 0, 4)
    pack_weights(model, {constant.tobytes(): (grid, None)})
    tensor = model.subgraphs[0].tensors[0]
    assert list(model.buffers[tensor.buffer].data) == [0x91, 0x03]
    np.testing.assert_array_equal(unpack(model, tensor), [[1, -7, 3]])


def test_constant_that_the_converter_changed():
    model = schema.ModelT(
        buffers=[schema.BufferT()],
        operatorCodes=[],
        subgraphs=[schema.SubGraphT(tensors=[], operators=[])],
    )
    grid = Grid(np.ones((2, 3), "int8"), np.ones(1, "float32"), 0, 8)
    with pytest.raises(TinyBertError, match=r"no constant for matrices of \[\(2, 3\)\]"):
        pack_weights(model, {grid.values().tobytes(): (grid, None)})


@pytest.mark.parametrize("scheme", ["dynamic_int8", "per_tensor_int8"])
def test_layers_with_one_kernel_keep_their_own_biases(scheme, tmp_path):
    classifier = build_classifier()
    first, second = (
        block.feed_forward.intermediate_dense for block in classifier.backbone.encoder_blocks
    )
    second.kernel.assign(first.kernel)
    assert np.abs(first.bias.numpy() - second.bias.numpy()).max() > 0.1
    model = quantize_aware(classifier, scheme)
    path = to_tflite(model, tmp_path / "m.tflite", target=TARGET_OF[scheme]).path
    assert compare_outputs(path, TEXTS, model) < 1e-4


@pytest.mark.parametrize(
    "scheme", ["dynamic_int8_int4_embedding", "int4_weights", "weight_only_int8_int4_embedding"]
)
def test_rows_of_four_bits_fill_bytes(scheme):
    classifier = build_classifier(embedding_dim=9)
    with pytest.raises(TinyBertError, match="even width .* Received: a width of 9"):
        quantize_aware(classifier, scheme)
