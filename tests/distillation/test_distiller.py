"""The distiller's training step, its metrics, and what it refuses."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from distillation_models import new_classifier, small_vocabulary_with

import tinybert_tf as tb
from tinybert_tf.distillation import as_teacher
from tinybert_tf.distillation.checks import check_teacher
from tinybert_tf.distillation.views import observe


def batch_of(classifier, texts, labels=None, size=8):
    return classifier.batches(texts, labels, batch_size=size, shuffle=False).batch(0, 0)


def distiller_of(student, teacher, losses, rate=0.1):
    distiller = tb.Distiller(student, teacher, losses)
    distiller.compile(optimizer=keras.optimizers.SGD(rate))
    return distiller


def test_one_step_is_the_sum_of_the_terms(teacher, texts, labels):
    """Loss and gradient of a train step equal a hand-written tape over the two models."""
    student = tb.student_of(teacher, num_layers=2, dropout=0.0, attention_dropout=0.0)
    student.output_dropout.rate = 0.0
    terms = [*tb.intermediate_losses(), *tb.prediction_losses(hard_label_weight=0.5)]
    x, y = batch_of(student, texts, labels)
    weight = np.linspace(0.1, 2.0, len(y)).astype("float32")
    distiller = distiller_of(student, teacher, terms)
    own, other = observe(student), observe(teacher)
    with tf.GradientTape() as tape:
        mine, theirs = own(x), other(x)
        batch = {"padding_mask": x["padding_mask"], "labels": y}
        parts = [tf.reduce_mean(t.compute(mine, theirs, batch) * weight) for t in terms]
        total = sum(t.weight * p for t, p in zip(terms, parts, strict=True))
    kernel = student.backbone.encoder_blocks[0].attention.query_dense.kernel
    before = kernel.numpy()
    gradient = tape.gradient(total, kernel.value).numpy()

    logs = distiller.train_on_batch(x, y, sample_weight=weight, return_dict=True)
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    names = ["embedding_loss", "hidden_loss", "attention_loss", "prediction_loss"]
    for name, part in zip([*names, "hard_label_loss"], parts, strict=True):
        np.testing.assert_allclose(logs[name], part, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(kernel.numpy(), before - 0.1 * gradient, atol=1e-6)
    assert np.abs(gradient).max() > 1e-4


def test_teacher_is_frozen_quiet_and_not_saved(teacher, texts):
    noisy = new_classifier(dropout=0.5)
    student = tb.student_of(noisy, num_layers=2)
    before = noisy.get_weights()
    distiller = distiller_of(student, noisy, tb.prediction_losses())
    owned = {id(v) for v in distiller.variables}
    assert not owned & {id(v) for v in noisy.variables}
    x = batch_of(student, texts)[0]
    np.testing.assert_allclose(
        distiller.run_teacher(x)["logits"], noisy.predict(x, verbose=0), atol=1e-6
    )
    distiller.fit(student.batches(texts, batch_size=8).dataset(), shuffle=False, verbose=0)
    for a, b in zip(before, noisy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_intermediate_stage_leaves_the_head_alone(teacher, texts):
    student = tb.student_of(teacher, num_layers=2)
    head = [*student.output_dense.get_weights(), *student.backbone.pooler.get_weights()]
    distiller = tb.Distiller(student, teacher)
    distiller.compile(optimizer=keras.optimizers.AdamW(1e-2, weight_decay=0.1))
    distiller.fit(student.batches(texts, batch_size=8).dataset(), shuffle=False, verbose=0)
    now = [*student.output_dense.get_weights(), *student.backbone.pooler.get_weights()]
    for a, b in zip(head, now, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "shape",
    [
        {"hidden_dim": 12, "num_heads": 2},
        {"hidden_dim": 12, "num_heads": 3, "attention_dim": 6},
        {"num_layers": 3, "num_heads": 1},
    ],
)
@pytest.mark.slow
def test_students_of_another_shape(teacher, texts, shape):
    student = tb.student_of(teacher, **{"num_layers": 2, **shape})
    losses = [*tb.intermediate_losses(), *tb.prediction_losses()]
    distiller = distiller_of(student, teacher, losses, rate=0.002)
    data = student.batches(texts, batch_size=8).dataset()
    first = distiller.evaluate(data, verbose=0, return_dict=True)
    distiller.fit(data, epochs=4, shuffle=False, verbose=0)
    last = distiller.evaluate(data, verbose=0, return_dict=True)
    assert last["loss"] < first["loss"]
    assert {"embedding_loss", "hidden_loss", "attention_loss", "prediction_loss"} <= set(last)


@pytest.mark.slow
def test_mixed_precision_student(teacher, texts):
    student = tb.student_of(teacher, num_layers=2, init="random", dtype="mixed_float16")
    distiller = tb.Distiller(student, teacher, [*tb.intermediate_losses(), *tb.prediction_losses()])
    distiller.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)))
    before = student.get_weights()
    history = distiller.fit(
        student.batches(texts, batch_size=8).dataset(), epochs=3, shuffle=False, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()
    assert any(not np.array_equal(a, b) for a, b in zip(before, student.get_weights(), strict=True))


def test_backbones_distil_without_logits(teacher, texts):
    student = tb.student_of(teacher, num_layers=2, init="random")
    distiller = distiller_of(student.backbone, teacher.backbone, tb.intermediate_losses())
    x = batch_of(student, texts)[0]
    logs = distiller.train_on_batch(x, return_dict=True)
    assert set(logs) == {"loss", "embedding_loss", "hidden_loss", "attention_loss"}


@pytest.mark.slow
def test_keras_hub_teacher_gives_the_same_numbers(texts):
    keras.utils.set_random_seed(0)
    vocabulary = small_vocabulary_with(texts)
    hub = keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone(
            vocabulary_size=len(vocabulary),
            num_layers=2,
            num_heads=2,
            hidden_dim=8,
            intermediate_dim=16,
            max_sequence_length=16,
        ),
        num_classes=2,
        preprocessor=keras_hub.models.BertTextClassifierPreprocessor(
            keras_hub.models.BertTokenizer(vocabulary=vocabulary, lowercase=True), 12
        ),
    )
    for variable in hub.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(0, 0.3, variable.shape))
    ours = as_teacher(hub)
    np.testing.assert_allclose(
        ours.predict(texts[:8], verbose=0), hub.predict(texts[:8], verbose=0), atol=2e-5
    )
    student = tb.student_of(hub, num_layers=1)
    distiller = distiller_of(student, hub, tb.intermediate_losses())
    assert np.isfinite(distiller.train_on_batch(batch_of(student, texts)[0])).all()


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (lambda: new_classifier(vocabulary=small_vocabulary_with(["odd"])), "vocabulary_size="),
        (
            lambda: new_classifier(
                vocabulary=[
                    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
                    *("nice", "fine", "bad", "poor", "film", "the", "a", "is", "very"),
                    *("it", "was"),
                ]
            ),
            "token 5 is 'nice' in the student, 'good' in the teacher",
        ),
        (lambda: new_classifier(labels=["positive", "negative"]), "in another order"),
        (lambda: new_classifier(labels=["a", "b"]), "same labels"),
    ],
)
def test_pairs_that_do_not_fit(teacher, student, message):
    with pytest.raises(tb.TinyBertError, match=message):
        tb.Distiller(student(), teacher)


def test_other_errors(teacher, texts):
    with pytest.raises(tb.TinyBertError, match="Received: dict"):
        as_teacher({})
    with pytest.raises(tb.TinyBertError, match="losses=\\[\\]"):
        tb.Distiller(teacher, teacher, losses=[])
    with pytest.raises(tb.TinyBertError, match=r"stages=\('warm',\)"):
        tb.distill(teacher, teacher, texts, stages="warm")


def test_teacher_at_chance_is_refused_with_a_hint():
    labels = np.array([0, 0, 1, 1, 2, 2])
    right = np.eye(3)[labels]
    assert check_teacher(right, labels, ["a", "b", "c"]) == 1.0
    with pytest.raises(tb.TinyBertError, match=r"'a' is called 'b', 'b' is called 'a'"):
        check_teacher(right[:, [1, 0, 2]][:4], labels[:4], ["a", "b", "c"])
    even = np.tile([[0.4, 0.3, 0.3]], (6, 1))
    with pytest.raises(tb.TinyBertError, match=r"accuracy=0.333.*scores 0.333") as error:
        check_teacher(even, labels, ["a", "b", "c"])
    assert "called" not in str(error.value)


def test_untrained_teacher_is_refused(texts, labels):
    untrained = new_classifier()
    student = tb.student_of(untrained, num_layers=1)
    with pytest.raises(tb.TinyBertError, match="better than chance"):
        tb.distill(untrained, student, texts, labels, validation_data=(texts, labels), verbose=0)


@pytest.mark.slow
def test_the_last_stage_can_keep_its_best_epoch(teacher, texts, labels):
    student = tb.student_of(teacher, num_layers=1)
    history = tb.distill(
        teacher,
        student,
        texts,
        validation_data=(texts, labels),
        epochs=1,
        keep_best=True,
        verbose=0,
    )
    assert "best_epoch" not in history["intermediate"]
    # The start is the intermediate stage's end.
    assert history["prediction"]["best_epoch"] in (0, 1)
