import json

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.side_by_side import take_turns, timed


class Scripted:
    """A contender whose every round takes a time known beforehand."""

    def __init__(self, name, milliseconds, log):
        self.name, self.log = name, log
        # Two turns find out how many calls fit; they are not part of the result.
        self.milliseconds = [milliseconds[0], milliseconds[0], *milliseconds]

    def __call__(self, calls):
        self.log.append((self.name, calls))
        return [self.milliseconds.pop(0)] * calls


def play(rounds, references=None, **milliseconds):
    log, done = [], []
    turns = {name: Scripted(name, values, log) for name, values in milliseconds.items()}
    timings = take_turns(
        turns,
        rounds=rounds,
        calls=5,
        pause=0.0,
        references=references,
        progress=lambda: done.append(1),
    )
    return timings, log[2 * len(turns) :], len(done)


def test_every_round_has_every_contender_once_in_changing_order():
    values = [1.0] * 12
    timings, log, steps = play(12, a=values, b=values, c=values)
    orders = ["".join(name for name, _ in log[i : i + 3]) for i in range(0, len(log), 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len(set(orders)) > 1
    assert steps == 36
    assert list(timings) == ["a", "b", "c"]


def test_ratios_are_taken_within_a_round():
    """A machine that is ten times slower in two of four rounds: the medians lie, ratios do not."""
    timings, _, _ = play(4, a=[1.0, 10.0, 1.0, 10.0], b=[2.0, 20.0, 2.0, 30.0])
    ratio = timings["b"].ratio
    assert (ratio.low, ratio.median, ratio.high) == (2.0, 2.0, 2.25)
    assert timings["a"].ratio.median == 1.0
    assert timings["b"].rounds == [2.0, 20.0, 2.0, 30.0]
    latency = timings["b"].latency
    assert (latency.min_ms, latency.max_ms, latency.repeats) == (2.0, 30.0, 20)
    assert latency.median_ms == 11.0


def test_ratios_to_a_contender_of_choice():
    timings, _, _ = play(1, {"d": "c"}, a=[1.0], b=[2.0], c=[4.0], d=[20.0])
    assert [timing.ratio.median for timing in timings.values()] == [1.0, 2.0, 4.0, 5.0]


def test_slow_contenders_make_fewer_calls():
    _, log, _ = play(1, fast=[1.0], slow=[40.0], slowest=[1000.0])
    assert dict(log) == {"fast": 5, "slow": 2, "slowest": 1}


def test_a_turn_does_not_count_its_first_calls():
    calls = []
    milliseconds = timed(lambda: calls.append(1), settle=2)(3)
    assert len(calls) == 5
    assert len(milliseconds) == 3
    assert all(value >= 0 for value in milliseconds)


def test_figures_as_json():
    timings, _, _ = play(2, a=[1.0, 1.0], b=[3.0, 3.0])
    figures = json.loads(json.dumps(timings["b"].to_dict()))
    assert figures["median_ms"] == 3.0
    assert figures["ratio"] == {"median": 3.0, "low": 3.0, "high": 3.0}
    assert str(timings["b"].ratio) == "3.00 (3.00 to 3.00)"


@pytest.mark.parametrize("change", [{"rounds": 0}, {"calls": 0}, {"contenders": {}}])
def test_counts_below_one_are_refused(change):
    with pytest.raises(TinyBertError, match="at least one round"):
        take_turns(**{"contenders": {"a": timed(int)}, **change})
