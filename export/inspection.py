"""What is in a `.tflite` file: sizes, operators, signatures, and what delegates make of it."""

import collections
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.export.delegates import DelegateReport, check
from tinybert_tf.export.delegates.graph import Operator, Tensor, read_operators, whole_file
from tinybert_tf.export.delegates.layers import graph_parts
from tinybert_tf.export.model_file import TYPE_NAMES, ModelFile, read_model_file

WORD_TABLE, POSITIONS = "word table", "position, segment"
ATTENTION, FEED_FORWARD, HEAD = "attention", "feed-forward", "head"
OTHER, GRAPH, PACKED = "other constants", "graph, scales, metadata", "packed files"
_ORDER = (WORD_TABLE, POSITIONS, ATTENTION, FEED_FORWARD, HEAD, OTHER, GRAPH, PACKED)
_LOOKUPS = ("EMBEDDING_LOOKUP", "GATHER")
# What hands constants on to the operator that computes with them.
_PREPARING = ("DEQUANTIZE", "TRANSPOSE", "RESHAPE", "CAST")


@dataclass(frozen=True)
class SizeGroup:
    """Bytes of a file that serve one purpose.

    Args:
        name: string. The purpose, such as `"word table"`.
        size_bytes: int. The bytes; constants that several signatures share count once.
        share: float. Their share of the file, from 0 to 1.
        types: string. Types of the constants, such as `"int8, float32"`, without the rarest.
    """

    name: str
    size_bytes: int
    share: float
    types: str


@dataclass(frozen=True)
class SignatureTensor:
    """An input or output: name, shape (-1 for a size known only at run time) and type."""

    name: str
    shape: tuple[int, ...]
    type: str


@dataclass(frozen=True)
class Signature:
    """A way to call the file.

    Args:
        name: string. Its key, `"serving_default"` in files of one signature.
        subgraph: int. The subgraph that it runs.
        inputs: tuple of SignatureTensors.
        outputs: tuple of SignatureTensors.
    """

    name: str
    subgraph: int
    inputs: tuple[SignatureTensor, ...]
    outputs: tuple[SignatureTensor, ...]


@dataclass(frozen=True)
class OperatorCount:
    """How often an operator occurs in a version."""

    operator: str
    version: int
    count: int


@dataclass(frozen=True)
class Inspection:
    """What is in a file.

    Args:
        file: ModelFile. The file.
        delegates: DelegateReport. What each delegate does with each operator.
        sizes: tuple of SizeGroups that add up to the file.
        operators: tuple of OperatorCounts, the most frequent first.
        signatures: tuple of Signatures.
    """

    file: ModelFile
    delegates: DelegateReport
    sizes: tuple[SizeGroup, ...]
    operators: tuple[OperatorCount, ...]
    signatures: tuple[Signature, ...]

    def to_dict(self) -> dict:
        """The inspection as JSON values."""
        file = self.file
        labels = file.labels
        return {
            **self.delegates.to_dict(),
            "size_bytes": file.size_bytes,
            "quantization": file.quantization,
            "sizes": [asdict(group) for group in self.sizes],
            "operator_counts": [asdict(count) for count in self.operators],
            "signatures": [asdict(signature) for signature in self.signatures],
            "metadata": None if file.metadata is None else asdict(file.metadata),
            "packed_files": {name: len(content) for name, content in file.packed.items()},
            "labels": labels,
        }


def inspect_file(path: str | os.PathLike) -> Inspection:
    """Takes stock of a `.tflite` file of any origin; nothing is run.

    Raises:
        TinyBertError: If it cannot be read, is no TFLite file or is truncated.
    """
    file = read_model_file(path)
    report = check(file)
    with whole_file(path):
        graphs = read_operators(file.model)
        counts = collections.Counter((op.title, op.version) for graph in graphs for op in graph)
        return Inspection(
            file=file,
            delegates=report,
            sizes=_sizes(file, graphs),
            operators=tuple(OperatorCount(*key, count) for key, count in counts.most_common()),
            signatures=_signatures(file.model),
        )


def _sizes(file: ModelFile, graphs: list[list[Operator]]) -> tuple[SizeGroup, ...]:
    purposes = _purposes(graphs)
    sizes, types = collections.Counter(), collections.defaultdict(dict)
    for index, (purpose, kind) in purposes.items():
        buffer = file.model.buffers[index]
        # Constants of more than 2 GB lie behind the flatbuffer.
        size = len(buffer.data) if buffer.data is not None else buffer.size
        sizes[purpose] += size
        types[purpose][kind.lower()] = types[purpose].get(kind.lower(), 0) + size
    sizes[PACKED] = sum(map(len, file.packed.values()))
    sizes[GRAPH] = file.size_bytes - sum(sizes.values())
    return tuple(
        SizeGroup(
            name=name,
            size_bytes=sizes[name],
            share=sizes[name] / file.size_bytes,
            types=_listed(types[name]),
        )
        for name in _ORDER
        if sizes[name]
    )


def _listed(sizes: dict[str, int]) -> str:
    """Types by their bytes, the largest first, without those below a hundredth."""
    total = sum(sizes.values())
    shown = [name for name in sizes if sizes[name] * 100 >= total]
    return ", ".join(sorted(shown, key=sizes.get, reverse=True))


def _purposes(graphs: list[list[Operator]]) -> dict[int, tuple[str, str]]:
    """The purpose and type of each buffer of constants."""
    elements, found = {}, {}
    for operators in graphs:
        parts = dict(zip(operators, graph_parts(operators), strict=True))
        for operator in operators:
            for tensor in operator.tensors("inputs"):
                if tensor.constant and tensor.buffer not in found:
                    found[tensor.buffer] = (_purpose(operator, tensor, parts), tensor.type)
                    elements[tensor.buffer] = tensor.elements
    tables = [index for index, (purpose, _) in found.items() if purpose == WORD_TABLE]
    for index in sorted(tables, key=elements.get)[:-1]:  # all but the largest
        found[index] = (POSITIONS, found[index][1])
    return found


def _purpose(operator: Operator, tensor: Tensor, parts: dict[Operator, str], depth: int = 4) -> str:
    if operator.name in _LOOKUPS and tensor.rank > 1:
        return WORD_TABLE
    if depth and operator.name in _PREPARING and operator.inputs[0] is tensor:
        for consumer in operator.outputs[0].consumers:
            return _purpose(consumer, operator.outputs[0], parts, depth - 1)
    part = parts[operator]
    for ending, purpose in (
        ("embeddings", POSITIONS),
        ("head", HEAD),
        ("/feed_forward", FEED_FORWARD),
        ("/output_layer_norm", FEED_FORWARD),
        ("/attention", ATTENTION),
        ("/attention_layer_norm", ATTENTION),
    ):
        if part.endswith(ending):
            return purpose
    return OTHER


def _signatures(model: schema.ModelT) -> tuple[Signature, ...]:
    found = []
    for signature in model.signatureDefs or []:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        sides = [
            tuple(_tensor(_text(entry.name), tensors[entry.tensorIndex]) for entry in entries or [])
            for entries in (signature.inputs, signature.outputs)
        ]
        found.append(Signature(_text(signature.signatureKey), signature.subgraphIndex, *sides))
    if found:
        return tuple(found)
    # Old files have none: the main graph is what they run.
    graph = model.subgraphs[0]
    sides = [
        tuple(_tensor(_text(graph.tensors[i].name), graph.tensors[i]) for i in _ints(places))
        for places in (graph.inputs, graph.outputs)
    ]
    return (Signature("", 0, *sides),)


def _tensor(name: str, tensor: schema.TensorT) -> SignatureTensor:
    shape = _ints(tensor.shapeSignature) or _ints(tensor.shape)
    return SignatureTensor(name, tuple(shape), TYPE_NAMES.get(tensor.type, "?").lower())


def _ints(values: Iterable | None) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "replace")
