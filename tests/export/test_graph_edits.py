import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.export import TFLiteClassifier, read_model_file
from tinybert_tf.export.graph_edits import equalize_ranks
from tinybert_tf.export.model_file import pack_model


def _lookup_reshapes(model):
    """The reshapes that follow the word lookup, and the lookup."""
    codes = [code.builtinCode for code in model.operatorCodes]
    operators = model.subgraphs[0].operators
    (lookup,) = [
        operator
        for operator in operators
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.EMBEDDING_LOOKUP
    ]
    return lookup, [
        operator
        for operator in operators
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.RESHAPE
        and operator.inputs[0] == lookup.outputs[0]
    ]


def test_exported_files_need_no_edit(float_file, int8_file):
    assert equalize_ranks(read_model_file(float_file).model) == 0
    assert equalize_ranks(read_model_file(int8_file).model) == 0


def test_dropped_reshape_is_restored(float_file, tmp_path):
    file = read_model_file(float_file)
    graph = file.model.subgraphs[0]
    lookup, (reshape,) = _lookup_reshapes(file.model)
    graph.operators = [operator for operator in graph.operators if operator is not reshape]
    for operator in graph.operators:
        operator.inputs = np.where(
            operator.inputs == reshape.outputs[0], lookup.outputs[0], operator.inputs
        )
    assert _lookup_reshapes(file.model)[1] == []
    assert equalize_ranks(file.model) == 1
    lookup, (reshape,) = _lookup_reshapes(file.model)
    assert graph.tensors[reshape.outputs[0]].shape.tolist() == [1, 1, 16, 16]

    path = tmp_path / "edited.tflite"
    path.write_bytes(pack_model(file.model, files=file.packed))
    ids = np.array([2, 10, 20, 30, 3])
    np.testing.assert_array_equal(
        TFLiteClassifier(path).run(ids), TFLiteClassifier(float_file).run(ids)
    )
