"""The table against LiteRT's own interpreter, whose default delegate is XNNPACK."""

import pytest
from ai_edge_litert.interpreter import Interpreter
from flat_models import Op, Tensor, graph, write
from operator_cases import CASES, SHAPE

from tinybert_tf.export.delegates import check
from tinybert_tf.export.delegates.partitions import count_partitions
from tinybert_tf.quiet import quiet_stderr


def delegated_pieces(path) -> int:
    """How many pieces of the main graph the interpreter hands to XNNPACK."""
    with quiet_stderr():
        interpreter = Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
    return sum("DELEGATE" in details["op_name"] for details in interpreter._get_ops_details())


@pytest.mark.parametrize("name", CASES)
def test_xnnpack_takes_what_the_table_says(name, tmp_path):
    path = write(CASES[name], tmp_path / "one.tflite")
    (finding,) = check(path).operators
    assert finding.verdicts["xnnpack"].accepted == bool(delegated_pieces(path))


def chain(*names):
    """A row of operators, each on the result of the one before."""
    tensors = [Tensor(SHAPE) for _ in range(len(names) + 1)]
    return graph(tensors, [_step(name, i, i + 1) for i, name in enumerate(names)])


def _step(name, source, result):
    return Op(name, [source, source] if name in ("POW", "ADD") else [source], [result])


def branches():
    """Two branches of which one leaves XNNPACK, joined at the end: the order decides."""
    steps = [("TANH", 0, 1), ("POW", 0, 2), ("RELU", 2, 3), ("TANH", 1, 4), ("POW", 3, 5)]
    operators = [_step(*step) for step in steps]
    return graph([Tensor(SHAPE)] * 7, [*operators, Op("ADD", [4, 5], [6])])


@pytest.mark.parametrize(
    "model, pieces",
    [
        (chain("TANH", "RELU"), 1),
        (chain("TANH", "POW", "RELU"), 2),
        (chain("POW", "TANH", "POW", "RELU", "POW"), 2),
        (chain("POW", "POW"), 0),
        (branches(), 3),
    ],
)
def test_pieces_are_counted_as_the_runtime_divides(model, pieces, tmp_path):
    path = write(model, tmp_path / "pieces.tflite")
    assert check(path).partitions["xnnpack"] == (pieces,)
    assert delegated_pieces(path) == pieces


@pytest.mark.parametrize("fixture", ["float_file", "int8_file"])
def test_exported_files_are_divided_as_reported(fixture, request):
    path = request.getfixturevalue(fixture)
    assert check(path).partitions["xnnpack"] == (delegated_pieces(path),)


def test_a_graph_without_operators_has_no_pieces():
    assert count_partitions([], []) == 0
