"""Regular and editable installs both hold the package, its data and `tinybert_tf.export`."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import tinybert_tf

ROOT = Path(__file__).parents[1]
FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "CHANGELOG.md")
SHOW = "import tinybert_tf, tinybert_tf.export as e; print(tinybert_tf.__file__, e.__file__)"


def call(*command, **options) -> str:
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the sources: building leaves files behind."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("tinybert_tf", "export"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> Path:
    pytest.importorskip("wheel", reason="building without isolation needs the package wheel")
    folder = tmp_path_factory.mktemp("wheel")
    flags = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", folder)
    call(sys.executable, "-m", "pip", "wheel", *flags, checkout)
    return next(folder.glob("*.whl"))


def test_wheel_holds_code_and_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    info = f"tinybert_tf-{tinybert_tf.__version__}.dist-info/"
    assert {name.split("/")[0] for name in names} == {"tinybert_tf", info.rstrip("/")}
    sources = {
        f"tinybert_tf/{path.relative_to(ROOT / 'tinybert_tf').as_posix()}"
        for path in (ROOT / "tinybert_tf").rglob("*")
        if path.suffix in (".py", ".json", ".tsv", ".txt", ".csv", ".typed")
    } | {
        f"tinybert_tf/export/{path.relative_to(ROOT / 'export').as_posix()}"
        for path in (ROOT / "export").rglob("*")
        if path.suffix in (".py", ".json")
    }
    assert {name for name in names if not name.startswith(info)} == sources
    assert {"tinybert_tf/py.typed", "tinybert_tf/text/intents/test.tsv"} <= sources
    assert any(name.startswith(info) and name.endswith("LICENSE") for name in names)


def test_wheel_describes_itself(wheel):
    archive = zipfile.ZipFile(wheel)
    info = f"tinybert_tf-{tinybert_tf.__version__}.dist-info/"
    metadata = Parser().parsestr(archive.read(info + "METADATA").decode())
    assert metadata["Version"] == tinybert_tf.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata["Requires-Python"].split(",")) == {">=3.10", "<3.13"}
    core = {
        line.split(">")[0].split("<")[0]
        for line in metadata.get_all("Requires-Dist")
        if "extra ==" not in line
    }
    assert {"tensorflow", "keras", "keras-nlp", "ai-edge-litert", "tokenizers"} <= core
    assert not {"torch", "transformers", "mediapipe", "matplotlib", "datasets"} & core
    scripts = archive.read(info + "entry_points.txt").decode()
    assert "tinybert-tf = tinybert_tf.cli:main" in scripts


def test_regular_install_imports_export(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}
    shown = call(sys.executable, "-c", SHOW, cwd=tmp_path, env=environment)
    package = site / "tinybert_tf"
    assert shown.split() == [str(package / "__init__.py"), str(package / "export/__init__.py")]


def test_editable_install_imports_export(checkout, tmp_path):
    pytest.importorskip("wheel", reason="building without isolation needs the package wheel")
    call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    # What is installed here, without its own editable packages: those .pth files are not read.
    purelib = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(purelib, "outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    flags = ("--no-deps", "--no-build-isolation", "--quiet")
    call(sys.executable, "-m", "pip", "--python", python, "install", *flags, "-e", checkout)

    shown = call(python, "-c", SHOW, cwd=tmp_path)
    expected = [checkout / "tinybert_tf/__init__.py", checkout / "export/__init__.py"]
    assert shown.split() == [str(path) for path in expected]
    version = call(tmp_path / "venv/bin/tinybert-tf", "--version", cwd=tmp_path)
    assert version == f"tinybert-tf {tinybert_tf.__version__}\n"


def test_no_top_level_package_is_called_export():
    with pytest.raises(ModuleNotFoundError):
        call_in_elsewhere("import export")


def call_in_elsewhere(code: str) -> None:
    """Runs code away from the checkout, whose folder `export` would be found as a namespace."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    if "ModuleNotFoundError" in result.stderr:
        raise ModuleNotFoundError(result.stderr)
