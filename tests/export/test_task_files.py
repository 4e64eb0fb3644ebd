"""Taggers, question answering and embedders as files: the real runtime computes what Keras does."""

import keras
import numpy as np
import pytest
from export_models import TEXTS, VOCABULARY, build_classifier
from gpu_device import skip_without_gpu

import tinybert_tf as tb
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.tasks import evaluate_model
from tinybert_tf.export import (
    TFLiteClassifier,
    TFLiteQuestionAnswering,
    TFLiteSentenceEmbedder,
    TFLiteTokenClassifier,
    open_file,
    quantize,
    quantize_aware,
    read_model_file,
    to_tflite,
    verify,
)
from tinybert_tf.export.accelerator import check_gpu
from tinybert_tf.export.verification import compare_outputs
from tinybert_tf.models import (
    TinyBertQuestionAnswering,
    TinyBertSentenceEmbedder,
    TinyBertTokenClassifier,
)
from tinybert_tf.text.squad import Answer

WORDS = [word for word in VOCABULARY if word.isalpha()]
TAGS = ["O", "B-thing", "I-thing"]
SENTENCES = [WORDS[:3], WORDS[3:8], WORDS[8:9]]
SENTENCE_TAGS = [["O", "B-thing", "I-thing"], ["O"] * 5, ["B-thing"]]
QUESTIONS = [WORDS[0], " ".join(WORDS[1:3])]
CONTEXTS = [" ".join(WORDS[:12] * 2), " ".join(WORDS[3:6])]
ANSWERS = [[Answer(WORDS[4], CONTEXTS[0].index(WORDS[4]))], [Answer(WORDS[3], 0)]]
KINDS = ("tokens", "spans", "embedding")


def build(kind, **changes):
    """A task model with seeded random weights, and raw examples with labels."""
    classifier = build_classifier(**changes)
    own = {"preprocessor": classifier.preprocessor}
    keras.utils.set_random_seed(3)
    if kind == "tokens":
        return TinyBertTokenClassifier(classifier.backbone, TAGS, **own), SENTENCES, SENTENCE_TAGS
    if kind == "spans":
        model = TinyBertQuestionAnswering(classifier.backbone, stride=4, max_question=4, **own)
        return model, (QUESTIONS, CONTEXTS), ANSWERS
    return TinyBertSentenceEmbedder(classifier.backbone, **own), TEXTS, None


def sharpen(model):
    """Makes the outputs of different tokens differ."""
    if hasattr(model, "output_dense"):
        kernel = model.output_dense.kernel
        kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    return model


def differences(own, reference):
    return max(np.abs(a - b).max() for a, b in zip(own, reference, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_float32_file_equals_keras(kind, tmp_path):
    model, examples, _ = build(kind)
    sharpen(model)
    path = to_tflite(model, tmp_path / "m.tflite", target="float32").path
    file = open_file(path)
    assert file.kind == model.kind
    own, reference = file.predict(examples), model.predict_outputs(examples)
    assert len(own) == len(reference)
    assert np.ptp(np.concatenate([np.ravel(row) for row in own])) > 0.1
    assert differences(own, reference) < 1e-4
    assert compare_outputs(path, examples, model) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "scheme",
    ["dynamic_int8", pytest.param("weight_only_int8", marks=pytest.mark.slow)],
)
def test_int8_file_computes_what_was_simulated(kind, scheme, tmp_path):
    model, examples, _ = build(kind)
    copy = quantize_aware(sharpen(model), scheme)
    target = {"dynamic_int8": "universal", "weight_only_int8": "weight_only"}[scheme]
    path = to_tflite(copy, tmp_path / "m.tflite", target=target).path
    file = open_file(path)
    assert file.quantization == scheme
    simulated = copy.predict_outputs(examples)
    assert differences(file.predict(examples), simulated) < 1e-4 * max(
        1.0, max(np.abs(row).max() for row in simulated)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tokens", pytest.param("spans", marks=pytest.mark.extended)])
@pytest.mark.parametrize("target", ["small", "nnapi", "npu_int8"])
def test_other_targets_run(kind, target, tmp_path):
    model, examples, _ = build(kind)
    for block in model.backbone.encoder_blocks:  # as calm as a trained model
        for variable in block.trainable_weights:
            if len(variable.shape) == 2:
                variable.assign(variable.value * 0.4)
    sharpen(model)
    path = to_tflite(model, tmp_path / "m.tflite", target=target, texts=examples).path
    own, reference = open_file(path).predict(examples), model.predict_outputs(examples)
    # Far nearer to Keras than one answer for all tokens would be.
    own, reference = np.concatenate(own), np.concatenate(reference)
    constant = np.abs(reference - reference.mean(axis=0)).mean()
    assert np.abs(own - reference).mean() < 0.3 * constant


def test_integer_embedding_is_refused(tmp_path):
    model, texts, _ = build("embedding")
    with pytest.raises(TinyBertError, match="npu_int8.*embedding"):
        to_tflite(model, tmp_path / "m.tflite", target="npu_int8", texts=texts)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_real_gpu_accelerator(kind, tmp_path):
    model = sharpen(build(kind)[0])
    path = to_tflite(model, tmp_path / "m.tflite", target="float32").path
    with skip_without_gpu():
        check = check_gpu(path, texts=TEXTS[:3])
    check.require()
    assert check.max_difference < 1e-4


def test_tagger_answers_alike(tmp_path):
    model, sentences, tags = build("tokens")
    path = to_tflite(sharpen(model), tmp_path / "m.tflite", target="float32").path
    file = TFLiteTokenClassifier(path)
    assert file.labels == TAGS
    assert file.tag(sentences) == model.tag(sentences)
    texts = [" ".join(words) for words in sentences]
    for own, other in zip(file.find_entities(texts), model.find_entities(texts), strict=True):
        assert [dict(e, score=0) for e in own] == [dict(e, score=0) for e in other]
        np.testing.assert_allclose([e["score"] for e in own], [e["score"] for e in other], 1e-3)
    found = verify(path, sentences, tags, classifier=model, progress=False)
    assert found.kind == "tokens" and found.agreement == 1.0
    assert found.max_probability_difference < 1e-4
    assert found.score == found.keras_score == evaluate_model(model, sentences, tags).f1
    assert "keras_f1" in found.to_dict()


def test_questions_are_answered_alike_over_windows(tmp_path):
    model, examples, answers = build("spans")
    assert len(model.encode(examples)) > 2  # the first context takes several windows
    path = to_tflite(sharpen(model), tmp_path / "m.tflite", target="float32").path
    file = TFLiteQuestionAnswering(path)
    own, other = file.answer(*examples), model.answer(*examples)
    assert [(p.text, p.start, p.end) for p in own] == [(p.text, p.start, p.end) for p in other]
    assert all(p.text == context[p.start : p.end] for p, context in zip(own, CONTEXTS, strict=True))
    found = verify(path, examples, answers, classifier=model, progress=False)
    assert found.kind == "spans" and found.agreement == 1.0
    assert found.score == found.keras_score


@pytest.mark.slow
def test_the_size_of_span_logits_does_not_count(tmp_path):
    model, examples, _ = build("spans")
    kernel = sharpen(model).output_dense.kernel
    kernel.assign(kernel.value * 300.0)
    path = to_tflite(model, tmp_path / "m.tflite", target="float32").path
    assert differences(open_file(path).predict(examples), model.predict_outputs(examples)) > 1e-4
    assert compare_outputs(path, examples, model) < 1e-4


def test_embeddings_have_length_one(tmp_path):
    model, texts, _ = build("embedding")
    path = to_tflite(model, tmp_path / "m.tflite", target="universal").path
    vectors = TFLiteSentenceEmbedder(path).embed(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)
    np.testing.assert_allclose((vectors * model.embed(texts)).sum(axis=1), 1.0, atol=0.05)
    scores = list(range(len(texts)))
    with pytest.raises(TinyBertError, match="pairs of texts"):
        verify(path, texts, scores)
    pairs = (texts, texts[::-1])
    found = verify(path, pairs, scores, classifier=model, progress=False)
    assert found.keras_score == evaluate_model(model, pairs, scores).spearman
    assert found.score == evaluate_model(TFLiteSentenceEmbedder(path), pairs, scores).spearman


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tokens", pytest.param("spans", marks=pytest.mark.extended)])
def test_quantization_aware_training(kind, tmp_path):
    model, examples, labels = build(kind)
    for variable in model.backbone.trainable_weights:
        if len(variable.shape) == 2:
            variable.assign(variable.value * 0.4)
    model.compile(keras.optimizers.Adam(5e-3))
    model.fit(examples, labels, epochs=150, verbose=0)
    assert evaluate_model(model, examples, labels).f1 == 1.0
    found = quantize(
        model, examples, labels, validation_data=(examples, labels), epochs=2, verbose=0
    )
    path = to_tflite(found.classifier, tmp_path / "m.tflite").path
    assert verify(path, examples, labels, progress=False).score == 1.0


def test_runners_refuse_files_of_another_task(tmp_path, float_file):
    model, *_ = build("tokens")
    path = to_tflite(model, tmp_path / "m.tflite", target="float32").path
    with pytest.raises(TinyBertError, match="a text classifier.*'tokens'"):
        TFLiteClassifier(path)
    with pytest.raises(TinyBertError, match="a token classifier.*'classes'"):
        TFLiteTokenClassifier(float_file)
    assert read_model_file(path).settings["kind"] == "tokens"
    with pytest.raises(TinyBertError, match="tokens .* in the file, spans"):
        verify(path, SENTENCES, SENTENCE_TAGS, classifier=build("spans")[0], progress=False)


def test_several_lengths_share_a_file(tmp_path):
    model, sentences, _ = build("tokens")
    path = to_tflite(
        sharpen(model), tmp_path / "m.tflite", target="float32", sequence_length=[8, 16]
    ).path
    assert open_file(path).tag(sentences) == model.tag(sentences)


def test_student_of_an_embedder(tmp_path):
    teacher, texts, _ = build("embedding")
    student = tb.student_of(teacher, num_layers=1, hidden_dim=8, texts=texts)
    distiller = tb.Distiller(student, teacher, tb.prediction_losses())
    distiller.compile("sgd")
    own, other = student.embed(texts), teacher.embed(texts)
    expected = np.square(own @ own.T - other @ other.T).mean()
    found = distiller.evaluate(
        student.distillation_batches(texts, shuffle=False).dataset(), verbose=0
    )
    assert np.ravel(found)[0] == pytest.approx(expected, rel=1e-4)
