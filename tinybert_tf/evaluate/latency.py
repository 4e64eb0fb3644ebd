"""Timing of a callable."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class Latency:
    """Wall-clock milliseconds of one call.

    Args:
        median_ms: float. The figure to report.
        min_ms: float. The fastest call.
        max_ms: float. The slowest call.
        repeats: int. How many calls were timed.
    """

    median_ms: float
    min_ms: float
    max_ms: float
    repeats: int

    def to_dict(self) -> dict:
        """Returns the fields as a dict that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.median_ms:.2f} ms "
            f"(min {self.min_ms:.2f}, max {self.max_ms:.2f}, {self.repeats} calls)"
        )


def time_calls(function: Callable[[], object], repeats: int = 50, warmup: int = 5) -> Latency:
    """Calls `function` and measures each call.

    Args:
        function: callable without arguments. It must wait for its own result.
        repeats: int. Number of timed calls. Defaults to `50`.
        warmup: int. Calls before timing starts, to trace graphs and fill caches.
            Defaults to `5`.

    Raises:
        TinyBertError: If `repeats` is below 1 or `warmup` below 0.
    """
    if repeats < 1 or warmup < 0:
        raise TinyBertError(
            f"Expected at least one timed call and no negative warm-up. "
            f"Received: repeats={repeats!r}, warmup={warmup!r}"
        )
    for _ in range(warmup):
        function()
    milliseconds = call_times(function, repeats)
    return Latency(statistics.median(milliseconds), min(milliseconds), max(milliseconds), repeats)


def call_times(function: Callable[[], object], calls: int) -> list[float]:
    """Calls `function` so many times; returns the milliseconds of each call."""
    milliseconds = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds
