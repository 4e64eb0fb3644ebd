"""How long calls of exported files take, one file alone or several side by side."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.latency import Latency, time_calls
from tinybert_tf.evaluate.side_by_side import Timing, take_turns, timed
from tinybert_tf.export.file_call import Entry, FileCall, entries
from tinybert_tf.export.model_file import read_model_file
from tinybert_tf.export.resident import Memory, measure_memory
from tinybert_tf.export.runner import open_file

# Timed calls of a contender between two of another.
_CALLS = 5


def time_file(
    path: str | os.PathLike, threads: int = 2, repeats: int = 50, warmup: int = 5
) -> Latency:
    """Times the graph of a file, without tokenization.

    Shapes are static, so that the figure does not depend on the text. Of a file with several
    lengths the longest is timed.

    Args:
        path: path. A `.tflite` text classifier.
        threads: int. Threads of the interpreter. Defaults to `2`.
        repeats: int. Timed calls. Defaults to `50`.
        warmup: int. Calls before timing starts. Defaults to `5`.

    Returns:
        Latency, in milliseconds.

    Raises:
        TinyBertError: If the file cannot be run or an argument is out of range.
    """
    runner = open_file(path, num_threads=threads)
    ids = np.zeros(runner.sequence_length, "int32")
    runner.run(ids)
    # Of a file with several signatures, `invoke` would run the first.
    single = len(runner.sequence_lengths) == 1
    call = runner.invoke if single else lambda: runner.run(ids)
    return time_calls(call, repeats=repeats, warmup=warmup)


@dataclass(frozen=True)
class FileContender:
    """A file's signature and a number of threads: what is timed as one row.

    Args:
        path: path. The file.
        size_bytes: int. Its size.
        entry: Entry. The signature.
        threads: int. Threads of the interpreter.
    """

    path: Path
    size_bytes: int
    entry: Entry
    threads: int

    @property
    def name(self) -> str:
        """Unique among the contenders of a comparison."""
        return f"{self.path} {self.entry.key} {self.threads}"


@dataclass(frozen=True)
class FileTiming:
    """What was found out about a contender.

    Args:
        contender: FileContender.
        timing: Timing. Its latency, and its ratio to the first contender of the same length and
            threads.
        memory: Memory or None. What loading and calling it takes, if that was measured.
    """

    contender: FileContender
    timing: Timing
    memory: Memory | None

    def to_dict(self) -> dict:
        """Returns the figures as a dict that JSON can hold."""
        contender = self.contender
        return {
            "file": str(contender.path),
            "size_bytes": contender.size_bytes,
            "signature": contender.entry.key,
            "tokens": contender.entry.sequence_length,
            "threads": contender.threads,
            **self.timing.to_dict(),
            "memory": None if self.memory is None else self.memory.to_dict(),
        }


def file_contenders(
    paths: Sequence[str | os.PathLike],
    threads: Sequence[int] = (2,),
    lengths: Sequence[int] | None = None,
) -> list[FileContender]:
    """Every signature of every file with every number of threads, by length first.

    Args:
        paths: list of paths. Files, each named once.
        threads: list of ints. Defaults to `(2,)`.
        lengths: list of ints. The lengths wanted; each file must have one of them at least.
            Defaults to `None`: all.

    Raises:
        TinyBertError: If a file cannot be read, is named twice or has none of the lengths, or a
            number of threads is below 1.
    """
    if len(set(map(Path, paths))) < len(paths) or not paths:
        raise TinyBertError(
            f"Expected files, each named once. Received: {', '.join(map(repr, map(str, paths)))}"
        )
    if not threads or min(threads) < 1:
        raise TinyBertError(f"Expected at least one thread. Received: threads={list(threads)}")
    contenders = []
    for path in paths:
        file = read_model_file(path)
        found = entries(file)
        chosen = [e for e in found if lengths is None or e.sequence_length in lengths]
        if not chosen:
            raise TinyBertError(
                f"Expected a file for {_spell(lengths)} tokens. Received: {str(path)!r} for "
                f"{_spell(e.sequence_length for e in found)}"
            )
        contenders += [
            FileContender(file.path, file.size_bytes, entry, count)
            for entry in chosen
            for count in threads
        ]
    # Stable: within a length and a number of threads, files stay in the order they are named.
    return sorted(contenders, key=lambda c: (-(c.entry.sequence_length or 0), c.threads))


def compare_files(
    contenders: Sequence[FileContender],
    repeats: int = 100,
    memory: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[FileTiming]:
    """Times files in turns, so that a busy machine slows all of them alike.

    A call is what an app pays for a text without its tokenization: inputs set, the graph run,
    outputs read. Ratios are taken within a round.

    Args:
        contenders: list of FileContender, see `file_contenders`.
        repeats: int. Timed calls of each, at least. Defaults to `100`.
        memory: bool. Whether to measure memory too, in a new process for each file and length.
            Defaults to `True`.
        progress: callable. Called with how many steps are done, and of how many. Defaults to
            `None`.

    Returns:
        List of FileTiming, in the order of `contenders`.

    Raises:
        TinyBertError: If a file cannot be run or `repeats` is below 1.

    Example:
        >>> rows = compare_files(file_contenders(["int8.tflite", "float32.tflite"]))
        >>> rows[1].timing.ratio.median
        3.61
    """
    if repeats < 1:
        raise TinyBertError(f"Expected at least one timed call. Received: repeats={repeats}")
    rounds = math.ceil(repeats / _CALLS)
    loads = {(c.path, c.entry): c.threads for c in contenders} if memory else {}
    steps = _Steps(len(loads) + rounds * len(contenders), progress)
    measured = {}
    for (path, entry), threads in loads.items():
        measured[path, entry] = measure_memory(path, entry.key, threads)
        steps.advance()
    turns = {c.name: timed(FileCall(c.path, c.entry, c.threads)) for c in contenders}
    timings = take_turns(
        turns,
        rounds=rounds,
        calls=min(_CALLS, repeats),
        references=_references(contenders),
        progress=steps.advance,
    )
    return [FileTiming(c, timings[c.name], measured.get((c.path, c.entry))) for c in contenders]


def _references(contenders: Sequence[FileContender]) -> dict[str, str]:
    """For each contender the first one of its length and threads."""
    firsts: dict[tuple, str] = {}
    return {
        contender.name: firsts.setdefault(
            (contender.entry.sequence_length, contender.threads), contender.name
        )
        for contender in contenders
    }


class _Steps:
    """Counts steps for a progress bar."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None):
        self._done, self._total, self._progress = 0, total, progress

    def advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _spell(lengths) -> str:
    return ", ".join("unknown" if length is None else str(length) for length in lengths)
