import collections
import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from export_models import build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import to_tflite
from tinybert_tf.export.file_call import entries
from tinybert_tf.export.model_file import pack_model, parse_model, read_model_file
from tinybert_tf.export.operator_costs import operator_costs
from tinybert_tf.export.single_operator import SingleOperator


@pytest.fixture(params=["float_file", "int8_file"])
def path(request):
    return request.getfixturevalue(request.param)


def run_all(path):
    """An interpreter that ran once and still holds every tensor."""
    interpreter = Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    generator = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        high = 60 if detail["name"] == "ids" else 2
        interpreter.set_tensor(
            detail["index"], generator.integers(0, high, detail["shape"]).astype("int32")
        )
    interpreter.invoke()
    return interpreter


def test_an_operator_alone_computes_what_it_computes_in_the_graph(path):
    model, whole = read_model_file(path).model, run_all(path)
    for operator in model.subgraphs[0].operators:
        single = SingleOperator(model, 0, operator)
        alone = single.interpreter(copies=2, threads=1)
        places = [i for i in dict.fromkeys(operator.inputs) if _is_computed(model, i)]
        for detail, place in zip(alone.get_input_details(), places, strict=True):
            alone.set_tensor(detail["index"], whole.get_tensor(place))
        alone.invoke()
        expected = whole.get_tensor(operator.outputs[0])
        # Kernels that quantize activations differ a little between XNNPACK and the others.
        tolerance = 1e-5 if "int8" not in single.kind else 0.05 * np.abs(expected).max()
        assert len(alone.get_output_details()) == 2
        for detail in alone.get_output_details():
            value = alone.get_tensor(detail["index"])
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=tolerance)


def _is_computed(model, index) -> bool:
    return index >= 0 and model.buffers[model.subgraphs[0].tensors[index].buffer].data is None


def test_costs_cover_every_operator_of_the_graph(path):
    steps = []
    costs = operator_costs(path, threads=1, rounds=2, progress=lambda *step: steps.append(step))
    counted = collections.Counter()
    for cost in costs.costs:
        counted[cost.operator] += cost.count
        assert cost.each_ms >= 0
    assert counted == read_model_file(path).operators()
    assert [cost.total_ms for cost in costs.costs] == sorted(
        (cost.total_ms for cost in costs.costs), reverse=True
    )
    assert steps == [(done, len(costs.costs)) for done in range(1, len(costs.costs) + 1)]
    assert costs.whole.median_ms > 0
    assert costs.sum_ms == pytest.approx(sum(row[3] for row in costs.by_operator()))
    assert sum(row[2] for row in costs.by_operator()) == sum(counted.values())
    figures = json.loads(json.dumps(costs.to_dict()))
    assert figures["sum_ms"] == pytest.approx(costs.sum_ms)


def test_equal_operators_are_timed_once_and_others_are_not_mixed_up(float_file):
    model = read_model_file(float_file).model
    singles = [SingleOperator(model, 0, operator) for operator in model.subgraphs[0].operators]
    by_key = {}
    for single in singles:
        by_key.setdefault(single.key, set()).add((single.name, single.kind, single.shapes))
    assert all(len(described) == 1 for described in by_key.values())
    assert len(by_key) < len(singles)


@pytest.mark.parametrize(
    ("name", "place", "differs"), [("TRANSPOSE", 1, True), ("FULLY_CONNECTED", 1, False)]
)
def test_axes_make_another_operator_and_weights_do_not(float_file, name, place, differs):
    keys = []
    for change in (0, 1):
        model = read_model_file(float_file).model
        graph = model.subgraphs[0]
        operator = next(o for o in graph.operators if SingleOperator(model, 0, o).name == name)
        buffer = model.buffers[graph.tensors[operator.inputs[place]].buffer]
        buffer.data = buffer.data + np.uint8(change)
        keys.append(SingleOperator(model, 0, operator).key)
    assert (keys[0] != keys[1]) == differs


def test_numbers_and_shapes_are_named(float_file, int8_file):
    kinds = {}
    for file in (float_file, int8_file):
        model = read_model_file(file).model
        for operator in model.subgraphs[0].operators:
            single = SingleOperator(model, 0, operator)
            kinds.setdefault((file, single.name), set()).add((single.kind, single.shapes))
    feed_forward = "1x1x16x16, 64x16 -> 1x1x16x64"
    assert ("float32", feed_forward) in kinds[float_file, "FULLY_CONNECTED"]
    assert ("float32 x int8", feed_forward) in kinds[int8_file, "FULLY_CONNECTED"]
    assert kinds[int8_file, "EMBEDDING_LOOKUP"] == {("float32 x int8", "16, 67x16 -> 16x16")}
    assert {kind for kind, _ in kinds[int8_file, "SOFTMAX"]} == {"float32"}


def test_copies_share_inputs_and_constants(float_file):
    model = read_model_file(float_file).model
    operator = next(
        o for o in model.subgraphs[0].operators if SingleOperator(model, 0, o).name == "ADD"
    )
    before = [vars(tensor).copy() for tensor in model.subgraphs[0].tensors]
    single = SingleOperator(model, 0, operator)
    one, three = (parse_model(single.file(copies), "cut out") for copies in (1, 3))
    assert len(three.subgraphs[0].operators) == 3
    assert len(three.subgraphs[0].inputs) == len(one.subgraphs[0].inputs)
    assert len(three.buffers) == len(one.buffers)
    assert len(three.subgraphs[0].outputs) == 3
    assert [vars(tensor) for tensor in model.subgraphs[0].tensors] == before


def test_each_length_of_a_file(tmp_path):
    path = tmp_path / "several.tflite"
    to_tflite(build_classifier(), path, target="float32", sequence_length=(8, 16))
    for entry in entries(read_model_file(path)):
        costs = operator_costs(path, entry, threads=1, rounds=1)
        assert costs.entry.sequence_length == entry.sequence_length
        assert any(f"x{entry.sequence_length}x16" in cost.shapes for cost in costs.costs)


def test_an_operator_that_does_not_run_alone_is_named(float_file, tmp_path):
    model = read_model_file(float_file).model
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.SOFTMAX:
            code.builtinCode, code.customCode = schema.BuiltinOperator.CUSTOM, b"MySoftmax"
            code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    for operator in model.subgraphs[0].operators:
        if SingleOperator(model, 0, operator).name == "MySoftmax":
            operator.builtinOptions, operator.builtinOptionsType = None, 0
    path = tmp_path / "m.tflite"
    path.write_bytes(pack_model(model))
    with pytest.raises(TinyBertError, match=r"on their own.*MySoftmax of .*m\.tflite"):
        operator_costs(path, rounds=1)
