"""`import tinybert_tf` is quick and silent, and imports point one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tinybert_tf

ROOT = Path(tinybert_tf.__file__).parents[1]
# A package may import those of a lower rank at its top; deferred imports break no cycle's rule.
RANKS = {
    "errors": 0,
    **dict.fromkeys(("atomic", "config", "quantization", "quiet"), 1),
    **dict.fromkeys(("runs", "text", "layers"), 2),
    **dict.fromkeys(("checkpoints", "evaluate"), 3),
    "models": 4,
    **dict.fromkeys(("training", "augmentation"), 5),
    "distillation": 6,
    **dict.fromkeys(("compress", "pretraining"), 7),
    **dict.fromkeys(("adaptive", "report"), 8),
    "export": 9,
    "cli": 10,
}
HEAVY = ("tensorflow", "keras", "keras_hub", "torch", "transformers", "matplotlib", "datasets")


def modules() -> list[tuple[str, Path]]:
    """Every module of the package as (dotted name, file)."""
    found = []
    for prefix, folder in (("tinybert_tf", "tinybert_tf"), ("tinybert_tf.export", "export")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([prefix, *(part for part in parts if part != "__init__")])
            found.append((name, path))
    return found


def imports(path: Path, top_level: bool) -> set[str]:
    """Modules of ours that a file imports, at its top only or anywhere."""
    tree = ast.parse(path.read_text("utf-8"))
    names = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.startswith("tinybert_tf.")}


def package(name: str) -> str:
    """`layers` of `tinybert_tf.layers.embeddings`."""
    return name.split(".")[1] if "." in name else ""


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")


def test_every_package_has_a_rank():
    assert {package(name) for name, _ in modules()} - {"", "__main__"} == set(RANKS)


def test_imports_point_one_way():
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules()
        if package(name) in RANKS
        for imported in imports(path, top_level=True)
        if package(imported) in RANKS.keys() - {package(name)}
        and RANKS[package(imported)] >= RANKS[package(name)]
    ]
    assert not wrong


def test_only_the_command_line_imports_export():
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules()
        if package(name) not in ("export", "cli")
        for imported in imports(path, top_level=False)
        if package(imported) == "export"
    ]
    assert not wrong


def test_layers_know_no_models():
    for name, path in modules():
        if package(name) == "layers":
            known = {package(i) for i in imports(path, top_level=False)}
            assert known <= {"layers", "errors", "config", "quantization"}, name


def test_importing_the_package_is_quick_and_silent():
    result = run(
        "import sys, time; start = time.process_time(); import tinybert_tf;"
        "assert time.process_time() - start < 0.5;"
        f"assert not set({HEAVY!r}) & set(sys.modules), sorted(sys.modules)"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "module",
    [
        *("errors", "atomic", "config", "quiet", "runs", "cli", "evaluate"),
        *("text.wordpiece", "text.readers", "text.weights", "text.intents"),
    ],
)
def test_light_modules_load_no_heavy_ones(module):
    result = run(
        f"import sys, tinybert_tf.{module};"
        f"found = set({HEAVY!r}) & set(sys.modules); assert not found, found"
    )
    assert result.returncode == 0, result.stderr


def test_every_public_name_resolves():
    for name in tinybert_tf.__all__:
        assert getattr(tinybert_tf, name) is not None
    assert dir(tinybert_tf) == tinybert_tf.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tinybert_tf.nothing  # noqa: B018
