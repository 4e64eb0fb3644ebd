import functools

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from export_models import SEQUENCE_LENGTH, VOCABULARY, build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, read_model_file, to_tflite
from tinybert_tf.export.lowering import LoweredTask
from tinybert_tf.export.weights import read_weights

VARIANTS = {
    "default": {},
    "tinybert_head": {"head": "tinybert"},
    "multi_label": {"multi_label": True},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "relu": {"activation": "relu"},
    "reduced": {"reduced_dim": 8},
    "reduced_tinybert_head": {"reduced_dim": 8, "head": "tinybert", "multi_label": True},
    "sinusoidal": {"position_encoding": "sinusoidal"},
    "narrow_attention": {"attention_dim": 8},
    "wide_attention": {"attention_dim": 24, "num_heads": 3},
    "one_block": {"num_layers": 1},
    "one_segment": {"num_segments": 1},
    "three_segments": {"num_segments": 3},
    "large_epsilon": {"layer_norm_epsilon": 1e-2},
}

ALLOWED_OPERATORS = {
    "ADD",
    "ABS",
    "BATCH_MATMUL",
    "CAST",
    "EMBEDDING_LOOKUP",
    "FULLY_CONNECTED",
    "GELU",
    "LOGISTIC",
    "MEAN",
    "MUL",
    "RELU",
    "RESHAPE",
    "RSQRT",
    "SOFTMAX",
    "SQUARED_DIFFERENCE",
    "STRIDED_SLICE",
    "SUB",
    "TANH",
    "TRANSPOSE",
}


@functools.cache
def _variant(name):
    return build_classifier(**VARIANTS[name])


def _inputs(num_segments):
    """Rows of ids and segments of different lengths, up to the full sequence."""
    generator = np.random.default_rng(1)
    for length in (3, 7, SEQUENCE_LENGTH - 1, SEQUENCE_LENGTH):
        ids = generator.integers(0, len(VOCABULARY), length)
        segments = np.sort(generator.integers(0, num_segments, length))
        yield ids.astype("int32"), segments.astype("int32")


def _keras_probabilities(classifier, ids, segments):
    tensors = {
        "token_ids": ids[None],
        "segment_ids": segments[None],
        "padding_mask": np.ones_like(ids)[None],
    }
    logits = classifier(tensors, training=False)
    activation = keras.ops.sigmoid if classifier.multi_label else keras.ops.softmax
    return keras.ops.convert_to_numpy(activation(logits))[0]


def _both(classifier, path):
    """Probabilities `(rows, classes)` of the file and of Keras."""
    runner = TFLiteClassifier(path)
    rows = list(_inputs(classifier.backbone.num_segments))
    own = np.stack([runner.run(ids, segments) for ids, segments in rows])
    return own, np.stack([_keras_probabilities(classifier, *row) for row in rows])


@pytest.mark.parametrize("name", VARIANTS)
def test_float_file_equals_keras(name, tmp_path):
    classifier = _variant(name)
    own, reference = _both(
        classifier, to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    )
    assert np.ptp(reference, axis=0).max() > 0.05  # inputs matter, or equality proves nothing
    np.testing.assert_allclose(own, reference, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_int8_file_is_close_to_keras(name, tmp_path):
    classifier = _variant(name)
    result = to_tflite(classifier, tmp_path / "m.tflite", target="universal")
    own, reference = _both(classifier, result.path)
    difference = np.abs(own - reference).max()
    assert 1e-6 < difference < 0.1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_low_precision_policies_export_their_weights_as_float32(policy, tmp_path):
    low = build_classifier(dtype=policy)
    full = build_classifier(dtype="float32")
    full.set_weights([weight.astype("float32") for weight in low.get_weights()])
    own, reference = _both(full, to_tflite(low, tmp_path / "m.tflite", target="float32").path)
    np.testing.assert_allclose(own, reference, atol=1e-5)


@pytest.mark.parametrize("name", ["default", "tinybert_head", "three_segments", "multi_label"])
@pytest.mark.parametrize("target", ["float32", "universal"])
def test_only_operators_that_delegates_run(name, target, tmp_path):
    classifier = _variant(name)
    path = to_tflite(classifier, tmp_path / "m.tflite", target=target).path
    operators = read_model_file(path).operators()
    assert set(operators) <= ALLOWED_OPERATORS
    assert operators["EMBEDDING_LOOKUP"] == 1
    assert operators["STRIDED_SLICE"] == 1
    assert operators["FULLY_CONNECTED"] == 6 * 2 + 2


@pytest.mark.parametrize("fixture", ["float_file", "int8_file"])
def test_shapes_are_static_and_activations_have_rank_four(fixture, request):
    model = read_model_file(request.getfixturevalue(fixture)).model
    graph = model.subgraphs[0]
    rank_four = {
        schema.BuiltinOperator.FULLY_CONNECTED,
        schema.BuiltinOperator.BATCH_MATMUL,
        schema.BuiltinOperator.ADD,
        schema.BuiltinOperator.SUB,
        schema.BuiltinOperator.MUL,
        schema.BuiltinOperator.MEAN,
        schema.BuiltinOperator.GELU,
        schema.BuiltinOperator.STRIDED_SLICE,
    }
    checked = 0

    def is_constant(index):
        return model.buffers[graph.tensors[index].buffer].data is not None

    for tensor in graph.tensors:
        assert tensor.shapeSignature is None or (tensor.shapeSignature > 0).all()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.STRIDED_SLICE:
            assert operator.builtinOptions.shrinkAxisMask == 0
        if code in rank_four:
            checked += 1
            computed = [i for i in operator.inputs if i >= 0 and not is_constant(i)]
            shapes = [graph.tensors[i].shape.tolist() for i in [*computed, *operator.outputs]]
            assert {len(shape) for shape in shapes} == {4}, (code, shapes)
    assert checked > 40


def test_last_block_computes_the_first_token_only(float_file):
    file = read_model_file(float_file)
    graph = file.model.subgraphs[0]
    shapes = [
        list(graph.tensors[operator.outputs[0]].shape)
        for operator in graph.operators
        if file.model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.GELU
    ]
    assert shapes == [[1, 1, SEQUENCE_LENGTH, 64], [1, 1, 1, 64]]


def test_word_table_is_quantized_by_row(int8_file):
    graph = read_model_file(int8_file).model.subgraphs[0]
    tables = [
        tensor
        for tensor in graph.tensors
        if tensor.type == schema.TensorType.INT8 and list(tensor.shape) == [len(VOCABULARY), 16]
    ]
    assert [len(table.quantization.scale) for table in tables] == [len(VOCABULARY)]


def test_padding_does_not_reach_the_output(float_file):
    runner = TFLiteClassifier(float_file)
    ids = np.array([2, 5, 6, 3], "int32")
    padded = np.zeros((1, SEQUENCE_LENGTH), "int32")
    clean = runner.run(ids)
    padded[0, :4], padded[0, 4:] = ids, 40
    mask = (np.arange(SEQUENCE_LENGTH)[None] < 4).astype("int32")
    interpreter = runner._interpreter
    for detail, value in zip(
        interpreter.get_input_details(), (padded, mask, np.zeros_like(mask)), strict=True
    ):
        interpreter.set_tensor(detail["index"], value)
    runner.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    np.testing.assert_array_equal(output, clean)


def test_large_attention_scores_keep_padding_masked(tmp_path):
    classifier = build_classifier()
    for block in classifier.backbone.encoder_blocks:
        for layer in (block.attention.query_dense, block.attention.key_dense):
            layer.kernel.assign(layer.kernel.value * 4.0)  # scores of some hundreds
    own, reference = _both(
        classifier, to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    )
    np.testing.assert_allclose(own, reference, atol=1e-4)


def test_unknown_activation_is_named():
    weights = read_weights(build_classifier())
    object.__setattr__(weights, "activation", "swish")
    with pytest.raises(TinyBertError, match=r"gelu_tanh, relu. Received: activation='swish'"):
        LoweredTask(weights)
