"""What mkdocs does beyond its plugins; `mkdocs.yml` names this file under `hooks`.

- RESULTS.md and CHANGELOG.md become pages of the site, from where they are; links to them, and to
  sources of the repository, are made to fit.
- The reference is read from a copy of the sources that is laid out as installed: the folder
  `export` as `tinybert_tf.export`. Nothing of it is imported.
- Formulas become MathML, which browsers render by themselves: no script, no font, no download.
"""

import atexit
import html
import posixpath
import re
import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from latex2mathml.converter import convert
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
# file of the repository -> page of the site
PAGES = {"RESULTS.md": "results.md", "CHANGELOG.md": "changelog.md"}

_MATHML = "http://www.w3.org/1998/Math/MathML"
_LINK = re.compile(r"\]\((?:\.\./)+(RESULTS\.md|CHANGELOG\.md)")
_SOURCE_LINK = re.compile(
    r"\[([^\]]+)\]\((?:\.\./)+(?:notebooks|benchmarks|tinybert_tf|export)/[^)]*\)"
)
_SESSION = re.compile(r"^( +)Example:(?=\n +>>>)", re.M)
_FORMULA = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)


@event_priority(100)  # before mkdocstrings reads its settings
def on_config(config):
    """Points the reference at a copy of the sources that is laid out as installed."""
    sources = Path(tempfile.mkdtemp(prefix="tinybert_docs_"))
    atexit.register(shutil.rmtree, sources, ignore_errors=True)
    only_python = shutil.ignore_patterns("__pycache__", "*.tsv", "*.txt", "*.csv")
    shutil.copytree(ROOT / "tinybert_tf", sources / "tinybert_tf", ignore=only_python)
    shutil.copytree(ROOT / "export", sources / "tinybert_tf" / "export", ignore=only_python)
    for path in sources.rglob("*.py"):  # a session under "Examples" is shown as one
        text = path.read_text("utf-8")
        path.write_text(_SESSION.sub(r"\1Examples:", text), encoding="utf-8")
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(sources)]
    return config


def on_files(files, config):
    """Adds the pages that stand outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown, page, **_):
    """Links to the repository's files: to their pages, or, without one, their name in code."""
    here = posixpath.dirname(page.file.src_uri)
    markdown = _LINK.sub(
        lambda link: f"]({posixpath.relpath(PAGES[link[1]], here or '.')}", markdown
    )
    return _SOURCE_LINK.sub(lambda link: link[1], markdown)


def on_page_content(content, **_):
    """Formulas, `<... class="arithmatex">` with LaTeX inside, as MathML."""
    return _FORMULA.sub(_mathml, content)


def _mathml(formula: re.Match) -> str:
    tag, latex = formula[1], html.unescape(formula[2])
    ElementTree.register_namespace("", _MATHML)
    math = ElementTree.fromstring(convert(latex, display="block" if tag == "div" else "inline"))
    for pair in math.iter(f"{{{_MATHML}}}msub"):
        # Without a mathematical font, browsers leave an index on the line: it is lowered here.
        base, index = pair
        pair.tag = f"{{{_MATHML}}}mrow"
        pair[:] = [base, ElementTree.Element(f"{{{_MATHML}}}mpadded", voffset="-0.3em")]
        ElementTree.SubElement(pair[1], f"{{{_MATHML}}}mstyle", scriptlevel="1").append(index)
    return f'<{tag} class="formula">{ElementTree.tostring(math, encoding="unicode")}</{tag}>'
