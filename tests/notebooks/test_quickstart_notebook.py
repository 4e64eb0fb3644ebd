"""The quickstart runs from its first cell to its last, and what is stored of it can be read."""

import re
from pathlib import Path

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

INT8, FLOAT32 = "student, universal", "student, float32"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the notebook is executed; it writes to `runs/quickstart` in there."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def executed(folder):
    return execute("quickstart", folder)


def comparison(notebook: dict) -> dict[str, dict[str, float]]:
    """The last table: model -> heading -> number."""
    table = table_of(text_of(outputs(notebook)[-1]))
    return {
        name: {heading: float(cell.replace(",", "")) for heading, cell in row.items()}
        for name, row in table.items()
    }


def test_stored():
    check_stored("quickstart", figures=2)  # history, confusion


def test_stored_numbers_are_those_of_the_full_run():
    stored = read_stored("quickstart")
    training = re.search(r"([\d,]+) training", all_text(stored))[1]
    assert int(training.replace(",", "")) > 1000
    rows = comparison(stored)
    assert next(iter(rows)) == "teacher, float32"
    int8 = rows[INT8]
    assert int8["keeps (%)"] > 90
    assert int8["size (MB)"] < rows[FLOAT32]["size (MB)"] / 3
    assert int8["latency (ms)"] < rows["teacher, float32"]["latency (ms)"]


@pytest.mark.slow
def test_runs_from_the_first_cell_to_the_last(executed):
    check_outputs(executed)
    assert len(pictures(executed)) == 2


@pytest.mark.slow
def test_int8_file_agrees_with_the_saved_student(executed, folder):
    import keras

    import tinybert_tf as tb
    from tinybert_tf import export

    written = folder / "runs" / "quickstart"
    assert tb.TinyBertTextClassifier  # names load on first use, and Keras must know the class
    student = keras.models.load_model(written / "student.keras", compile=False)
    texts, labels = tb.load_intents(per_intent=1).test
    file = written / "student_universal.tflite"
    found = export.verify(file, texts, labels, classifier=student, progress=False)
    assert found.agreement >= 0.8  # it trained on in int8
    assert found.accuracy > 0.1  # chance: 0.045
    # What the notebook shows is what the file does.
    shown = comparison(executed)[INT8]["accuracy (%)"]
    assert shown == pytest.approx(100 * found.accuracy, abs=0.01)
    assert file.stat().st_size < (written / "student_float32.tflite").stat().st_size / 3
