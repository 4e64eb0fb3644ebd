"""Bundles: complete, checked by their own checksums, and replayed by the real runtime."""

import hashlib
import json

import numpy as np
import pytest
from export_models import TEXTS, VOCABULARY, build_classifier
from test_task_files import KINDS, build

import tinybert_tf as tb
from tinybert_tf.export import (
    TFLiteClassifier,
    read_bundle,
    to_tflite,
    verify_bundle,
    write_bundle,
)
from tinybert_tf.export.golden import HARD_TEXTS

LABELS = ["first", "second", "third", "first", "second", "third"]
FILES = {
    "model.tflite",
    "vocab.txt",
    "labels.txt",
    "manifest.json",
    "golden.jsonl",
    "MODEL_CARD.md",
    "README.md",
}


@pytest.fixture(scope="module")
def bundle(int8_file, tmp_path_factory):
    """A bundle of the int8 file. Read only."""
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    return write_bundle(
        int8_file,
        folder,
        examples=TEXTS,
        labels=LABELS,
        texts=["one more"],
        origin={"command": "test", "settings": {"epochs": 3}},
        license="MIT",
    )


@pytest.fixture
def copy(bundle, tmp_path):
    """A copy that may be changed, and a function that writes a file and its checksum."""
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())

    def write(name, content: bytes):
        (tmp_path / name).write_bytes(content)
        manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
        manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
        (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")

    return tmp_path, write


def test_holds_all_that_an_app_needs(bundle, int8_file):
    assert {path.name for path in bundle.folder.iterdir()} == FILES
    assert bundle.model.read_bytes() == int8_file.read_bytes()
    tokens = (bundle.folder / "vocab.txt").read_text("utf-8").splitlines()
    assert tokens == VOCABULARY
    labels = (bundle.folder / "labels.txt").read_text("utf-8").split()
    assert labels == ["first", "second", "third"]
    manifest = read_bundle(bundle.folder).manifest
    assert manifest == bundle.manifest
    assert manifest["task"] == "classification" and manifest["format_version"] == 1
    assert manifest["model"]["inputs"] == ["ids", "mask", "segment_ids"]
    assert manifest["model"]["signatures"] == [{"name": "serving_default", "length": 16}]
    assert manifest["tokenizer"]["kind"] == "bert" and manifest["tokenizer"]["strip_accents"]
    assert manifest["tokenizer"]["max_length"] == 16
    assert manifest["delegates"]["gpu_litert"]["refused"] == []
    assert set(manifest["sha256"]) == FILES - {"manifest.json"}


def test_golden_rows_are_the_files_answers(bundle, int8_file):
    lines = (bundle.folder / "golden.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["text"] for row in rows] == list(dict.fromkeys([*HARD_TEXTS, *TEXTS, "one more"]))
    runner = TFLiteClassifier(int8_file)
    expected = runner.predict_proba([row["text"] for row in rows])
    found = np.array([row["probabilities"] for row in rows])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert all(len(row["token_ids"]) <= 16 for row in rows)
    assert rows[0]["token_ids"] == [VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")]


def test_measurements_are_the_files(bundle, int8_file):
    measured = bundle.manifest["measured"]
    report = tb.evaluate_model(TFLiteClassifier(int8_file), TEXTS, LABELS)
    assert measured["score_name"] == "accuracy" and measured["examples"] == len(TEXTS)
    assert measured["score"] == pytest.approx(report.accuracy, abs=1e-6)
    assert measured["macro_f1"] == pytest.approx(report.macro_f1, abs=1e-6)
    assert measured["latency_ms"] > 0


def test_pages_say_what_the_manifest_says(bundle):
    card = (bundle.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "Weights: MIT" in card and "| settings epochs | 3 |" in card
    assert f"{bundle.manifest['measured']['score']:.4f} on 6 examples" in card
    assert card.count("\n| first |") == 1
    page = (bundle.folder / "README.md").read_text("utf-8")
    assert "CompiledModel.create(" in page and "TextClassifier.createFromFile(" in page
    assert "listOf(ids, mask, segments)" in page and "[1, S]" in page


def test_verifies(bundle):
    calls = []
    found = verify_bundle(bundle.folder, progress=lambda: calls.append(1))
    assert found.files == len(FILES) - 1
    assert found.rows == bundle.manifest["golden"]["rows"] == len(calls)
    assert found.largest_difference < 1e-5


@pytest.mark.parametrize("name", sorted(FILES - {"manifest.json"}))
def test_a_tampered_file_is_named(copy, name):
    folder, _ = copy
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(tb.TinyBertError, match=f"Expected '{name}' as it was bundled"):
        verify_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(tb.TinyBertError, match=f"Expected the file '{name}'"):
        verify_bundle(folder)


def test_another_vocabulary_is_refused(copy):
    folder, write = copy
    write("vocab.txt", "".join(f"{token}\n" for token in VOCABULARY[:-1]).encode())
    with pytest.raises(tb.TinyBertError, match="67 tokens. Received: .*vocab.txt' with 66 tokens"):
        verify_bundle(folder)


def test_another_model_does_not_give_the_golden_answers(copy, tmp_path_factory):
    folder, write = copy
    other = tmp_path_factory.mktemp("other") / "model.tflite"
    to_tflite(build_classifier(seed=5), other, target="universal")
    write("model.tflite", other.read_bytes())
    with pytest.raises(tb.TinyBertError, match="within 0.02. Received: a difference of .* text"):
        verify_bundle(folder)


def test_other_token_ids_are_refused(copy):
    folder, write = copy
    lines = (folder / "golden.jsonl").read_text("utf-8").splitlines()
    row = {**json.loads(lines[2]), "token_ids": [2, 7, 3]}
    write("golden.jsonl", (json.dumps(row) + "\n").encode())
    with pytest.raises(tb.TinyBertError, match="golden token ids for the text 'What a FILM!'"):
        verify_bundle(folder)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format_version": 2}, "version 1 or older.* Received: format_version=2"),
        ({"format": "zip"}, "the format 'tinybert_tf.bundle'"),
        ({"golden": None}, "Received: none of golden"),
    ],
)
def test_manifests_that_cannot_be_read_are_refused(copy, change, message):
    folder, _ = copy
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest |= change
    manifest = {key: value for key, value in manifest.items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(tb.TinyBertError, match=message):
        verify_bundle(folder)
    (folder / "manifest.json").write_text("{", "utf-8")
    with pytest.raises(tb.TinyBertError, match="Expected a readable manifest.json"):
        read_bundle(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(tb.TinyBertError, match="Expected a bundle, a folder with manifest.json"):
        read_bundle(folder)


def test_what_stands_at_the_folder_is_kept(bundle, int8_file, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", "utf-8")
    with pytest.raises(tb.TinyBertError, match="which holds something else"):
        write_bundle(int8_file, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(tb.TinyBertError, match="overwrite=True"):
        write_bundle(int8_file, bundle.folder)


def test_a_bundle_is_replaced_when_asked(int8_file, float_file, tmp_path):
    write_bundle(int8_file, tmp_path / "b")
    replaced = write_bundle(float_file, tmp_path / "b", overwrite=True)
    assert replaced.manifest["model"]["quantization"] == "float32"
    assert verify_bundle(tmp_path / "b").rows == len(HARD_TEXTS)


def test_a_file_without_vocabulary_is_refused(classifier, tmp_path):
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32", metadata=False).path
    with pytest.raises(tb.TinyBertError, match="packed vocabulary and labels"):
        write_bundle(path, tmp_path / "b")


def test_several_lengths_and_mediapipes_rules(tmp_path):
    classifier = build_classifier()
    classifier.use_tokenizer("mediapipe")
    path = to_tflite(classifier, tmp_path / "m.tflite", sequence_length=[8, 16]).path
    bundle = write_bundle(path, tmp_path / "b")
    assert [s["name"] for s in bundle.manifest["model"]["signatures"]] == ["tokens_8", "tokens_16"]
    assert bundle.manifest["tokenizer"]["kind"] == "mediapipe"
    assert not bundle.manifest["tokenizer"]["strip_accents"]
    page = (bundle.folder / "README.md").read_text("utf-8")
    assert '"tokens_${ids.size}"' in page and "MediaPipe Tasks" not in page
    assert verify_bundle(bundle.folder).largest_difference < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_other_tasks(kind, tmp_path):
    model, examples, labels = build(kind)
    if kind == "embedding":
        examples, labels = (TEXTS, TEXTS[::-1]), np.arange(len(TEXTS)) / 2
    path = to_tflite(model, tmp_path / "m.tflite", target="float32").path
    bundle = write_bundle(path, tmp_path / "b", examples=examples, labels=labels)
    assert bundle.manifest["task"] == {"tokens": "ner", "spans": "qa"}.get(kind, "embedding")
    report = tb.evaluate_model(model, examples, labels)
    expected = getattr(report, "spearman" if kind == "embedding" else "f1")
    assert bundle.manifest["measured"]["score"] == pytest.approx(expected, abs=1e-3)
    assert verify_bundle(bundle.folder).rows == bundle.manifest["golden"]["rows"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("regression", [False, True])
def test_pairs_are_replayed_as_pairs(regression, tmp_path):
    classifier = build_classifier()
    labels = LABELS
    if regression:
        parts = classifier.backbone, classifier.preprocessor
        classifier = tb.TinyBertTextClassifier(parts[0], num_classes=1, preprocessor=parts[1])
        classifier.output_dense.bias.assign([300.0])  # a score may be of any size
        labels = np.arange(len(TEXTS), dtype=float)
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    pairs = TEXTS, TEXTS[::-1]
    bundle = write_bundle(path, tmp_path / "b", examples=pairs, labels=labels)
    task = "pair_regression" if regression else "pair_classification"
    assert bundle.manifest["task"] == task
    lines = (bundle.folder / "golden.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert {(row["text"], row["text_pair"]) for row in rows} >= set(zip(*pairs, strict=True))
    assert all(1 in row["segment_ids"] for row in rows)
    assert verify_bundle(bundle.folder).rows == len(rows)
    tolerance = bundle.manifest["golden"]["tolerance"]
    assert tolerance > 0.02 if regression else tolerance == pytest.approx(1e-4)
    card = (bundle.folder / "MODEL_CARD.md").read_text("utf-8")
    page = (bundle.folder / "README.md").read_text("utf-8")
    assert "Input: two texts" in card and "MediaPipe Tasks" not in page


@pytest.mark.slow
def test_mediapipes_tokenizer_is_not_the_java_class(tmp_path):
    classifier = build_classifier()
    classifier.use_tokenizer("mediapipe")
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    page = (write_bundle(path, tmp_path / "b").folder / "README.md").read_text("utf-8")
    assert "`tokenizer.js`" in page and "`WordPieceTokenizer` does not" in page
