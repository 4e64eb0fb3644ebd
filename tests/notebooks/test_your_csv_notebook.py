"""The CSV notebook ends with a bundle that verifies."""

import pytest
from notebook_files import all_text, check_outputs, check_stored, execute, pictures

from tinybert_tf.export import verify_bundle


def test_stored():
    check_stored("your_csv", figures=1)


@pytest.mark.slow
def test_runs_and_leaves_a_bundle(tmp_path):
    notebook = execute("your_csv", tmp_path)
    check_outputs(notebook)
    assert len(pictures(notebook)) == 1
    found = verify_bundle(tmp_path / "runs" / "your_csv" / "bundle")
    assert f"{found.rows} golden vectors replayed" in all_text(notebook)
    assert found.bundle.manifest["name"] == "My intents"
