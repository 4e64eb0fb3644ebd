"""MediaPipe's TextClassifier loads the files: its metadata reader, tokenizer and runtime."""

import json
from pathlib import Path

import numpy as np
import pytest
from export_models import build_classifier

from tinybert_tf.export import TFLiteClassifier, to_tflite

text = pytest.importorskip(
    "mediapipe.tasks.python.text", reason="needs the extra `mediapipe` to load the files"
)
BaseOptions = pytest.importorskip("mediapipe.tasks.python").BaseOptions

# ASCII only: MediaPipe strips no accents and lower-cases ASCII alone.
ASCII_TEXTS = [
    "a bad cab",
    "Faded",
    "",
    "x y z 1 2 3",
    "it's 9 o'clock, isn't it?",
    "a text that is longer than all of the sixteen tokens of the model",
]


def _scores(path, labels, sentences=ASCII_TEXTS):
    options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=str(path)))
    rows = []
    with text.TextClassifier.create_from_options(options) as classifier:
        for sentence in sentences:
            head, *_ = classifier.classify(sentence).classifications
            scores = {category.category_name: category.score for category in head.categories}
            rows.append([scores[label] for label in labels])
    return np.array(rows)


@pytest.mark.parametrize("multi_label", [False, True])
def test_scores_equal_keras(tmp_path, multi_label):
    classifier = build_classifier(multi_label=multi_label)
    path = to_tflite(classifier, tmp_path / "m.tflite", target="float32").path
    expected = classifier.predict_proba(ASCII_TEXTS)
    assert np.ptp(expected, axis=0).max() > 0.05
    np.testing.assert_allclose(_scores(path, classifier.labels), expected, atol=1e-3)


def test_scores_of_the_int8_file_equal_ours(int8_file):
    runner = TFLiteClassifier(int8_file)
    np.testing.assert_allclose(
        _scores(int8_file, runner.labels), runner.predict_proba(ASCII_TEXTS), atol=1e-3
    )


def test_golden_vectors_of_the_committed_bundle():
    """MediaPipe reads `[CLS]` in a text as punctuation and letters, BERT as a token."""
    folder = Path(__file__).parents[2] / "android_demo_assets" / "bundle"
    rows = map(json.loads, (folder / "golden.jsonl").read_text("utf-8").splitlines())
    rows = [row for row in rows if row["text"].isascii() and "[" not in row["text"]]
    assert len(rows) > 50
    labels = (folder / "labels.txt").read_text("utf-8").splitlines()
    found = _scores(folder / "model.tflite", labels, [row["text"] for row in rows])
    np.testing.assert_allclose(found, [row["probabilities"] for row in rows], atol=1e-4)
