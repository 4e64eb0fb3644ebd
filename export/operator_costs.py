"""What each operator of a file costs: every distinct one is cut out and timed on its own.

An operator is rebuilt as a file of its own: its constants and quantization are kept, its other
inputs are random. Two such files are timed in turns, one with a single copy and one with several,
and the difference is the cost of one copy: starting the interpreter and waking its threads, which
the whole graph pays once, cancel out.

Limits. The runtime plans a whole graph better than its parts: it skips a reshape or keeps a
tensor in the caches, where a part reads and writes memory; and operators that read the same float
tensor with int8 weights quantize it once each here. So the sum differs from the whole, and the
report shows both. A copy in a graph of its own may be run by another kernel than in the whole if
the runtime divides the graph between XNNPACK and its own kernels.
"""

import os
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.latency import Latency
from tinybert_tf.evaluate.side_by_side import take_turns, timed
from tinybert_tf.export.file_call import Entry, FileCall, entries
from tinybert_tf.export.model_file import read_model_file
from tinybert_tf.export.single_operator import SingleOperator
from tinybert_tf.quiet import quiet_stderr

# Copies in the larger of the two files.
_COPIES = 5


@dataclass(frozen=True)
class OperatorCost:
    """Equal operators of a graph and what they cost together.

    Args:
        operator: string. Its name in TFLite's schema, such as `"FULLY_CONNECTED"`.
        kind: string. Type of its numbers, such as `"float32"`, `"int8"`, or
            `"float32 x int8"` for float inputs with int8 weights.
        shapes: string. Inputs and output, such as `"1x1x128x312, 312x312 -> 1x1x128x312"`.
        count: int. How often it occurs.
        each_ms: float. Milliseconds of one.
    """

    operator: str
    kind: str
    shapes: str
    count: int
    each_ms: float

    @property
    def total_ms(self) -> float:
        """Milliseconds of all of them."""
        return self.count * self.each_ms


@dataclass(frozen=True)
class OperatorCosts:
    """The cost of a graph, operator by operator.

    Args:
        entry: Entry. Which signature.
        threads: int. Threads of the interpreter.
        whole: Latency. Of the graph as it is.
        costs: list of OperatorCost. The most expensive first.
    """

    entry: Entry
    threads: int
    whole: Latency
    costs: list[OperatorCost]

    @property
    def sum_ms(self) -> float:
        """Milliseconds of all operators, each timed on its own."""
        return sum(cost.total_ms for cost in self.costs)

    def by_operator(self) -> list[tuple[str, str, int, float]]:
        """Operator, kind, count and milliseconds, shapes taken together; most expensive first."""
        groups: dict[tuple[str, str], list[OperatorCost]] = {}
        for cost in self.costs:
            groups.setdefault((cost.operator, cost.kind), []).append(cost)
        rows = [
            (operator, kind, sum(c.count for c in costs), sum(c.total_ms for c in costs))
            for (operator, kind), costs in groups.items()
        ]
        return sorted(rows, key=lambda row: -row[3])

    def to_dict(self) -> dict:
        """Returns the figures as a dict that JSON can hold."""
        return {
            **asdict(self.entry),
            "threads": self.threads,
            "whole_ms": self.whole.to_dict(),
            "sum_ms": self.sum_ms,
            "operators": [{**asdict(cost), "total_ms": cost.total_ms} for cost in self.costs],
        }


def operator_costs(
    path: str | os.PathLike,
    entry: Entry | None = None,
    threads: int = 2,
    rounds: int = 20,
    progress: Callable[[int, int], None] | None = None,
) -> OperatorCosts:
    """Times every distinct operator of a graph on its own, and the whole.

    Args:
        path: path. A `.tflite` file.
        entry: Entry. Which signature. Defaults to `None`: the file's first.
        threads: int. Threads of the interpreter. Defaults to `2`.
        rounds: int. Rounds a pair of files is timed in. Defaults to `20`.
        progress: callable. Called with how many distinct operators are done, and of how many.
            Defaults to `None`.

    Raises:
        TinyBertError: If the file cannot be read or run, or has an operator that does not run
            alone, such as a loop.
    """
    file = read_model_file(path)
    entry = entry or entries(file)[0]
    counts: dict[tuple, int] = {}
    operators: dict[tuple, SingleOperator] = {}
    for operator in file.model.subgraphs[entry.subgraph].operators:
        single = SingleOperator(file.model, entry.subgraph, operator)
        counts[single.key] = counts.get(single.key, 0) + 1
        operators.setdefault(single.key, single)
    costs = []
    for key, operator in operators.items():
        each = _time_alone(operator, threads, rounds, str(path))
        costs.append(OperatorCost(operator.name, operator.kind, operator.shapes, counts[key], each))
        if progress is not None:
            progress(len(costs), len(operators))
    whole = take_turns({"": timed(FileCall(path, entry, threads))}, rounds=rounds)[""].latency
    return OperatorCosts(entry, threads, whole, sorted(costs, key=lambda cost: -cost.total_ms))


def _time_alone(operator: SingleOperator, threads: int, rounds: int, path: str) -> float:
    """Milliseconds of one operator: what each further copy of it adds to a file."""
    try:
        with quiet_stderr():
            one, many = (operator.interpreter(copies, threads) for copies in (1, _COPIES))
            turns = {"one": timed(one.invoke), "many": timed(many.invoke)}
            timings = take_turns(turns, rounds=rounds, pause=0.002)
    except (RuntimeError, ValueError) as error:
        raise TinyBertError(
            "Expected operators that run on their own. "
            f"Received: {operator.name} of {path!r} ({' '.join(str(error).split())})"
        ) from error
    pairs = zip(timings["one"].rounds, timings["many"].rounds, strict=True)
    return max(0.0, statistics.median(many - one for one, many in pairs) / (_COPIES - 1))
