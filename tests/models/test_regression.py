"""Regressions: one logit, scores instead of classes, the whole way to the file."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.evaluate import evaluate_scores

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("good", "fine", "bad", "poor", "film", "the", "a", "is", "very", "not", "so"),
]
FIRST = ["a good film", "the film is fine", "a bad film", "the film is so poor"] * 8
SECOND = ["a fine film", "very poor", "so bad", "the film is very good"] * 8
SCORES = [4.5, 1.0, 4.0, 0.5] * 8
PAIRS = (FIRST, SECOND)


def new(num_layers=1, seed=0, **arguments):
    keras.utils.set_random_seed(seed)
    backbone = tb.TinyBertBackbone(
        len(VOCABULARY),
        num_layers,
        2,
        16,
        32,
        max_sequence_length=16,
        dropout=0.0,
        attention_dropout=0.0,
    )
    model = tb.TinyBertTextClassifier(
        backbone,
        num_classes=1,
        preprocessor=tb.TinyBertTextClassifierPreprocessor(tb.TinyBertTokenizer(VOCABULARY), 16),
        dropout=0.0,
        **arguments,
    )
    for variable in model.trainable_variables:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(variable.numpy() * 15)  # 0.02 is for widths of hundreds
    return model


@pytest.fixture(scope="module")
def trained():
    model = new(num_layers=2)
    tb.finetune(
        model,
        PAIRS,
        SCORES,
        validation_data=(PAIRS, SCORES),
        epochs=15,
        batch_size=8,
        learning_rate=3e-3,
        keep_best=True,
        verbose=0,
    )
    return model


@pytest.mark.slow
def test_learns_scores(trained):
    report = tb.evaluate_regressor(trained, PAIRS, SCORES)
    assert report.pearson > 0.95 and report.mean_squared_error < 0.5
    assert trained.regression and trained.predict(PAIRS, verbose=0).shape == (32, 1)
    assert "spearman" in report.to_text()


def test_report_against_scipy():
    stats = pytest.importorskip("scipy.stats", reason="scipy, the peer, is not installed")
    generator = np.random.default_rng(0)
    a = generator.integers(0, 6, 50) / 2.0  # with ties
    b = a + generator.normal(size=50)
    report = evaluate_scores(a, b)
    assert report.pearson == pytest.approx(stats.pearsonr(a, b)[0])
    assert report.spearman == pytest.approx(stats.spearmanr(a, b)[0])
    assert report.mean_squared_error == pytest.approx(((a - b) ** 2).mean())
    assert evaluate_scores(np.ones(3), [1, 2, 3]).spearman == 0.0


def test_round_trips(trained, tmp_path):
    expected = trained.predict(PAIRS, verbose=0)
    trained.save(tmp_path / "m.keras")
    trained.save_to_preset(str(tmp_path / "preset"))
    for again in (
        keras.models.load_model(tmp_path / "m.keras"),
        tb.TinyBertTextClassifier.from_preset(str(tmp_path / "preset")),
    ):
        assert again.regression
        np.testing.assert_allclose(again.predict(PAIRS, verbose=0), expected, atol=1e-5)


@pytest.mark.slow
def test_distillation_follows_the_teachers_score(trained):
    student = tb.student_of(trained, num_layers=1)
    tb.distill(
        trained,
        student,
        PAIRS,
        validation_data=(PAIRS, SCORES),
        epochs={"intermediate": 10, "prediction": 20},
        learning_rate=3e-3,
        batch_size=8,
        verbose=0,
    )
    theirs, own = (m.predict(PAIRS, verbose=0) for m in (trained, student))
    assert np.abs(theirs - own).mean() < 0.5
    # The loss is the squared difference to the teacher, not to the gold score.
    distiller = tb.Distiller(student, trained, tb.prediction_losses())
    distiller.compile()
    data = student.batches(PAIRS, [9.0] * 32, shuffle=False).dataset()
    logs = distiller.evaluate(data, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(((theirs - own) ** 2).mean(), rel=1e-3)
    assert "accuracy" not in logs


def test_a_teacher_that_knows_nothing_is_refused(trained):
    wrong = new()
    wrong.set_weights(new(seed=1).get_weights())
    kernel, bias = trained.output_dense.get_weights()
    reversed_teacher = tb.student_of(trained)
    reversed_teacher.output_dense.set_weights([-kernel, -bias])
    with pytest.raises(tb.TinyBertError, match="Spearman"):
        tb.distill(reversed_teacher, wrong, PAIRS, validation_data=(PAIRS, SCORES), verbose=0)


@pytest.mark.parametrize(
    "target, tolerance", [("float32", 1e-4), ("universal", 0.2), ("npu_int8", 0.6)]
)
def test_exported_file_scores_as_keras_does(trained, tmp_path, target, tolerance):
    path = tmp_path / "m.tflite"
    export.to_tflite(trained, path, target=target, texts=PAIRS)
    found = export.verify(path, PAIRS, SCORES, classifier=trained, progress=False)
    assert found.max_probability_difference < tolerance and found.agreement is None
    assert found.report.pearson > 0.95
    assert found.to_dict()["keras_spearman"] == pytest.approx(found.keras_report.spearman)
    runner = export.TFLiteClassifier(path)
    assert runner.predict_scores((["a good film"], ["a fine film"])).shape == (1, 1)
    with pytest.raises(tb.TinyBertError, match="predict_scores"):
        runner.predict_proba((["a"], ["a"]))


@pytest.mark.slow
def test_quantization_aware_training(trained):
    quantized = export.quantize(
        trained, PAIRS, SCORES, validation_data=(PAIRS, SCORES), epochs=1, verbose=0
    )
    report = tb.evaluate_regressor(quantized.classifier, PAIRS, SCORES)
    assert report.pearson > 0.95
    assert quantized.history["prediction"]["best_epoch"] in (0, 1)


def test_bad_input(trained):
    with pytest.raises(tb.TinyBertError, match="predict_scores"):
        trained.classify(PAIRS)
    classes = tb.TinyBertTextClassifier(trained.backbone, num_classes=2)
    with pytest.raises(tb.TinyBertError, match="predict_proba"):
        classes.predict_scores(PAIRS)
    with pytest.raises(tb.TinyBertError, match="nan"):
        trained.encode_labels([1.0, float("nan")])
    with pytest.raises(tb.TinyBertError, match="number"):
        trained.encode_labels(["good"])
    with pytest.raises(tb.TinyBertError, match="shape"):
        trained.encode_labels(np.zeros((2, 3)))
    with pytest.raises(tb.TinyBertError, match="at least two"):
        evaluate_scores([1.0], [1.0])


def test_one_label_of_many_kinds_is_no_regression(trained):
    """Any number of labels out of the one called "score" is still a yes or no."""
    model = tb.TinyBertTextClassifier(trained.backbone, labels=["score"], multi_label=True)
    assert not model.regression and isinstance(model.loss, keras.losses.BinaryCrossentropy)
    np.testing.assert_array_equal(model.encode_labels([["score"], []]), [[1.0], [0.0]])
