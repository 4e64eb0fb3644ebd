"""Models of one operator each, on both sides of what delegates accept."""

from flat_models import Tensor, constant, one_op

SHAPE = (1, 1, 8, 16)
INT8 = {"type": "INT8", "scale": 0.1}
# The one quantization that TFLite's own kernels allow for results from 0 to 1.
PROBABILITIES = Tensor(SHAPE, "INT8", scale=1 / 256, zero_point=-128)
MASKS = ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")


def unary(name, version=1, **arguments):
    return one_op(name, [Tensor(SHAPE, **arguments)], [Tensor(SHAPE, **arguments)], version)


def binary(name, shape=SHAPE, version=1, other=None, **arguments):
    operands = [Tensor(shape, **arguments), other or Tensor(shape, **arguments)]
    return one_op(name, operands, [Tensor(shape, **arguments)], version)


def dense(version, weights="FLOAT32", scale=None, constant_weights=True, inputs=None, bias=True):
    kernel = Tensor((4, 16), weights, "ones" if constant_weights else None, scale)
    bias = Tensor((4,), data="ones") if bias else None
    source, result = Tensor(SHAPE, **(inputs or {})), Tensor((1, 1, 8, 4), **(inputs or {}))
    return one_op("FULLY_CONNECTED", [source, kernel, bias], [result], version, keepNumDims=True)


def product(zero_point=0, left=0, **arguments):
    a = Tensor((2, 8, 16), **({**arguments, "zero_point": left} if arguments else {}))
    b = Tensor((2, 16, 8), **({**arguments, "zero_point": zero_point} if arguments else {}))
    return one_op("BATCH_MATMUL", [a, b], [Tensor((2, 8, 8), **arguments)], 2)


def reduction(name, axes=None, **arguments):
    inputs = [Tensor(SHAPE, **arguments), axes or constant([3])]
    version = 2 if arguments else 1
    result = Tensor((1, 1, 8, 1), **arguments)
    return one_op(name, inputs, [result], version, keepDims=True)


def part(end=1, stride=1, shape=(1, 1, 16), **masks):
    bounds = [constant([0] * 3), constant([1, end, 16]), constant([1, stride, 1])]
    options = {**dict.fromkeys(MASKS, 0), **masks}
    return one_op("STRIDED_SLICE", [Tensor((1, 8, 16)), *bounds], [Tensor(shape)], **options)


def joined(count, **arguments):
    result = Tensor((1, 1, 8, 16 * count), **arguments)
    version = 2 if arguments else 1
    return one_op("CONCATENATION", [Tensor(SHAPE, **arguments)] * count, [result], version, axis=3)


def divided(count):
    source = [constant(3), Tensor((1, 1, 8, 4 * count))]
    return one_op("SPLIT", source, [Tensor((1, 1, 8, 4))] * count, numSplits=count)


CASES = {
    **{f"{name} float": unary(name) for name in ("GELU", "TANH", "LOGISTIC", "RELU", "RSQRT")},
    **{f"{name} int8": unary(name, 2, **INT8) for name in ("GELU", "TANH", "RELU")},
    "LOGISTIC int8": one_op("LOGISTIC", [Tensor(SHAPE, **INT8)], [PROBABILITIES], 2),
    **{
        f"{name} float": binary(name)
        for name in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW")
    },
    **{
        f"{name} int8": binary(name, version=2, **INT8)
        for name in ("ADD", "SUB", "MUL", "MAXIMUM", "SQUARED_DIFFERENCE")
    },
    "ADD int32": binary("ADD", type="INT32"),
    "ADD rank 6": binary("ADD", (1, 1, 2, 2, 2, 2)),
    "ADD scale in range": binary("ADD", version=2, other=Tensor(SHAPE, "INT8", scale=20.0), **INT8),
    "ADD scale too large": binary(
        "ADD", version=2, other=Tensor(SHAPE, "INT8", scale=30.0), **INT8
    ),
    "FC float": dense(1),
    "FC float no bias": dense(1, bias=False),
    "FC version 8": dense(8),
    "FC computed weights": dense(1, constant_weights=False),
    "FC hybrid per tensor": dense(4, "INT8", 0.1),
    "FC hybrid per channel": dense(12, "INT8", [0.1] * 4),
    "FC int8": dense(4, "INT8", 0.1, inputs=INT8, bias=False),
    "BMM float": product(),
    "BMM int8": product(**INT8),
    "BMM int8, left zero point": product(left=3, **INT8),
    "BMM int8, right zero point": product(zero_point=3, **INT8),
    "SOFTMAX float": unary("SOFTMAX"),
    "SOFTMAX int8": one_op("SOFTMAX", [Tensor(SHAPE, **INT8)], [PROBABILITIES], 2),
    "SOFTMAX beta": one_op("SOFTMAX", [Tensor(SHAPE)], [Tensor(SHAPE)], beta=2.0),
    "MEAN float": reduction("MEAN"),
    "MEAN int8": reduction("MEAN", **INT8),
    "MEAN computed axis": reduction("MEAN", Tensor((1,), "INT32")),
    "SUM float": reduction("SUM"),
    "TRANSPOSE float": one_op("TRANSPOSE", [Tensor((8, 4)), constant([1, 0])], [Tensor((4, 8))]),
    "TRANSPOSE int32": one_op(
        "TRANSPOSE", [Tensor((8, 4), "INT32"), constant([1, 0])], [Tensor((4, 8), "INT32")]
    ),
    "RESHAPE float": one_op("RESHAPE", [Tensor((1, 8, 16)), constant(SHAPE)], [Tensor(SHAPE)]),
    "RESHAPE int32": one_op(
        "RESHAPE", [Tensor((1, 8), "INT32"), constant([8])], [Tensor((8,), "INT32")]
    ),
    "STRIDED_SLICE": part(),
    "STRIDED_SLICE shrink": part(shape=(1, 16), shrinkAxisMask=2),
    "STRIDED_SLICE stride": part(end=8, stride=2, shape=(1, 4, 16)),
    "CONCATENATION 5": joined(5),
    "CONCATENATION 6": joined(6),
    "SPLIT 4": divided(4),
    "SPLIT 5": divided(5),
    "EMBEDDING_LOOKUP": one_op(
        "EMBEDDING_LOOKUP", [Tensor((8,), "INT32"), Tensor((9, 4), data="ones")], [Tensor((8, 4))]
    ),
    "CAST": one_op("CAST", [Tensor(SHAPE, "INT32")], [Tensor(SHAPE)], inDataType=2, outDataType=0),
    "QUANTIZE": one_op("QUANTIZE", [Tensor(SHAPE)], [Tensor(SHAPE, **INT8)]),
    "QUANTIZE far scale": one_op(
        "QUANTIZE", [Tensor(SHAPE, "INT8", scale=30.0)], [Tensor(SHAPE, **INT8)], 2
    ),
    "DEQUANTIZE": one_op("DEQUANTIZE", [Tensor(SHAPE, **INT8)], [Tensor(SHAPE)], 2),
    "LESS": one_op("LESS", [Tensor(SHAPE), Tensor(SHAPE)], [Tensor(SHAPE, "BOOL")]),
    "SELECT_V2": one_op(
        "SELECT_V2", [Tensor(SHAPE, "BOOL"), Tensor(SHAPE), Tensor(SHAPE)], [Tensor(SHAPE)]
    ),
    "EXPAND_DIMS": one_op("EXPAND_DIMS", [Tensor((8, 4)), constant([0])], [Tensor((1, 8, 4))]),
    "GATHER": one_op(
        "GATHER", [Tensor((9, 4), data="ones"), Tensor((8,), "INT32")], [Tensor((8, 4))]
    ),
    "GATHER rank 2": one_op(
        "GATHER", [Tensor((9, 4), data="ones"), Tensor((1, 8), "INT32")], [Tensor((1, 8, 4))]
    ),
    "BROADCAST_TO": one_op(
        "BROADCAST_TO", [Tensor((1, 1, 8, 1)), constant(SHAPE)], [Tensor(SHAPE)], 2
    ),
    "PACK": one_op("PACK", [Tensor((8, 4))] * 2, [Tensor((2, 8, 4))], axis=0, valuesCount=2),
    "POW rank 5": binary("POW", (1, *SHAPE)),
    "TANH rank 5": one_op("TANH", [Tensor((1, *SHAPE))], [Tensor((1, *SHAPE))]),
}
