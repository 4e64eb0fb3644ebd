"""`hf:` names, with data sets in local folders: nothing is fetched."""

import sys

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.readers import read_examples


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A folder in the hub's layout: train and test splits, with named classes."""
    datasets = pytest.importorskip("datasets", reason="hf: names need datasets")
    folder = tmp_path_factory.mktemp("hub") / "moods"
    folder.mkdir()
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["sad", "glad"]),
            "moods": datasets.Sequence(datasets.ClassLabel(names=["x", "y"])),
            "bare": datasets.Value("int64"),
        }
    )
    for split, labels in (("train", [1, 0, 1]), ("test", [0, -1])):
        columns = {
            "text": [f"{split} {row}" for row in range(len(labels))],
            "label": labels,
            "moods": [[0, 1], [], [1]][: len(labels)],
            "bare": [7, 8, 9][: len(labels)],
        }
        table = datasets.Dataset.from_dict(columns, features=features)
        table.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    if "datasets" in sys.modules:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)


def test_class_names(dataset):
    examples = read_examples(f"hf:{dataset}")
    assert examples.texts == ["train 0", "train 1", "train 2"]
    assert examples.labels == ["glad", "sad", "glad"]
    assert examples.place(2) == f"hf:{dataset}:2"


def test_columns(dataset):
    assert read_examples(f"hf:{dataset}:train", label="bare").labels == ["7", "8", "9"]
    examples = read_examples(f"hf:{dataset}:train", label="moods", multi_label=True)
    assert examples.labels == [["x", "y"], [], ["y"]]


def test_configuration_and_split(dataset):
    examples = read_examples(f"hf:{dataset}:default:test", label="bare")
    assert examples.texts == ["test 0", "test 1"]


def test_unlabeled_row(dataset):
    with pytest.raises(TinyBertError, match=r"A label is expected.*moods:test:1: None"):
        read_examples(f"hf:{dataset}:test")


@pytest.mark.parametrize("tail", [":absent", ":absent:train"])
def test_absent_splits(dataset, tail):
    with pytest.raises(TinyBertError, match=r"that `datasets` can load.*absent"):
        read_examples(f"hf:{dataset}{tail}")


@pytest.mark.parametrize("name", ["hf:", "hf:a:", "hf:a:b:c:d"])
def test_malformed_names(name, dataset):
    with pytest.raises(TinyBertError, match="hf:NAME:CONFIG:SPLIT is expected"):
        read_examples(name)


def test_library_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TinyBertError, match=r"pip install 'tinybert-tf\[datasets\]'"):
        read_examples("hf:moods")
