"""What a rule can ask of an operator: the words of the table, and what they mean.

A condition is a JSON object; all its entries must hold. `any` takes a list of conditions of which
one must hold, `not` one that must not. Tensors are named by role, as in `Operator.tensors`; what is
asked of an absent tensor holds.
"""

from collections.abc import Callable

from tinybert_tf.export.delegates.graph import Operator, Tensor

# What an option is worth in a file that does not state it.
_DEFAULTS = {"beta": 1.0, "keepNumDims": False}


def holds(condition: dict, operator: Operator) -> bool:
    """Whether an operator meets a condition."""
    return all(_WORDS[word](operator, argument) for word, argument in condition.items())


def unknown_words(condition: dict) -> set[str]:
    """The words of a condition that have no meaning here."""
    nested = [*condition.get("any", []), *([condition["not"]] if "not" in condition else [])]
    return set(condition) - set(_WORDS) | {
        word for inner in nested for word in unknown_words(inner)
    }


def _each(check: Callable[[Tensor, object], bool]) -> Callable[[Operator, dict], bool]:
    """A word whose argument maps roles to what each of their tensors must be."""

    def word(operator: Operator, argument: dict) -> bool:
        return all(
            check(tensor, expected)
            for role, expected in argument.items()
            for tensor in operator.tensors(role)
        )

    return word


def _same(value: Callable[[Tensor], object]) -> Callable[[Operator, list], bool]:
    """A word whose argument lists roles whose tensors must agree."""

    def word(operator: Operator, roles: list) -> bool:
        found = [value(tensor) for role in roles for tensor in operator.tensors(role)]
        return all(item == found[0] for item in found)

    return word


def _between(number: float, bounds: list) -> bool:
    return bounds[0] <= number <= bounds[1]


def _version(operator: Operator, bounds: dict) -> bool:
    return bounds.get("min", 1) <= operator.version <= bounds.get("max", operator.version)


def _present(operator: Operator, argument: dict) -> bool:
    return all(bool(operator.tensors(role)) == wanted for role, wanted in argument.items())


def _option(operator: Operator, argument: dict) -> bool:
    # A file without options has them all at their defaults.
    return all(
        operator.options.get(name, _DEFAULTS.get(name, 0)) in values
        for name, values in argument.items()
    )


def _is_static(operator: Operator, wanted: bool) -> bool:
    return wanted == all(-1 not in tensor.shape for tensor in operator.tensors("tensors"))


def _runtime_inputs(operator: Operator, bounds: list) -> bool:
    return _between(sum(not tensor.is_weights for tensor in operator.tensors("inputs")), bounds)


def _zero_point(tensor: Tensor, wanted: int) -> bool:
    return bool((tensor.zero_points == wanted).all())


def _is_made_by(tensor: Tensor, names: list) -> bool:
    origin = tensor.origin()
    return origin is not None and origin.name in names


def _values(tensor: Tensor, allowed: list) -> bool:
    values = tensor.values()
    return values is not None and all(value in allowed for value in values.tolist())


def _leading_one(operator: Operator, roles: list) -> bool:
    return all(tensor.shape[:1] == (1,) for role in roles for tensor in operator.tensors(role))


def _last_axis(operator: Operator, way: str) -> bool:
    """Whether PACK (`"packed"`) makes, or UNPACK (`"unpacked"`) takes apart, the last axis."""
    rank = operator.inputs[0].rank + (1 if way == "packed" else 0)
    return operator.options.get("axis", 0) in (-1, rank - 1)


def _scale_ratio(operator: Operator, argument: dict) -> bool:
    """Scales of the inputs, `each` or their `product`, over the output's: `[lowest, below]`."""
    inputs = [
        float(tensor.scales[0]) for tensor in operator.tensors("inputs")[:2] if tensor.scales.size
    ]
    outputs = [float(tensor.scales[0]) for tensor in operator.outputs if tensor.scales.size]
    if not inputs or not outputs:
        return True
    if "each" in argument:
        (lowest, below), ratios = argument["each"], [scale / outputs[0] for scale in inputs]
    else:
        product = inputs[0] * inputs[-1] if len(inputs) > 1 else inputs[0]
        (lowest, below), ratios = argument["product"], [product / outputs[0]]
    return all(lowest <= ratio < below for ratio in ratios)


def _scales(tensors: list[Tensor]) -> list[float]:
    return [float(tensor.scales[0]) for tensor in tensors if tensor.scales.size]


def _consumer(tensor: Tensor, names: list) -> bool:
    return len(tensor.consumers) == 1 and tensor.consumers[0].name in names


_WORDS: dict[str, Callable[[Operator, object], bool]] = {
    "any": lambda operator, conditions: any(holds(inner, operator) for inner in conditions),
    "not": lambda operator, condition: not holds(condition, operator),
    "version": _version,
    "type": _each(lambda tensor, types: tensor.type in types),
    "rank": _each(lambda tensor, bounds: _between(tensor.rank, bounds)),
    "constant": _each(lambda tensor, wanted: tensor.is_weights == wanted),
    "scalar": _each(lambda tensor, wanted: (tensor.elements == 1) == wanted),
    "quantization": _each(lambda tensor, kinds: tensor.quantization in kinds),
    "zero_point": _each(_zero_point),
    "values": _each(_values),
    "produced_by": _each(_is_made_by),
    "consumer": _each(_consumer),
    "feeds": _each(lambda tensor, names: any(op.name in names for op in tensor.consumers)),
    "present": _present,
    "inputs": lambda operator, bounds: _between(len(operator.tensors("inputs")), bounds),
    "outputs": lambda operator, bounds: _between(len(operator.outputs), bounds),
    "runtime_inputs": _runtime_inputs,
    "option": _option,
    "static": _is_static,
    "same_type": _same(lambda tensor: tensor.type),
    "same_rank": _same(lambda tensor: tensor.rank),
    "same_shape": _same(lambda tensor: tensor.shape),
    "same_batch": _same(lambda tensor: tensor.shape[:-2]),
    "leading_one": _leading_one,
    "last_axis": _last_axis,
    "scale_ratio": _scale_ratio,
}
