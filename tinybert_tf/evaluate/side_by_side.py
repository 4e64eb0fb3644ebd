"""Timing of several contenders in turns, so that a busy machine slows all of them alike."""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.latency import Latency, call_times

# A turn: takes a number of calls, returns the milliseconds of each.
Turn = Callable[[int], list[float]]


@dataclass(frozen=True)
class Ratio:
    """How many times as long as another contender, round by round.

    Args:
        median: float. Median of the rounds' ratios: the figure to report.
        low: float. Their lower quartile.
        high: float. Their upper quartile.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Timing:
    """One contender's figures.

    Args:
        latency: Latency. Of single calls, over all rounds.
        ratio: Ratio. Its time over that of the contender it is compared with, of the same round
            each.
        rounds: list of floats. The median of each round in milliseconds.
    """

    latency: Latency
    ratio: Ratio
    rounds: list[float]

    def to_dict(self) -> dict:
        """Returns the figures as a dict that JSON can hold."""
        return {**self.latency.to_dict(), "ratio": asdict(self.ratio), "rounds_ms": self.rounds}


def timed(function: Callable[[], object], settle: int = 1) -> Turn:
    """Makes a turn of a function: a few calls to find its data again, then the timed ones.

    Args:
        function: callable without arguments. It must wait for its own result.
        settle: int. Calls before the timed ones of each turn; they bring weights back into the
            caches that the contender before has used. Defaults to `1`.
    """

    def turn(calls: int) -> list[float]:
        for _ in range(settle):
            function()
        return call_times(function, calls)

    return turn


def take_turns(
    contenders: Mapping[str, Turn],
    rounds: int = 20,
    calls: int = 5,
    pause: float = 0.005,
    turn_ms: float = 100.0,
    seed: int = 0,
    references: Mapping[str, str] | None = None,
    progress: Callable[[], None] | None = None,
) -> dict[str, Timing]:
    """Times contenders in rounds; in each, every contender has one turn, in a random order.

    The pause before a turn lets the threads of the contender before go to sleep: thread pools spin
    for some milliseconds after their work and would take a core from the next.

    Args:
        contenders: dict of name to turn.
        rounds: int. Rounds. Defaults to `20`.
        calls: int. Timed calls a turn; slow contenders make fewer. Defaults to `5`.
        pause: float. Seconds of rest before each turn. Defaults to `0.005`.
        turn_ms: float. Time after which a turn of a slow contender ends, in milliseconds; it has
            at least one timed call. Defaults to `100.0`.
        seed: int. Of the order. Defaults to `0`.
        references: dict of name to the name it is compared with. Defaults to `None`: all are
            compared with the first.
        progress: callable. Called after each turn. Defaults to `None`.

    Returns:
        Dict of name to Timing, in the order of `contenders`.

    Raises:
        TinyBertError: If there is no contender, or a count is below 1.
    """
    if not contenders or rounds < 1 or calls < 1:
        raise TinyBertError(
            "Expected a contender, and at least one round and one call. "
            f"Received: {len(contenders)} contenders, rounds={rounds!r}, calls={calls!r}"
        )
    counts = {}
    for name, turn in contenders.items():
        turn(2)  # traces graphs, packs weights
        time.sleep(pause)
        counts[name] = max(1, min(calls, round(turn_ms / max(min(turn(2)), 1e-6))))
    order, shuffle = list(contenders), random.Random(seed)
    measured: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            time.sleep(pause)
            measured[name].append(contenders[name](counts[name]))
            if progress is not None:
                progress()
    return _timings(measured, references or {})


def _timings(
    measured: dict[str, list[list[float]]], references: Mapping[str, str]
) -> dict[str, Timing]:
    medians = {
        name: [statistics.median(calls) for calls in rounds] for name, rounds in measured.items()
    }
    first = next(iter(medians))
    timings = {}
    for name, rounds in measured.items():
        calls = [value for values in rounds for value in values]
        latency = Latency(statistics.median(calls), min(calls), max(calls), len(calls))
        other_rounds = medians[references.get(name, first)]
        ratios = [own / other for own, other in zip(medians[name], other_rounds, strict=True)]
        timings[name] = Timing(latency, _ratio(ratios), medians[name])
    return timings


def _ratio(ratios: list[float]) -> Ratio:
    if len(ratios) == 1:
        return Ratio(ratios[0], ratios[0], ratios[0])
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(median, low, high)
