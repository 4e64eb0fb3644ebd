"""Several models of one network as signatures of one file that store the weights once."""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def signature_name(length: int, lengths: Sequence[int]) -> str:
    """Key of a sequence length's signature in a file of these lengths."""
    return "serving_default" if len(lengths) == 1 else f"tokens_{length}"


def merge_models(models: dict[str, schema.ModelT]) -> schema.ModelT:
    """Joins models of one subgraph each; equal constants share a buffer.

    Args:
        models: dict from signature key to ModelT with one subgraph and one signature. The models
            are used up.

    Returns:
        ModelT with one subgraph and one signature a model, in their order.
    """
    first = next(iter(models.values()))
    merged = schema.ModelT(
        version=first.version,
        description=first.description,
        operatorCodes=[],
        subgraphs=[],
        buffers=[schema.BufferT()],  # by convention the first buffer is empty
        signatureDefs=[],
        metadata=list(first.metadata or []),
    )
    buffers, codes = {}, {}
    for entry in merged.metadata:
        entry.buffer = _share(merged, buffers, first.buffers[entry.buffer])
    for key, model in models.items():
        graph, signature = model.subgraphs[0], model.signatureDefs[0]
        for tensor in graph.tensors:
            tensor.buffer = _share(merged, buffers, model.buffers[tensor.buffer])
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            found = (code.builtinCode, code.version, code.customCode)
            if found not in codes:
                codes[found] = len(merged.operatorCodes)
                merged.operatorCodes.append(code)
            operator.opcodeIndex = codes[found]
        graph.name = key.encode()
        signature.signatureKey = key.encode()
        signature.subgraphIndex = len(merged.subgraphs)
        merged.subgraphs.append(graph)
        merged.signatureDefs.append(signature)
    return merged


def _share(merged: schema.ModelT, known: dict[bytes, int], buffer: schema.BufferT) -> int:
    """Index of a buffer of the same content in the merged model; 0 for an empty one."""
    if buffer.data is None or not len(buffer.data):
        return 0
    content = np.asarray(buffer.data, "uint8").tobytes()
    if content not in known:
        known[content] = len(merged.buffers)
        merged.buffers.append(buffer)
    return known[content]
