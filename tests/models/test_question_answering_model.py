"""Answers in contexts: losses against numpy, training, windows, transformers' numbers."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.checkpoints import save_hf
from tinybert_tf.distillation.checks import check_span_model, check_tagger
from tinybert_tf.distillation.predictions import span_label_loss, span_prediction_loss
from tinybert_tf.models import TinyBertQuestionAnswering
from tinybert_tf.models.span_loss import SpanAccuracy, SpanCrossentropy
from tinybert_tf.text.squad import Answer

QUESTIONS = ["a film", "a film", "a plot"]
CONTEXTS = ["the film was good", "the plot was bad", "the scene was really good, really"]
ANSWERS = [[Answer("film", 4)], [Answer("plot", 4)], [Answer("scene", 4)]]
EXAMPLES = (QUESTIONS, CONTEXTS)


@pytest.fixture
def model(build_tiny):
    classifier = build_tiny()
    keras.utils.set_random_seed(1)
    return TinyBertQuestionAnswering(classifier.backbone, classifier.preprocessor)


def log_softmax(x, axis):
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def test_losses_and_accuracy_against_numpy():
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(2, 2, 5, 2)).astype("float32")
    labels = np.array([[1, 3], [0, 0]], "int32")
    log_p = log_softmax(student, 1)
    hard = [-(log_p[row, labels[row, 0], 0] + log_p[row, labels[row, 1], 1]) / 2 for row in (0, 1)]
    np.testing.assert_allclose(span_label_loss(student, labels), hard, rtol=1e-5)
    assert float(SpanCrossentropy()(labels, student)) == pytest.approx(np.mean(hard), rel=1e-5)
    t = 2.0
    soft = -(np.exp(log_softmax(teacher / t, 1)) * log_softmax(student / t, 1)).sum(axis=1)
    expected = soft.mean(axis=-1) * t * t
    np.testing.assert_allclose(span_prediction_loss(student, teacher, t), expected, rtol=1e-5)
    best = student.argmax(axis=1)
    metric = SpanAccuracy()
    metric.update_state(np.stack([best[0], best[1] + 1]), student)
    assert float(metric.result()) == 0.5


@pytest.mark.slow
def test_learns_and_teaches(model):
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(EXAMPLES, ANSWERS, epochs=60, verbose=0)
    assert tb.evaluate_model(model, EXAMPLES, ANSWERS).exact == 1.0
    found = model.answer(*EXAMPLES)[2]
    assert (found.text, found.start, found.end) == ("scene", 4, 9)
    student = tb.student_of(model, num_layers=1, init="random")
    tb.distill(
        model,
        student,
        EXAMPLES,
        validation_data=(EXAMPLES, ANSWERS),
        epochs={"intermediate": 2, "prediction": 80},
        learning_rate=1e-2,
        verbose=0,
    )
    assert tb.evaluate_model(student, EXAMPLES, ANSWERS).exact == 1.0


def test_padding_is_never_an_answer(model):
    (features, *_) = model.batches(EXAMPLES, shuffle=False).batch(0, 0)
    logits = np.asarray(model(features))
    padded = features["padding_mask"] == 0
    assert padded.any() and logits[padded].max() < -5e3


def test_round_trips(model, tmp_path):
    model.null_threshold = 1.5
    expected = model.predict(EXAMPLES)
    model.save(tmp_path / "qa.keras")
    model.save_to_preset(str(tmp_path / "preset"))
    for loaded in (
        keras.saving.load_model(tmp_path / "qa.keras"),
        TinyBertQuestionAnswering.from_preset(str(tmp_path / "preset")),
    ):
        assert (loaded.stride, loaded.null_threshold) == (model.stride, 1.5)
        for own, other in zip(loaded.predict(EXAMPLES), expected, strict=True):
            np.testing.assert_allclose(own, other, atol=1e-6)


def test_same_logits_as_transformers(model, tmp_path):
    torch = pytest.importorskip("torch", reason="transformers needs torch (extra 'hf')")
    transformers = pytest.importorskip("transformers", reason="needs the extra 'hf'")
    folder = save_hf(model, tmp_path / "hf")
    theirs = transformers.BertForQuestionAnswering.from_pretrained(folder).eval()
    (features, *_) = model.batches(EXAMPLES, shuffle=False).batch(0, 0)
    with torch.no_grad():
        outputs = theirs(
            input_ids=torch.tensor(features["token_ids"]),
            attention_mask=torch.tensor(features["padding_mask"]),
            token_type_ids=torch.tensor(features["segment_ids"]),
        )
    expected = np.stack([outputs.start_logits.numpy(), outputs.end_logits.numpy()], axis=-1)
    real = features["padding_mask"].astype(bool)
    np.testing.assert_allclose(np.asarray(model(features))[real], expected[real], atol=1e-5)
    loaded = TinyBertQuestionAnswering.from_hf(str(folder), sequence_length=32)
    np.testing.assert_allclose(loaded.predict(EXAMPLES)[0], model.predict(EXAMPLES)[0], atol=1e-5)


def test_no_answer_where_the_threshold_says_so(model):
    always, never = (model.answer(*EXAMPLES, null_threshold=x) for x in (-1e6, 1e6))
    assert not any(found.text for found in always)
    assert all(found.text for found in never)
    model.null_threshold = -1e6
    report = tb.evaluate_model(model, EXAMPLES, [[], [], []])
    assert report.exact == 1.0


def test_chance():
    labels = np.array([[0, 0], [2, 3]])
    nothing = np.zeros((2, 5, 2))
    nothing[:, 0] = 1.0
    with pytest.raises(tb.TinyBertError, match="fine-tune it first"):
        check_span_model(list(nothing), labels)
    right = nothing.copy()
    right[1, [2, 3], [0, 1]] = 2.0
    assert check_span_model(list(right), labels) == 1.0
    tags = [np.array([-1, 0, 0, 1]), np.array([0, -1])]
    most = [np.eye(2)[[0, 0, 0, 0]], np.eye(2)[[0, 0]]]
    with pytest.raises(tb.TinyBertError, match="most frequent tag scores 0.750"):
        check_tagger(most, tags)
    assert check_tagger([np.eye(2)[[0, 0, 0, 1]], most[1]], tags) == 1.0
    assert check_tagger(most, [np.array([0, 0, 0, 0]), np.array([0, 0])]) == 1.0


def test_students_cut_windows_of_their_own(model):
    """A student with another stride still asks its teacher about its own windows."""
    model.preprocessor.sequence_length = 10
    student = model.on_backbone(model.backbone, stride=2, max_question=3)
    batches = student.distillation_batches(EXAMPLES, ANSWERS, shuffle=False)
    assert len(model.predict_batches(batches)) == len(batches.token_ids) > 3


@pytest.mark.parametrize(
    ("examples", "answers", "message"),
    [
        ((QUESTIONS, CONTEXTS[:2]), None, "3 questions and 2 contexts"),
        (EXAMPLES, ANSWERS[:1], "3 questions, 1 lists of answers"),
    ],
)
def test_bad_input(model, examples, answers, message):
    with pytest.raises(tb.TinyBertError, match=message):
        model.batches(examples, answers)
