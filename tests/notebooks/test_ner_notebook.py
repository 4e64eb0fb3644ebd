"""The tagger's notebook: its file finds what the notebook shows."""

import re

import pytest
from notebook_files import all_text, check_outputs, check_stored, execute, pictures
from notebook_files import stored as read_stored

from tinybert_tf import export


def test_stored():
    check_stored("ner", figures=1)
    text = all_text(read_stored("ner"))
    assert float(re.search(r"entity F1 ([\d.]+)", text)[1]) > 0.8
    assert re.search(r"14 to +21 +day +Sunday|11 to +20 +day +on Sunday", text)


@pytest.mark.slow
def test_runs_and_its_file_finds_the_same(tmp_path):
    notebook = execute("ner", tmp_path)
    check_outputs(notebook)
    assert len(pictures(notebook)) == 1
    tagger = export.open_file(tmp_path / "runs" / "ner" / "ner.tflite")
    text = all_text(notebook)
    for found in tagger.find_entities(["call Linda on Sunday"])[0]:
        shown = f"{found['start']:3} to {found['end']:3}  {found['type']:5} {found['text']}"
        assert shown in text
