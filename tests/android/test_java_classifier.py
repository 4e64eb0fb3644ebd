"""The Java classifier on a bundle, with the real model run by LiteRT at the other end of a pipe."""

import shutil

import numpy as np
import pytest
from java_client import (
    JAVA_FOLDER,
    SOURCES,
    FileInterpreter,
    javac,
    litert,
    need_java,
    supported_releases,
)
from small_bundle import (
    LABELS,
    LENGTH,
    TEXTS,
    change_manifest,
    make_bundle,
    read_golden,
    read_manifest,
)

from tinybert_tf.evaluate import OutOfScopeThreshold
from tinybert_tf.evaluate.out_of_scope import detect
from tinybert_tf.export import TFLiteClassifier


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle whose file takes one length. Read only."""
    return make_bundle(tmp_path_factory.mktemp("one") / "bundle", (LENGTH,))


@pytest.fixture(scope="module")
def bundle_of_lengths(tmp_path_factory):
    """A bundle whose file has two signatures. Read only."""
    return make_bundle(tmp_path_factory.mktemp("two") / "bundle", (8, LENGTH))


@pytest.fixture
def copy(bundle, tmp_path):
    """A bundle to be changed."""
    return shutil.copytree(bundle, tmp_path / "copy")


def open_bundle(java, folder) -> None:
    answer = java.ask(bundle=str(folder))
    assert answer.get("model") == "model.tflite", answer
    java.run = litert(folder / "model.tflite")


def by_label(answer: dict, labels=LABELS) -> np.ndarray:
    """The probabilities in the order of the labels, the very float32 that Java has."""
    found = dict(zip(answer["names"], answer["probabilities"], strict=True))
    return np.float32([found[label] for label in labels])


def rounded(probabilities: np.ndarray) -> list[float]:
    """As golden.jsonl holds them."""
    return np.round(probabilities.astype("float64"), 6).tolist()


# === The compiled code ===


def test_compiles_without_java_8_classes(tmp_path):
    """Android 5 (API 21) has the classes of Java 7, whatever language the compiler accepts."""
    need_java()
    if 7 not in supported_releases():
        pytest.skip("this javac no longer compiles for Java 7; that of JDK 17 does")
    done = javac(7, tmp_path, *SOURCES)
    assert done.returncode == 0, done.stderr


# === Answers ===


@pytest.mark.parametrize("name", ["bundle", "bundle_of_lengths"])
def test_golden_vectors(java, request, name):
    folder = request.getfixturevalue(name)
    open_bundle(java, folder)
    golden = read_golden(folder)
    found = java.encode([row["text"] for row in golden], max_length=LENGTH)
    assert found["token_ids"] == [row["token_ids"] for row in golden]
    assert found["segment_ids"] == [row["segment_ids"] for row in golden]
    exact = TFLiteClassifier(folder / "model.tflite").predict_proba([row["text"] for row in golden])
    for row, wanted in zip(golden, exact, strict=True):
        answer = java.ask(classify=row["text"])
        assert by_label(answer).tolist() == wanted.tolist()
        assert rounded(by_label(answer)) == row["probabilities"]
        assert answer["probabilities"] == sorted(answer["probabilities"], reverse=True)
        assert answer["labels"] == answer["names"][:1]
        assert not answer["out_of_scope"]
        assert answer["num_tokens"] == len(row["token_ids"])
    assert len({tuple(row["probabilities"]) for row in golden}) > 20


def test_committed_bundle(java):
    folder = JAVA_FOLDER.parent / "bundle"
    if not folder.is_dir():
        pytest.skip("android_demo_assets/bundle is not here: make_bundle.py makes it")
    assert java.ask(verify=str(folder))["verified"]
    open_bundle(java, folder)
    labels = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    length = read_manifest(folder)["tokenizer"]["max_length"]
    for row in read_golden(folder):
        assert java.encode([row["text"]], max_length=length)["token_ids"] == [row["token_ids"]]
        found = by_label(java.ask(classify=row["text"]), labels)
        np.testing.assert_allclose(found, row["probabilities"], atol=1e-6)


def open_assets(java, folder) -> None:
    """Opens a bundle by the classes that an app uses: assets and LiteRT's Interpreter."""
    java.interpreter = FileInterpreter(folder / "model.tflite")
    answer = java.ask(assets=str(folder.parent), folder=folder.name)
    assert answer.get("model") == "model.tflite", answer


@pytest.mark.parametrize("name", ["bundle", "bundle_of_lengths"])
def test_android_classes_answer_as_python(java, request, name):
    folder = request.getfixturevalue(name)
    open_assets(java, folder)
    texts = [row["text"] for row in read_golden(folder)]
    exact = TFLiteClassifier(folder / "model.tflite").predict_proba(texts)
    for text, wanted in zip(texts, exact, strict=True):
        assert by_label(java.ask(classify=text)).tolist() == wanted.tolist()


def test_android_classes_on_the_committed_bundle(java):
    """Its file has a second output, which the app's runner must not take for the answer."""
    folder = JAVA_FOLDER.parent / "bundle"
    open_assets(java, folder)
    assert [output["shape"][1] for output in java.interpreter.outputs("")] == [22, 12 * 32]
    labels = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    for row in read_golden(folder)[:20]:
        found = by_label(java.ask(classify=row["text"]), labels)
        np.testing.assert_allclose(found, row["probabilities"], atol=1e-4)


def test_shortest_signature_runs(java, bundle_of_lengths):
    open_bundle(java, bundle_of_lengths)
    run, used = java.run, []

    def watched(signature, rows):
        used.append((signature, [len(row) for row in rows]))
        return run(signature, rows)

    java.run = watched
    for text in ("the hello", "the " * 6, "the " * 7):
        java.ask(classify=text)
    assert used == [("tokens_8", [8] * 3)] * 2 + [(f"tokens_{LENGTH}", [LENGTH] * 3)]


def test_pairs(java, bundle):
    open_bundle(java, bundle)
    expected = TFLiteClassifier(bundle / "model.tflite").predict_proba((TEXTS, TEXTS[::-1]))
    for text, pair, row in zip(TEXTS, TEXTS[::-1], expected, strict=True):
        answer = java.ask(classify=text, pair=pair)
        assert by_label(answer).tolist() == row.tolist()


def test_order_of_the_inputs(java, copy):
    """The rows follow the manifest, not the client's habit."""
    model = read_manifest(copy)["model"]
    change_manifest(copy, {"model": {**model, "inputs": ["segment_ids", "ids", "mask"]}})
    open_bundle(java, copy)
    run, seen = java.run, []

    def in_file_order(signature, rows):
        seen.append(rows)
        return run(signature, [rows[1], rows[2], rows[0]])

    java.run = in_file_order
    row = read_golden(copy)[-1]
    answer = java.ask(classify=row["text"])
    assert rounded(by_label(answer)) == row["probabilities"]
    padding = [0] * (LENGTH - len(row["token_ids"]))
    assert seen == [
        [[0] * LENGTH, row["token_ids"] + padding, [1] * len(row["token_ids"]) + padding]
    ]


@pytest.mark.parametrize("score, quantile", [("probability", 0.4), ("entropy", 0.6)])
def test_out_of_scope(java, copy, score, quantile):
    probabilities = TFLiteClassifier(copy / "model.tflite").predict_proba(TEXTS)
    scores = OutOfScopeThreshold(score, 0.0).scores(probabilities)
    threshold = OutOfScopeThreshold(score, float(np.quantile(scores, quantile)) + 1e-6)
    change_manifest(copy, {"out_of_scope": threshold.to_dict()})
    open_bundle(java, copy)
    expected = detect(scores, threshold)
    assert 5 < expected.sum() < len(TEXTS) - 5
    for text, outside in zip(TEXTS, expected, strict=True):
        answer = java.ask(classify=text)
        assert answer["out_of_scope"] == outside
        assert answer["labels"] == ([] if outside else answer["names"][:1])


def test_multi_label(java, tmp_path):
    folder = make_bundle(tmp_path / "bundle", (LENGTH,), multi_label=True)
    open_bundle(java, folder)
    expected = TFLiteClassifier(folder / "model.tflite").classify(TEXTS)
    assert {len(labels) for labels in expected} > {1, 2}
    for text, labels in zip(TEXTS, expected, strict=True):
        assert java.ask(classify=text)["labels"] == labels


def test_a_million_characters(java, bundle):
    open_bundle(java, bundle)
    for unit in ("hello ", "今日", "x"):
        answer = java.ask(classify=unit * (1_000_000 // len(unit)))
        assert answer["num_tokens"] == (3 if unit == "x" else LENGTH)
        assert answer["seconds"] < 2


# === Bad input ===


def error_of(java, folder) -> str:
    return java.ask(bundle=str(folder)).get("error", "no error")


@pytest.mark.parametrize("name", ["manifest.json", "vocab.txt", "labels.txt"])
def test_missing_file(java, copy, name):
    (copy / name).unlink()
    assert f"Expected the file {name} in the bundle. Received: " in error_of(java, copy)


@pytest.mark.parametrize("name", ["vocab.txt", "labels.txt"])
def test_changed_file(java, copy, name):
    with (copy / name).open("a", encoding="utf-8") as stream:
        stream.write("more\n")
    assert f"Expected the {name} that manifest.json was written for" in error_of(java, copy)


def test_verify_reads_every_file(java, copy):
    assert java.ask(verify=str(copy))["verified"]
    content = bytearray((copy / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.tflite").write_bytes(content)
    assert "Expected the model.tflite that manifest" in java.ask(verify=str(copy))["error"]
    (copy / "model.tflite").unlink()
    assert "Expected the file model.tflite in" in java.ask(verify=str(copy))["error"]


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"format_version": 2}, "newer ones need newer client code.*Received: format_version=2"),
        ({"format_version": 1.5}, 'an integer as "format_version"'),
        ({"format": "other"}, "Received: format=other"),
        ({"task": "tagging"}, 'Expected classification as "task".*Received: task=tagging'),
        ({"labels": None}, 'a string as "labels" in manifest.json. Received: labels=null'),
        ({"labels": "names.txt"}, "Expected the file names.txt in the bundle"),
        ({"out_of_scope": {"score": "energy", "threshold": 1}}, "probability or entropy"),
        ({"out_of_scope": {"score": "entropy"}}, 'number as "threshold".*no such field'),
    ],
)
def test_manifest_of_no_use(java, copy, fields, message):
    change_manifest(copy, fields)
    with pytest.raises(ValueError, match=message):
        raise ValueError(error_of(java, copy))


@pytest.mark.parametrize(
    "part, fields, message",
    [
        ("tokenizer", {"kind": "mediapipe"}, "Received: kind=mediapipe"),
        ("tokenizer", {"max_length": 99}, "a length of at least max_length=99"),
        ("tokenizer", {"classify": "<s>"}, "a vocabulary with the token <s>"),
        ("model", {"inputs": ["ids", "mask"]}, "ids, mask and segment_ids"),
        ("model", {"signatures": []}, "max_length=24"),
        ("model", {"signatures": [{"name": "a", "length": 8}] * 2}, "ascending lengths"),
    ],
)
def test_part_of_a_manifest_of_no_use(java, copy, part, fields, message):
    before = read_manifest(copy)[part]
    change_manifest(copy, {part: {**before, **fields}})
    assert message in error_of(java, copy)


@pytest.mark.parametrize(
    "content, message",
    [
        (b'{"format": ', "manifest.json: Expected a value in JSON. Received: the end of the text"),
        (b'{"a": "\x01"}', "Expected the end of a string"),
        (b'{"a" 1}', "Expected ':' in JSON. Received: '1' at character 5"),
        (b"{} x", "Expected the end in JSON. Received: 'x'"),
        (b'["\\u12g4"]', "Expected a hexadecimal digit"),
        (b"[" * 500, "Expected at most 100 levels"),
        (b"[1]", "Expected a JSON object. Received: manifest.json=[1.0]"),
        (b"\xff", "Expected UTF-8. Received: manifest.json"),
        (b"", "Expected a value"),
    ],
)
def test_manifest_that_is_no_json(java, copy, content, message):
    (copy / "manifest.json").write_bytes(content)
    assert message in error_of(java, copy)


def test_model_of_another_bundle(java, copy):
    with (copy / "labels.txt").open("a", encoding="utf-8") as stream:
        stream.write("a fifth\n")
    change_manifest(copy, {})
    open_bundle(java, copy)
    error = java.ask(classify="the hello")["error"]
    assert "Expected a model with 5 outputs" in error
    assert "Received: 4 outputs" in error
