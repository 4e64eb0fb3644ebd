"""A file with an out-of-scope threshold answers None where Python detects such a text."""

import json

import numpy as np
import pytest
from export_models import TEXTS, build_classifier

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import OutOfScopeThreshold, choose_threshold, detect
from tinybert_tf.export import TFLiteClassifier, read_model_file, to_tflite
from tinybert_tf.export.model_file import pack_model

SCORES = ("probability", "entropy")


def chosen_for(model, score) -> OutOfScopeThreshold:
    """A threshold between the texts of a model's most and least certain answers."""
    scores = OutOfScopeThreshold(score, 0.0).scores(model.predict_proba(TEXTS))
    order = np.argsort(-scores if score == "probability" else scores)
    return choose_threshold(scores[order[:3]], scores[order[3:]], score)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("target", ["float32", "universal"])
def test_file_answers_none_where_python_detects(classifier, tmp_path, target, score):
    plain = TFLiteClassifier(to_tflite(classifier, tmp_path / "plain.tflite", target=target).path)
    model = classifier if target == "float32" else plain
    threshold = chosen_for(model, score)
    result = to_tflite(classifier, tmp_path / "m.tflite", target=target, out_of_scope=threshold)
    runner = TFLiteClassifier(result.path)
    assert runner.out_of_scope == threshold

    expected = detect(threshold.scores(model.predict_proba(TEXTS)), threshold)
    assert expected.sum() == 3
    names = model.classify(TEXTS)
    answers = runner.classify(TEXTS)
    assert answers == [None if out else name for out, name in zip(expected, names, strict=True)]
    assert (runner.predict_proba(TEXTS) == plain.predict_proba(TEXTS)).all()


def test_no_threshold_no_none(classifier, float_file):
    runner = TFLiteClassifier(float_file)
    assert runner.out_of_scope is None
    assert "out_of_scope" not in read_model_file(float_file).settings
    assert None not in runner.classify(TEXTS)


@pytest.mark.slow
def test_several_lengths_and_no_texts(classifier, tmp_path):
    nothing = OutOfScopeThreshold("probability", 0.0)
    everything = OutOfScopeThreshold("probability", 1.5)
    for threshold, answers in ((nothing, classifier.classify(TEXTS)), (everything, [None] * 6)):
        path = to_tflite(
            classifier,
            tmp_path / "m.tflite",
            target="float32",
            sequence_length=(8, 16),
            out_of_scope=threshold,
        ).path
        assert TFLiteClassifier(path).classify(TEXTS) == answers
        assert TFLiteClassifier(path).classify([]) == []


# === Refusals ===


def test_energy_is_refused(classifier, tmp_path):
    with pytest.raises(TinyBertError, match="the energy needs logits. Received: score='energy'"):
        to_tflite(
            classifier, tmp_path / "m.tflite", out_of_scope=OutOfScopeThreshold("energy", -3.0)
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, kind",
    [({"multi_label": True}, "labels"), ({"labels": ("score",)}, "score")],
)
def test_other_kinds_are_refused(tmp_path, arguments, kind):
    threshold = OutOfScopeThreshold("probability", 0.5)
    with pytest.raises(TinyBertError, match=f"one class per text. Received: kind='{kind}'"):
        to_tflite(build_classifier(**arguments), tmp_path / "m.tflite", out_of_scope=threshold)


def test_a_file_without_metadata_has_no_place_for_it(classifier, tmp_path):
    with pytest.raises(TinyBertError, match="Expected metadata=True"):
        to_tflite(
            classifier,
            tmp_path / "m.tflite",
            metadata=False,
            out_of_scope=OutOfScopeThreshold("probability", 0.5),
        )


@pytest.mark.parametrize("packed", ["0.5", [], {"score": "probability"}, {"threshold": None}])
def test_damaged_settings_are_refused(float_file, tmp_path, packed):
    file = read_model_file(float_file)
    name = next(name for name in file.packed if name.endswith(".json"))
    settings = {**json.loads(file.packed[name]), "out_of_scope": packed}
    path = tmp_path / "m.tflite"
    path.write_bytes(
        pack_model(file.model, files={**file.packed, name: json.dumps(settings).encode()})
    )
    with pytest.raises(TinyBertError, match="Expected the fields of an OutOfScopeThreshold"):
        TFLiteClassifier(path)
