import re
import subprocess
import sys

import pytest
from flat_models import Tensor, constant, one_op, write

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.delegates import DELEGATES, check
from tinybert_tf.export.delegates.conditions import unknown_words
from tinybert_tf.export.delegates.rules import NOT_IN_TABLE, rule_table

SHAPE = (1, 1, 8, 16)
RESULT = (1, 1, 8, 4)
DENSE = "FULLY_CONNECTED"
INT8 = {"type": "INT8", "scale": 0.1}


def activations(shape=SHAPE, **arguments):
    return Tensor(shape, **arguments)


def elementwise(name, shape=SHAPE, version=1, **arguments):
    tensors = [activations(shape, **arguments) for _ in range(3)]
    return one_op(name, tensors[:2], tensors[2:], version)


def dense(version=1, weights="FLOAT32", scale=None, bias=True, **arguments):
    kernel = Tensor((4, 16), weights, "ones", scale)
    inputs = [activations(), kernel, Tensor((4,), data="ones") if bias else None]
    return one_op("FULLY_CONNECTED", inputs, [activations(RESULT)], version, **arguments)


def product(a=(1, 2, 8, 16), b=(1, 2, 16, 8), zero_point=0, **arguments):
    quantized = {**arguments, "zero_point": zero_point} if zero_point else arguments
    operands = [activations(a, **arguments), activations(b, **quantized)]
    return one_op("BATCH_MATMUL", operands, [activations((*a[:-1], b[-1]), **arguments)], 2)


def lookup(table="FLOAT32", scale=None, version=1):
    inputs = [Tensor((8,), "INT32"), Tensor((20, 16), table, "ones", scale)]
    return one_op("EMBEDDING_LOOKUP", inputs, [activations((8, 16))], version)


def decoded_constant():
    return one_op("DEQUANTIZE", [Tensor(SHAPE, **INT8, data="ones")], [activations()], 2)


def strided_slice(**masks):
    inputs = [activations((1, 8, 16)), constant([0] * 3), constant([1, 1, 16]), constant([1] * 3)]
    shape = (1, 16) if masks else (1, 1, 16)
    return one_op("STRIDED_SLICE", inputs, [activations(shape)], **masks)


def select():
    values = [Tensor(SHAPE, "BOOL"), activations(), activations()]
    return one_op("SELECT_V2", values, [activations()])


@pytest.fixture
def verdict(tmp_path):
    """What a delegate does with the one operator of a model."""

    def judge(model, delegate):
        (finding,) = check(write(model, tmp_path / "one.tflite")).operators
        return finding.verdicts[delegate]

    return judge


@pytest.mark.parametrize(
    "model, reason, fix",
    [
        (one_op("GELU", [activations()], [activations()]), "not mapped", "relu"),
        (select(), "not mapped", "added to the attention scores"),
        (dense(12, "INT8", [0.1] * 4), "version 5 or lower", "per_tensor_int8"),
        (lookup("INT8", [0.1] * 20, version=4), "version 1 or lower", "float32 word table"),
        (lookup("INT8", 0.1), "float32 table", "float32 word table"),
        (elementwise("ADD", (1, *SHAPE)), "rank 4", "rank 4"),
        (elementwise("MUL", version=3), "version 2 or lower", "accelerator"),
        (elementwise("SUB", type="INT64"), "type FLOAT32", ""),
        (elementwise("EQUAL", type="INT64"), "type FLOAT32", ""),
        (product(b=(1, 1, 16, 8)), "no broadcast", "leading axes"),
        (product((1, 1, 2, 8, 16), (1, 1, 2, 16, 8)), "rank 2 to 4", "rank 4"),
        (one_op("CUSTOM", [activations()], [activations()], custom="Erf"), "custom", "built-in"),
    ],
)
def test_nnapi_refuses_and_says_why(model, reason, fix, verdict):
    found = verdict(model, "nnapi")
    assert not found.accepted
    assert found.api_level is None
    assert reason in found.reason
    assert fix in found.fix
    assert "nnapi_delegate.cc" in found.source


@pytest.mark.parametrize(
    "model, api_level, feature_level",
    [
        (elementwise("ADD"), 27, 1),
        (lookup(), 27, 1),
        (elementwise("SUB"), 28, 2),
        (elementwise("SQUARED_DIFFERENCE"), 28, 2),
        (elementwise("SQUARED_DIFFERENCE", version=2, **INT8), 30, 4),
        (dense(), 27, 1),
        (dense(bias=False), 27, 1),
        (dense(4, "INT8", 0.1), 29, 3),
        (dense(4, "INT8", 0.1, keepNumDims=True), 30, 4),
        (one_op("RSQRT", [activations()], [activations()]), 29, 3),
        (one_op("RSQRT", [activations(**INT8)], [activations(**INT8)], 2), 33, 7),
        (one_op("QUANTIZE", [activations()], [activations(**INT8)]), 30, 4),
        (one_op("DEQUANTIZE", [activations(**INT8)], [activations()], 2), 29, 3),
        (one_op("TANH", [activations()], [activations()]), 27, 1),
        (strided_slice(), 28, 2),
        (product(), 33, 6),
        (product(**INT8), 33, 6),
        (
            one_op("RESHAPE", [Tensor((1, 8), "INT32"), constant([8])], [Tensor((8,), "INT32")]),
            33,
            6,
        ),
    ],
)
def test_nnapi_accepts_from_an_android_api_level_on(model, api_level, feature_level, verdict):
    found = verdict(model, "nnapi")
    assert found.accepted and not found.caution
    assert (found.api_level, found.feature_level) == (api_level, feature_level)
    assert found.reason


@pytest.mark.parametrize(
    "model, delegate, reason",
    [
        (dense(12, "INT8", [0.1] * 4), "gpu_classic", "version 9 or lower"),
        (lookup("INT8", [0.1] * 20, version=4), "gpu_classic", "no parser"),
        (decoded_constant(), "gpu_classic", "no integer constant"),
        (strided_slice(shrinkAxisMask=2), "gpu_classic", "shrink_axis_mask"),
        (strided_slice(shrinkAxisMask=2), "gpu_litert", "shrink_axis_mask"),
        (strided_slice(shrinkAxisMask=2), "xnnpack", "shrink_axis_mask"),
        (elementwise("ADD", (1, *SHAPE)), "gpu_classic", "rank 4"),
        (elementwise("ADD", (1, *SHAPE)), "gpu_litert", "rank 4"),
        (elementwise("ADD", type="INT64"), "gpu_classic", "float or 8-bit"),
        (elementwise("ADD", type="INT64"), "gpu_litert", "int64"),
        (product(zero_point=3, **INT8), "xnnpack", "zero point is 0"),
        (one_op("SOFTMAX", [activations(**INT8)], [activations(**INT8)], 2), "xnnpack", "float"),
        (one_op("GELU", [activations(**INT8)], [activations(**INT8)], 2), "xnnpack", "float"),
        (lookup(), "xnnpack", "no XNNPACK kernel"),
    ],
)
def test_other_delegates_refuse(model, delegate, reason, verdict):
    found = verdict(model, delegate)
    assert not found.accepted
    assert reason in found.reason
    assert found.source


@pytest.mark.parametrize(
    "model, delegates",
    [
        (dense(), DELEGATES),
        (dense(4, "INT8", 0.1), DELEGATES),
        (dense(12, "INT8", [0.1] * 4), ("gpu_litert", "xnnpack")),
        (product(), DELEGATES),
        (product(**INT8), DELEGATES),
        (strided_slice(), DELEGATES),
        (decoded_constant(), ("nnapi", "gpu_litert", "xnnpack")),
        (lookup("INT8", [0.1] * 20, version=4), ("gpu_litert",)),
        (one_op("SOFTMAX", [activations()], [activations()]), DELEGATES),
        (
            one_op("GELU", [activations()], [activations()]),
            ("gpu_classic", "gpu_litert", "xnnpack"),
        ),
    ],
)
def test_accepted_operators(model, delegates, verdict):
    for delegate in DELEGATES:
        found = verdict(model, delegate)
        assert found.accepted == (delegate in delegates), (delegate, found)
        assert not found.caution


@pytest.mark.parametrize(
    "model, reason",
    [
        (lookup("INT8", 0.1, version=3), "one scale"),
        (product(b=(1, 1, 16, 8)), "broadcast"),
        (
            one_op(
                "ADD", [activations((8, 16)), Tensor((8, 16), data="ones")], [activations((8, 16))]
            ),
            "first axis",
        ),
    ],
)
def test_accelerated_but_wrong_is_a_caution(model, reason, verdict):
    found = verdict(model, "gpu_litert")
    assert found.accepted and found.caution
    assert reason in found.reason
    assert "measured" in found.source


def test_sizes_known_only_at_run_time_are_a_caution(verdict):
    model = elementwise("ADD", (-1, 16))
    for delegate in ("nnapi", "gpu_classic", "gpu_litert"):
        found = verdict(model, delegate)
        assert found.accepted and found.caution
        assert "static shapes" in found.fix
    assert not verdict(model, "xnnpack").caution


def test_unknown_operators_are_refused_everywhere(verdict):
    model = one_op("L2_NORMALIZATION", [activations()], [activations()])
    for delegate in DELEGATES:
        assert verdict(model, delegate).reason == NOT_IN_TABLE


def refused(report, delegate) -> dict[str, int]:
    """How many operators of each name a delegate refuses."""
    objections = report.summary(delegate).refused
    return {name: count for objection in objections for name, _, count in objection.operators}


def test_verdicts_on_exported_files(float_file, int8_file):
    floats, integers = check(float_file), check(int8_file)
    for report in (floats, integers):
        assert report.summary("gpu_litert").takes_all
        assert refused(report, "xnnpack") == {"RESHAPE": 3, "EMBEDDING_LOOKUP": 1, "CAST": 2}
        assert report.summary("nnapi").api_level == 33
    assert refused(floats, "nnapi") == {"GELU": 2}
    assert refused(floats, "gpu_classic") == {"RESHAPE": 3, "EMBEDDING_LOOKUP": 1}
    assert set(refused(integers, "nnapi")) == {"GELU", "EMBEDDING_LOOKUP", "FULLY_CONNECTED"}
    assert set(refused(integers, "gpu_classic")) == {*refused(floats, "gpu_classic"), DENSE}


def test_require_names_operator_layer_and_fix(float_file, int8_file):
    report = check(float_file)
    report.require("gpu_litert")
    with pytest.raises(TinyBertError) as caught:
        report.require("nnapi")
    assert re.search(
        r"2 GELU \(version 1\) in encoder_block_0/feed_forward and 1 more: .*Fix: .*relu",
        str(caught.value),
    )
    with pytest.raises(TinyBertError, match=r"EMBEDDING_LOOKUP.* in embeddings: .*Fix: a float32"):
        check(int8_file).require("nnapi")
    with pytest.raises(TinyBertError, match=r"Expected a delegate out of nnapi.*'npu'"):
        report.require("npu")


def test_require_limits_the_android_api_level(tmp_path):
    report = check(write(product(), tmp_path / "product.tflite"))
    report.require("nnapi")
    report.require("nnapi", max_api_level=33)
    with pytest.raises(TinyBertError, match=r"level 31.*BATCH_MATMUL version 2.*API level 33"):
        report.require("nnapi", max_api_level=31)


def test_every_rule_has_reason_and_source_and_known_words():
    table = rule_table()
    assert set(table.rules) == set(DELEGATES) == set(table.titles)
    for delegate, rules in table.rules.items():
        for rule in rules:
            assert rule.ops and rule.reason, (delegate, rule)
            assert re.search(r"\.(cc|h): \w|^measured: ", rule.source), (delegate, rule)
            assert not unknown_words(rule.when) | unknown_words(rule.require), (delegate, rule)
            assert rule.feature_level in {0, *table.feature_levels}
            assert (delegate == "nnapi") or not rule.feature_level


def test_checking_a_file_loads_no_tensorflow(int8_file):
    code = (
        "import sys; from tinybert_tf.export.delegates import check;"
        f"assert check({str(int8_file)!r}).operators;"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert result.returncode == 0, result.stderr
