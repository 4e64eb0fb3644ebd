"""The documentation site builds without a warning, and every public name has its place in it."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("mkdocs", "material", "mkdocstrings_handlers", "latex2mathml")


def public_names(file: str, variable: str) -> set[str]:
    """The names in a dict or list at the top of a module, read without importing it."""
    for node in ast.parse((ROOT / file).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == variable:
            return set(ast.literal_eval(node.value))
    raise AssertionError(f"{file} has no {variable}")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; strict, so that a warning, a dead link or a missing name fails."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        reason = f"the site is not built: pip install '.[docs]' brings {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    return folder


def test_pages_outside_docs_are_there(site):
    for file, page in (("RESULTS.md", "results.html"), ("CHANGELOG.md", "changelog.html")):
        headings = re.findall(r"^## (.*)$", (ROOT / file).read_text("utf-8"), re.M)
        built = (site / page).read_text("utf-8")
        assert headings
        for heading in headings:
            assert heading.split(":")[0] in built


@pytest.mark.parametrize(
    "package, file, variable",
    [
        ("tinybert_tf", "tinybert_tf/__init__.py", "_PUBLIC"),
        ("tinybert_tf.export", "export/__init__.py", "__all__"),
    ],
)
def test_every_public_name_has_its_place(site, package, file, variable):
    pages = [page.read_text("utf-8") for page in (site / "reference").glob("*.html")]
    anchors = {name for page in pages for name in re.findall(r'id="([\w.]+)"', page)}
    expected = {f"{package}.{name}" for name in public_names(file, variable)}
    assert expected - anchors == set()


def test_arguments_come_from_the_docstrings(site):
    page = (site / "reference" / "models.html").read_text("utf-8")
    entry = page.split('id="tinybert_tf.TinyBertBackbone"')[1]
    entry = entry.split('id="tinybert_tf.TinyBertTokenizer"')[0]
    for text in ("Total width of the attention heads", "Width of a factorized word table"):
        assert text in entry


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]+src=[\"']?(?:https?:)?//[^\"'> ]+"
            r"|<link[^>]+rel=[\"']?(?:stylesheet|preconnect)[^>]+href=[\"']?(?:https?:)?//[^>]+",
            page.read_text("utf-8"),
        )
        assert not loaded, f"{page.name}: {loaded}"


def test_formulas_are_mathml(site):
    for name in ("worked_example.html", "tutorials/distillation-explained.html"):
        page = (site / name).read_text("utf-8")
        assert page.count("<math ") >= 3
        assert "arithmatex" not in page
        assert "\\frac" not in re.sub(r"<annotation.*?</annotation>", "", page)
