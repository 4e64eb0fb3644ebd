"""From which layer of the model an operator comes.

The converter keeps names of layers for some files and none for others, so the graph's structure is
read as well: in an encoder block a softmax of attention scores goes into a product with the values,
and three dense layers follow that product.
"""

import re
from collections.abc import Iterator

from tinybert_tf.export.delegates.graph import Operator

EMBEDDINGS, HEAD = "embeddings", "head"
# Parts of tensor names that name no layer: TensorFlow's operators and wrappers of the graph.
_NO_LAYER = re.compile(
    r"[A-Z].*|.*Call.*|serving_default.*|(functional|model|sequential)(_\d+)?|tfl[._].*|.*[:;].*|"
)
# What may stand between the softmax of the scores and the product with the values.
_BETWEEN = ("RESHAPE", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE", "CAST", "MUL", "SELECT", "SELECT_V2")


def source_layers(operators: list[Operator]) -> list[str]:
    """The layer of each operator of a subgraph, `""` where neither name nor place tells."""
    return [
        _named_layer(operator) or part
        for operator, part in zip(operators, graph_parts(operators), strict=True)
    ]


def graph_parts(operators: list[Operator]) -> list[str]:
    """The part of a BERT classifier to which each operator belongs, by the graph's structure.

    Parts are `"embeddings"`, `"encoder_block_0/attention"`, `"encoder_block_0/feed_forward"`,
    the norms after these (`".../attention_layer_norm"`, `".../output_layer_norm"`), and `"head"`.
    All are `""` in a graph without attention.
    """
    dense = [place for place, operator in enumerate(operators) if _is_dense(operator)]
    contexts = sorted({place for operator in operators for place in _contexts(operator)})
    parts = [""] * len(operators)
    if not contexts or not dense:
        return parts
    start = min(dense[0], contexts[0])
    _fill(parts, 0, start, EMBEDDINGS)
    for block, context in enumerate(contexts):
        end = contexts[block + 1] if block + 1 < len(contexts) else len(operators)
        after = [place for place in dense if context < place < end]
        name = f"encoder_block_{block}"
        if len(after) < 3:
            _fill(parts, start, end, name)
            start = end
            continue
        following = after[3] if len(after) > 3 else end
        _fill(parts, start, after[0] + 1, f"{name}/attention")
        _fill(parts, after[0] + 1, after[1], f"{name}/attention_layer_norm")
        _fill(parts, after[1], after[2] + 1, f"{name}/feed_forward")
        _fill(parts, after[2] + 1, following, f"{name}/output_layer_norm")
        start = following
    _fill(parts, start, len(operators), HEAD)
    return parts


def _fill(parts: list[str], start: int, end: int, name: str) -> None:
    parts[start:end] = [name] * max(end - start, 0)


def _is_dense(operator: Operator) -> bool:
    weights = operator.inputs[1] if len(operator.inputs) > 1 else None
    product = operator.name in ("FULLY_CONNECTED", "BATCH_MATMUL")
    return product and weights is not None and weights.is_weights


def _contexts(operator: Operator) -> list[int]:
    """Places of the products of attention probabilities, which a softmax computes, and values."""
    if operator.name != "SOFTMAX":
        return []
    found = _followers(operator, 4)
    return [follower.index for follower in found if follower.name == "BATCH_MATMUL"][:1]


def _followers(operator: Operator, depth: int) -> Iterator[Operator]:
    for tensor in operator.outputs:
        for consumer in tensor.consumers:
            yield consumer
            if depth and consumer.name in _BETWEEN:
                yield from _followers(consumer, depth - 1)


def _named_layer(operator: Operator) -> str:
    """The path of layers in the name of the result, without the operator's own name."""
    if not operator.outputs:
        return ""
    for name in operator.outputs[0].name.split(";"):
        *path, _ = name.split("/")
        layers = [part for part in path if not _NO_LAYER.fullmatch(part)]
        if layers:
            return "/".join(layers)
    return ""
