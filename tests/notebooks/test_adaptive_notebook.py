"""The adaptive notebook: what it chooses is in the table that it measured."""

import re

import pytest
from notebook_files import all_text, check_outputs, check_stored, execute, pictures
from notebook_files import stored as read_stored

import tinybert_tf as tb


def test_stored():
    check_stored("adaptive", figures=1)
    text = all_text(read_stored("adaptive"))
    share, latency = map(
        float, re.search(r"depth [\d.]+, ([\d.]+) % on dev, ([\d.]+) of the full", text).groups()
    )
    assert share > 75 and latency <= 0.5


@pytest.mark.slow
def test_runs_and_chooses_from_its_table(tmp_path):
    notebook = execute("adaptive", tmp_path)
    check_outputs(notebook)
    assert len(pictures(notebook)) == 1
    table = tb.Pareto.load(tmp_path / "runs" / "adaptive" / "pareto.json")
    assert len(table.rows) == 4
    chosen = table.choose(latency_ms=max(row.latency_ms for row in table.rows) / 2)
    assert f"width {chosen.width:g}, depth {chosen.depth:g}" in all_text(notebook)
