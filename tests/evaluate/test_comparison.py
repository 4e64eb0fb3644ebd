"""The comparison table and the timer."""

import json
import time

import pytest
from rich.console import Console

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import Comparison, ComparisonRow, evaluate_probabilities, time_calls


@pytest.fixture
def comparison():
    table = Comparison(title="dev")
    table.add("teacher", accuracy=0.8, macro_f1=0.75, parameters=22_713_986)
    table.add("student | int8", accuracy=0.79, size_mb=14.34, latency_ms=2.5)
    return table


def test_first_row_is_the_reference(comparison):
    teacher, student = comparison.rows
    assert comparison.keeps_percent(teacher) == pytest.approx(100)
    assert comparison.keeps_percent(student) == pytest.approx(98.75)
    assert comparison.to_dict()["reference"] == "teacher"


def test_dict_survives_json(comparison):
    rows = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))["rows"]
    assert rows[0]["parameters"] == 22_713_986
    assert rows[1]["macro_f1"] is None
    assert rows[1]["keeps_percent"] == pytest.approx(98.75)


def test_markdown(comparison):
    assert comparison.to_markdown() == (
        "| model | accuracy (%) | keeps (%) | macro F1 (%) | parameters | size (MB) "
        "| latency (ms) |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| teacher | 80.00 | 100.0 | 75.00 | 22,713,986 |  |  |\n"
        "| student \\| int8 | 79.00 | 98.8 |  |  | 14.34 | 2.50 |"
    )


def test_columns_that_no_row_fills_are_left_out():
    table = Comparison([ComparisonRow("only", 0.5)])
    assert table.to_markdown().splitlines()[0] == "| model | accuracy (%) | keeps (%) |"


def test_rich_table(comparison):
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(comparison)
    text = capture.get()
    lines = text.splitlines()
    position = next(i for i, line in enumerate(lines) if "teacher" in line and "80.00" in line)
    assert "├" in lines[position + 1]
    assert "14.34" in lines[position + 2]
    assert "percent of teacher's" in text


def test_a_report_gives_the_scores():
    report = evaluate_probabilities([[0.9, 0.1], [0.6, 0.4]], [0, 1], ["a", "b"])
    row = Comparison().add("model", report, size_mb=1.0)
    assert (row.accuracy, row.macro_f1) == (report.accuracy, report.macro_f1)


def test_a_reference_without_a_right_answer():
    table = Comparison()
    table.add("teacher", accuracy=0.0)
    table.add("student", accuracy=0.5)
    assert table.keeps_percent(table.rows[1]) is None
    assert "| student | 50.00 |" in table.to_markdown()


def test_refusals():
    with pytest.raises(TinyBertError, match=r"report or an accuracy.*Received: name='x'"):
        Comparison().add("x")
    with pytest.raises(TinyBertError, match=r"Received: accuracy=91.4"):
        Comparison().add("x", accuracy=91.4)
    with pytest.raises(TinyBertError, match="Received: macro_f1=nan"):
        Comparison().add("x", accuracy=0.9, macro_f1=float("nan"))
    with pytest.raises(TinyBertError, match="at least one row"):
        Comparison().to_markdown()


# === Timer ===


def test_calls_are_counted_and_timed():
    calls = []

    def work():
        calls.append(len(calls))
        time.sleep(0.02 if len(calls) <= 2 else 0.002)

    latency = time_calls(work, repeats=5, warmup=2)
    assert len(calls) == 7
    assert latency.repeats == 5
    assert 2 <= latency.min_ms <= latency.median_ms <= latency.max_ms
    assert latency.min_ms < 20
    assert set(latency.to_dict()) == {"median_ms", "min_ms", "max_ms", "repeats"}
    assert str(latency).endswith("5 calls)")


@pytest.mark.parametrize("arguments", [{"repeats": 0}, {"warmup": -1}])
def test_timer_refusals(arguments):
    with pytest.raises(TinyBertError, match="at least one timed call"):
        time_calls(lambda: None, **arguments)
