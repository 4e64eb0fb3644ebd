"""Several lengths in one file, and the shortest that fits runs a text."""

import numpy as np
import pytest
from export_models import TEXTS

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import TFLiteClassifier, read_model_file, to_tflite

# Training and export of many small models.
pytestmark = pytest.mark.slow

LENGTHS = (8, 16, 32)
SHARING = ["float32", "universal", "weight_only", "npu_int8"]


@pytest.fixture(scope="module")
def files(classifier, tmp_path_factory):
    """Target to its file with three lengths."""
    folder = tmp_path_factory.mktemp("signatures")
    return {
        target: to_tflite(
            classifier,
            folder / f"{target}.tflite",
            target=target,
            sequence_length=[16, 8, 32],
            texts=TEXTS * 8,
        )
        for target in SHARING
    }


@pytest.mark.parametrize("target", SHARING)
def test_each_signature_equals_a_file_of_its_own(target, files, classifier, tmp_path):
    runner = TFLiteClassifier(files[target].path)
    assert runner.sequence_lengths == LENGTHS == files[target].sequence_lengths
    for length in LENGTHS:
        single = to_tflite(
            classifier,
            tmp_path / "m.tflite",
            target=target,
            sequence_length=length,
            texts=TEXTS * 8,
        )
        ids = np.arange(5, 5 + length)
        segments = (np.arange(length) > 3).astype("int32")
        np.testing.assert_allclose(
            runner.run(ids, segments), TFLiteClassifier(single.path).run(ids, segments), atol=1e-6
        )


def test_short_texts_run_in_the_shortest_signature(files, monkeypatch):
    runner = TFLiteClassifier(files["float32"].path)
    used = []
    run = TFLiteClassifier._run_signature

    def spy(self, key, rows):
        used.append((key, rows["ids"].shape))
        return run(self, key, rows)

    monkeypatch.setattr(TFLiteClassifier, "_run_signature", spy)
    for length in (3, 8, 9, 16, 17, 32):
        runner.run(np.arange(5, 5 + length))
    assert used == [(f"tokens_{length}", (1, length)) for length in (8, 8, 16, 16, 32, 32)]
    with pytest.raises(TinyBertError, match="at most 32 token ids. Received: 33"):
        runner.run(np.arange(33))


def test_weights_are_stored_once(files, classifier, tmp_path):
    single = to_tflite(classifier, tmp_path / "m.tflite", target="float32", sequence_length=32)
    parameters = 4 * classifier.count_params()
    # Another graph costs its operators and its rows of the position table, not its weights.
    assert files["float32"].size_bytes - single.size_bytes < parameters
    model = read_model_file(files["float32"].path).model
    assert len(model.subgraphs) == 3
    contents = [bytes(b.data) for b in model.buffers if b.data is not None and len(b.data)]
    assert len(contents) == len(set(contents))


def test_signatures_are_named_by_length(files):
    model = read_model_file(files["universal"].path).model
    found = [
        (entry.signatureKey.decode(), entry.subgraphIndex, len(entry.inputs))
        for entry in model.signatureDefs
    ]
    assert found == [("tokens_8", 0, 3), ("tokens_16", 1, 3), ("tokens_32", 2, 3)]


@pytest.mark.parametrize("lengths", [[], [8, 8], [2, 8], [8, 33], [8.0, 16], "8"])
def test_bad_lengths(lengths, classifier, tmp_path):
    with pytest.raises(TinyBertError, match="Expected different sequence lengths from 3 to 32"):
        to_tflite(classifier, tmp_path / "m.tflite", sequence_length=lengths)
