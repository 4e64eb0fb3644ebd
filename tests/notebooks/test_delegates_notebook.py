"""The delegates notebook shows what the package's checks say."""

import pytest
from notebook_files import (
    all_text,
    check_outputs,
    check_stored,
    execute,
    outputs,
    pictures,
    table_of,
    text_of,
)
from notebook_files import stored as read_stored

from tinybert_tf import export


def sizes(notebook: dict) -> dict[str, float]:
    """The table of targets: megabytes."""
    tables = [text_of(output) for output in outputs(notebook) if "| target |" in text_of(output)]
    return {name: float(row["size (MB)"]) for name, row in table_of(tables[0]).items()}


def test_stored():
    check_stored("delegates", figures=1)
    found = sizes(read_stored("delegates"))
    assert set(found) == set(export.TARGETS)
    assert found["small"] < found["universal"] < found["float32"] / 3


@pytest.mark.slow
def test_runs_and_counts_as_the_checker_does(tmp_path):
    notebook = execute("delegates", tmp_path)
    check_outputs(notebook)
    assert len(pictures(notebook)) == 1
    written = tmp_path / "runs" / "delegates"
    for target, size in sizes(notebook).items():
        assert size == pytest.approx((written / f"{target}.tflite").stat().st_size / 1e6, abs=0.06)
    found = export.check_delegates(written / "universal.tflite").summary("nnapi")
    assert f"takes {found.accepted} of {found.total}" in all_text(notebook)
