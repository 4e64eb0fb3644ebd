"""Export profiles: what a file is for decides its graph and its numbers."""

from dataclasses import dataclass

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class Target:
    """A named export profile.

    Args:
        name: string.
        scheme: string or None. The quantization scheme; `None` keeps float32.
        delegate: string or None. The delegate that must take every operator; see `delegates`.
        summary: string. When to choose it.
        nnapi: bool. Whether the graph keeps to NNAPI's operators.
        integer: bool. Whether every tensor but the output must be an integer one.
        other_schemes: tuple of strings. Schemes that may take the place of `scheme`.
    """

    name: str
    scheme: str | None
    delegate: str | None
    summary: str
    nnapi: bool = False
    integer: bool = False
    other_schemes: tuple[str, ...] = ()


TARGETS = {
    target.name: target
    for target in (
        Target(
            "universal",
            "dynamic_int8",
            "gpu_litert",
            "one int8 file for the CPU and LiteRT's GPU accelerator; the default",
        ),
        Target(
            "small",
            "dynamic_int8_int4_embedding",
            "gpu_litert",
            "the smallest download: int4 word table, vocabulary cut to what your texts need",
            other_schemes=("int4_weights",),
        ),
        Target(
            "weight_only",
            "weight_only_int8",
            "gpu_litert",
            "int8 size, the same numbers on CPU, GPU and in the browser; float32's time on the CPU",
            other_schemes=("weight_only_int8_int4_embedding",),
        ),
        Target(
            "nnapi",
            "per_tensor_int8",
            "nnapi",
            "for NNAPI drivers on old phones: only operators that it maps",
            nnapi=True,
        ),
        Target(
            "npu_int8",
            "static_int8",
            None,
            "for NPUs and DSPs: int8 activations from the lookup to the probabilities",
            integer=True,
        ),
        Target("float32", None, "gpu_litert", "exact to 1e-4, four times the size"),
    )
}


def find_target(name: str) -> Target:
    """The profile of a name.

    Raises:
        TinyBertError: If there is none.
    """
    if name not in TARGETS:
        raise TinyBertError(
            f"Expected a target out of {', '.join(TARGETS)}. Received: target={name!r}"
        )
    return TARGETS[name]


def scheme_of(target: Target, scheme: str | None, trained: str | None) -> str | None:
    """The scheme that a classifier is exported with.

    Args:
        target: Target.
        scheme: string. What the caller asked for; `None` for the target's own.
        trained: string. What the classifier was trained for; `None` for a plain one.

    Raises:
        TinyBertError: If the target cannot hold the scheme.
    """
    allowed = (target.scheme, *target.other_schemes)
    chosen = scheme or (trained if trained in allowed else target.scheme)
    if chosen not in allowed:
        raise TinyBertError(
            f"Expected for target {target.name!r} a scheme out of "
            f"{', '.join(map(str, allowed))}. Received: scheme={chosen!r}"
        )
    if trained is not None and trained != chosen:
        raise TinyBertError(
            f"Expected a classifier that was quantized for target {target.name!r}, with scheme "
            f"{chosen!r}, or one that was not quantized. Received: quantization={trained!r}"
        )
    return chosen
