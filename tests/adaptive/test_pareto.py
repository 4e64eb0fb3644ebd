"""The table of measured sub-networks: front, choice, plot, file."""

import json
import struct

import pytest

import tinybert_tf as tb
from tinybert_tf.adaptive import Pareto, ParetoRow


def row(width, depth, megabytes, latency_ms, accuracy):
    return ParetoRow(width, depth, int(1e6 * width), megabytes, latency_ms, accuracy, "a.tflite")


SMALLEST = row(0.25, 0.5, 6.0, 1.0, 0.80)
NARROW = row(0.25, 1.0, 7.0, 2.0, 0.84)
SHALLOW = row(1.0, 0.5, 9.0, 2.5, 0.83)
MIDDLE = row(0.5, 1.0, 8.0, 3.0, 0.88)
LARGEST = row(1.0, 1.0, 12.0, 5.0, 0.88)


@pytest.fixture
def pareto():
    return Pareto((SMALLEST, NARROW, SHALLOW, MIDDLE, LARGEST), title="sst2, int8")


def test_front(pareto):
    """Shallow costs more than narrow and scores less; the largest is no better than the middle."""
    assert pareto.front() == [SMALLEST, NARROW, MIDDLE]
    assert pareto.front("megabytes") == [SMALLEST, NARROW, MIDDLE]
    swapped = row(1.0, 0.5, 5.5, 2.5, 0.80)
    assert Pareto((SMALLEST, NARROW, swapped)).front("megabytes") == [swapped, NARROW]
    better = row(0.5, 0.5, 6.0, 1.0, 0.81)  # of equal cost only the best
    assert Pareto((SMALLEST, better)).front() == [better]
    with pytest.raises(tb.TinyBertError, match="cost='watts'"):
        pareto.front("watts")


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, MIDDLE),  # as good as the largest, and faster
        ({"latency_ms": 2.9}, NARROW),
        ({"latency_ms": 3.0}, MIDDLE),
        ({"size_mb": 7.5}, NARROW),
        ({"latency_ms": 10, "size_mb": 6}, SMALLEST),
    ],
)
def test_choice(pareto, budget, expected):
    assert pareto.choose(**budget) == expected


def test_a_budget_that_none_meets_names_the_nearest(pareto):
    with pytest.raises(tb.TinyBertError) as error:
        pareto.choose(latency_ms=0.5)
    assert str(error.value) == (
        "Expected a budget that a sub-network meets. The nearest is width 0.25, depth 0.5: 1 ms, "
        "6 MB, accuracy 0.800. Received: latency_ms=0.5"
    )
    # The fastest is twice too slow, the other one only 1.2 times too large.
    small, fast = row(1.0, 0.5, 5.0, 2.0, 0.7), row(0.5, 1.0, 6.0, 1.0, 0.7)
    with pytest.raises(tb.TinyBertError, match=r"width 0.5, depth 1: .*latency_ms=1, size_mb=5"):
        Pareto((small, fast)).choose(latency_ms=1.0, size_mb=5.0)


@pytest.mark.parametrize("budget", [{"latency_ms": 0}, {"size_mb": -1}, {"size_mb": float("nan")}])
def test_budgets_out_of_range(pareto, budget):
    with pytest.raises(tb.TinyBertError, match=f"above 0. Received: {next(iter(budget))}="):
        pareto.choose(**budget)


def test_file(pareto, tmp_path):
    pareto.save(tmp_path / "pareto.json")
    assert Pareto.load(tmp_path / "pareto.json") == pareto
    stored = json.loads((tmp_path / "pareto.json").read_text("utf-8"))
    assert stored["rows"][0]["latency_ms"] == 1.0
    del stored["rows"][0]["accuracy"]
    (tmp_path / "short.json").write_text(json.dumps(stored))
    with pytest.raises(tb.TinyBertError, match=r"short\.json' \(KeyError: 'accuracy'"):
        Pareto.load(tmp_path / "short.json")
    with pytest.raises(tb.TinyBertError, match=r"none\.json"):
        Pareto.load(tmp_path / "none.json")
    with pytest.raises(tb.TinyBertError, match=r"rows=\(\)"):
        Pareto(())


def test_table(pareto):
    lines = str(pareto).splitlines()
    assert lines[0].startswith("| width | depth | parameters |")
    assert lines[2] == "| 0.25 | 0.5 | 250,000 | 6.00* | 1* | 80.00 |"
    assert lines[6] == "| 1 | 1 | 1,000,000 | 12.00 | 5 | 88.00 |"


def test_plot(pareto, tmp_path):
    path = tmp_path / "pareto.png"
    pareto.plot(path)
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert width > 1000 and height > 500
    other = tmp_path / "other.png"
    Pareto(pareto.rows[:1]).plot(other)
    assert other.read_bytes() != content
