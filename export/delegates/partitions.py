"""Into how many pieces a graph breaks when a delegate takes only some of its operators."""

from collections.abc import Sequence

from tinybert_tf.export.delegates.graph import Operator


def count_partitions(operators: Sequence[Operator], accepted: Sequence[bool]) -> int:
    """Counts the pieces of one subgraph that a delegate gets.

    Every change between delegate and CPU costs a hand-over of tensors. This is the algorithm of
    TFLite's `PartitionGraphIntoIndependentNodeSubsets` (tflite/graph_info.cc): a piece takes all
    operators of its kind whose inputs are ready, in the order of execution, until none is left.

    Args:
        operators: the operators of one subgraph, in the order of execution.
        accepted: bools. Which of them the delegate takes.
    """
    waiting = [(operator, bool(taken)) for operator, taken in zip(operators, accepted, strict=True)]
    unmade = {id(tensor) for operator in operators for tensor in operator.outputs}
    pieces = 0
    while waiting:
        kind, rest = _fill(waiting, unmade)
        if len(rest) == len(waiting):  # a cycle, which no valid file has
            break
        pieces += bool(kind)
        waiting = rest
    return pieces


def _fill(waiting: list, unmade: set) -> tuple[bool | None, list]:
    """Fills one piece; returns its kind and the operators that are left. Empties `unmade`."""
    kind = None
    progress = True
    while progress:
        progress, rest = False, []
        for operator, taken in waiting:
            ready = not any(id(tensor) in unmade for tensor in operator.tensors("inputs"))
            if ready and kind in (None, taken):
                kind, progress = taken, True
                unmade.difference_update(id(tensor) for tensor in operator.outputs)
            else:
                rest.append((operator, taken))
        waiting = rest
    return kind, waiting
