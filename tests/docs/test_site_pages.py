"""What the pages say exists: commands with their options, error messages, Python that runs."""

import ast
import inspect
import re
import shlex
from enum import Enum
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
WORDS = {
    "good": "good",
    "great": "good",
    "lovely": "good",
    "bad": "bad",
    "dull": "bad",
    "awful": "bad",
}
LABELED = "".join(
    f"a {word} {noun},{label}\n"
    for noun in ("film", "movie", "plot", "cast")
    for word, label in WORDS.items()
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, also those indented in a tab."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", page.read_text("utf-8"), re.M | re.S)
    return [re.sub(rf"^{indent}", "", block, flags=re.M) for indent, block in found]


def commands(page: Path) -> list[list[str]]:
    """The words of each `tinybert-tf` line."""
    lines = "\n".join(code_blocks(page, "bash")).replace("\\\n", " ").splitlines()
    return [
        shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tinybert-tf")
    ]


def check(words: list[str], tree) -> None:
    """Asserts that a line names what exists: command, options, values; and that nothing lacks."""
    if words == ["--help"]:
        return
    name, *rest = words
    assert name in tree.commands, f"no command {name!r}"
    options = {
        flag: option
        for option in tree.commands[name].params
        if option.param_type_name == "option"
        for flag in (*option.opts, *option.secondary_opts)
    }
    types = get_type_hints(inspect.unwrap(tree.commands[name].callback))
    arguments = [p for p in tree.commands[name].params if p.param_type_name == "argument"]
    given, position = 0, 0
    while position < len(rest):
        word = rest[position]
        position += 1
        if not word.startswith("--"):
            given += 1
            continue
        assert word in options, f"{name} has no option {word}"
        if options[word].is_flag:
            continue
        value = rest[position]
        position += 1
        kind = types[options[word].name]
        for choices in get_args(kind) or [kind]:
            if isinstance(choices, type) and issubclass(choices, Enum):
                assert value in {choice.value for choice in choices}, f"{word} {value}"
    needed = {flag for flag, option in options.items() if option.required}
    assert needed <= set(rest), f"{name} needs {needed}"
    least = sum(argument.required for argument in arguments)
    most = float("inf") if any(a.nargs == -1 for a in arguments) else len(arguments)
    assert least <= given <= most, f"{name} takes {least} to {most} arguments, not {given}"


@pytest.fixture(scope="module")
def tree():
    """The commands of `tinybert-tf`."""
    import typer

    from tinybert_tf.cli.app import app

    return typer.main.get_command(app)


def test_command_lines_exist(tree):
    lines = [(page, words) for page in PAGES for words in commands(page)]
    assert len(lines) > 40
    faults = []
    for page, words in lines:
        try:
            check(words, tree)
        except (AssertionError, IndexError) as error:
            faults.append(f"{name_of(page)}: tinybert-tf {' '.join(words)}: {error}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "line",
    [
        "improve data.csv",
        "export run --out m.tflite --targte small",
        "export run --out m.tflite --target smaller",
        "verify",
        "export run",
    ],
)
def test_wrong_command_lines_are_found(line, tree):
    with pytest.raises(AssertionError):
        check(line.split(), tree)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_compile(page):
    for block in code_blocks(page, "python"):
        compile(block, name_of(page), "exec")


def test_names_in_python_blocks_exist():
    import tinybert_tf as tb
    from tinybert_tf import export

    found = set()
    for page in PAGES:
        for block in code_blocks(page, "python"):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    found.add((node.value.id, node.attr))
    used = {pair for pair in found if pair[0] in ("tb", "export")}
    assert len(used) > 30
    missing = {
        f"{module}.{name}"
        for module, name in used
        if not hasattr({"tb": tb, "export": export}[module], name)
    }
    assert not missing


def source_strings() -> str:
    """Every string constant of the package, f-strings without their values, in one line each."""
    texts = []
    for folder in ("tinybert_tf", "export"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (
                        part.value if isinstance(part, ast.Constant) else "…"
                        for part in node.values
                    )
                    texts.append("".join(parts))
    return "\n".join(" ".join(text.split()) for text in texts)


def test_quoted_errors_are_those_of_the_code():
    quoted = [" ".join(block.split()) for block in code_blocks(DOCS / "troubleshooting.md", "text")]
    assert len(quoted) >= 20
    sources = source_strings()
    for message in quoted:
        parts = [part.strip() for part in message.split("…") if len(part.strip()) > 3]
        parts = [piece for part in parts for piece in re.split(r"(?<=\.) (?=Received:)", part)]
        assert parts
        for part in parts:
            assert part in sources, part


@pytest.mark.slow
def test_the_python_tutorial_runs(tmp_path, monkeypatch, capfd, tiny_hf_folder):
    """Block by block as printed, with a tiny encoder and one epoch."""
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "dev.csv"):
        Path(name).write_text("text,label\n" + LABELED * 8, encoding="utf-8")
    program = "\n".join(code_blocks(DOCS / "tutorials" / "python.md", "python"))
    for printed, tiny in (
        ('"bert-base-uncased"', repr(str(tiny_hf_folder))),
        ('student_of(teacher, "tinybert_4l_312"', "student_of(teacher, num_layers=1"),
        ("    epochs=3,\n", "    epochs=5,\n    learning_rate=1e-2,\n"),
        ('    run_dir="runs/student",\n', '    run_dir="runs/student",\n    epochs=1,\n'),
    ):
        assert program.count(printed) == 1, printed
        program = program.replace(printed, tiny)
    exec(compile(program, "docs/tutorials/python.md", "exec"), {})
    assert Path("model.tflite").stat().st_size > 1000
    assert "GPU" in capfd.readouterr().out
