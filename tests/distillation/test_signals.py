"""Several teachers, kept logits, schedules, balance, relations, unlabelled texts."""

import keras
import numpy as np
import pytest
from distillation_models import new_classifier

import tinybert_tf as tb
from tinybert_tf.distillation.balance import balance_terms
from tinybert_tf.distillation.functional import relation_loss
from tinybert_tf.distillation.recipe import first_batches
from tinybert_tf.distillation.teachers import (
    TEACHER_LOGITS,
    attach_logits,
    detach_logits,
    mean_logits,
)


@pytest.fixture(scope="module")
def second(teacher):
    """Another teacher: the first with a head that is half as sure."""
    keras.utils.set_random_seed(9)
    other = new_classifier(dropout=0.0, attention_dropout=0.0)
    other.set_weights(teacher.get_weights())
    other.output_dense.set_weights([0.5 * w for w in teacher.output_dense.get_weights()])
    return other


def test_logits_of_several_teachers(teacher, second, texts):
    student = tb.student_of(teacher, num_layers=1)
    distiller = tb.Distiller(
        student, [teacher, second], tb.prediction_losses(), teacher_weights=[3, 1]
    )
    x = student.batches(texts[:8]).batch(0, 0)[0]
    outputs = distiller.run_teacher(x)
    expected = 0.75 * teacher.predict(x, verbose=0) + 0.25 * second.predict(x, verbose=0)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    np.testing.assert_allclose(
        mean_logits(distiller, student.batches(texts[:8], batch_size=3)),
        0.75 * teacher.predict(texts[:8], verbose=0) + 0.25 * second.predict(texts[:8], verbose=0),
        atol=1e-5,
    )


@pytest.mark.slow
def test_kept_logits_are_those_of_the_students_inputs(teacher, texts):
    """A student that reads fewer tokens than its teacher gives the teacher no more of them."""
    short = tb.TinyBertTextClassifierPreprocessor(teacher.preprocessor.tokenizer, 4)
    student = teacher.on_backbone(teacher.backbone, preprocessor=short)
    distiller = tb.Distiller(student, teacher, tb.prediction_losses())
    batches = student.batches(texts[:8])
    kept, rows = np.stack(mean_logits(distiller, batches)), batches.rows(0, 0)
    given = distiller.run_teacher(batches.batch(0, 0)[0])["logits"]
    np.testing.assert_allclose(kept[rows], given, atol=1e-5)
    assert np.abs(kept - teacher.predict(texts[:8], verbose=0)).max() > 1e-3


def test_several_teachers_are_checked(teacher, second, texts, labels):
    student = tb.student_of(teacher, num_layers=1)
    with pytest.raises(tb.TinyBertError, match="teacher_weights"):
        tb.Distiller(student, [teacher, second], teacher_weights=[1.0])
    with pytest.raises(tb.TinyBertError, match="teacher_weights"):
        tb.Distiller(student, [teacher, second], teacher_weights=[1.0, 0.0])
    with pytest.raises(tb.TinyBertError, match="at least one teacher"):
        tb.Distiller(student, [])
    with pytest.raises(tb.TinyBertError, match="encoder alone"):
        tb.Distiller(student, [teacher, second.backbone])
    untrained = new_classifier()
    with pytest.raises(tb.TinyBertError, match="chance"):
        tb.distill([teacher, untrained], student, texts, validation_data=(texts, labels))


def distilled(teachers, texts, **settings):
    first = teachers[0] if isinstance(teachers, list) else teachers
    student = tb.student_of(first, num_layers=1, dropout=0.0, attention_dropout=0.0)
    history = tb.distill(
        teachers, student, texts, stages="prediction", epochs=2, batch_size=8, verbose=0, **settings
    )
    return student, history["prediction"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_kept_logits_train_alike(teacher, second, texts, count):
    teachers = [teacher, second][:count]
    kept, first = distilled(teachers, texts)
    run, again = distilled(teachers, texts, keep_logits=False)
    np.testing.assert_allclose(first["loss"], again["loss"], rtol=1e-3)
    for a, b in zip(kept.get_weights(), run.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_kept_logits_travel_with_their_texts(teacher, texts):
    logits = teacher.predict(texts, verbose=0)
    batches = teacher.batches(texts, batch_size=8, extra={TEACHER_LOGITS: logits})
    for x in batches.dataset():
        inputs = {k: v for k, v in x[0].items() if k != TEACHER_LOGITS}
        np.testing.assert_allclose(
            x[0][TEACHER_LOGITS], teacher.predict(inputs, verbose=0), atol=1e-5
        )
    with pytest.raises(tb.TinyBertError, match=TEACHER_LOGITS):
        teacher.batches(texts, extra={TEACHER_LOGITS: logits[:3]})


@pytest.mark.slow
def test_temperature_schedule(teacher, texts):
    """With a schedule, step n computes the loss at the schedule's value of n."""
    student = tb.student_of(teacher, num_layers=1)
    schedule = keras.optimizers.schedules.PolynomialDecay(4.0, 10, 1.0)
    distiller = tb.Distiller(student, teacher, tb.prediction_losses(schedule))
    distiller.compile(optimizer="sgd")
    data = student.batches(texts[:8]).dataset()
    for step, temperature in ((0, 4.0), (5, 2.5), (10, 1.0), (99, 1.0)):
        distiller.optimizer.iterations.assign(step)
        plain = tb.Distiller(student, teacher, tb.prediction_losses(temperature))
        plain.compile(optimizer="sgd")
        found, expected = (d.evaluate(data, verbose=0) for d in (distiller, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    _, history = distilled(teacher, texts, temperature=(4.0, 1.0))
    assert len(history["loss"]) == 2
    for wrong in ((4.0,), (4.0, 0.0)):
        with pytest.raises(tb.TinyBertError, match="temperature"):
            distilled(teacher, texts, temperature=wrong)


@pytest.mark.slow
def test_balanced_terms_start_equal(teacher, texts):
    student = tb.student_of(teacher, num_layers=2, hidden_dim=8, texts=texts)
    distiller = tb.Distiller(student, teacher)
    batches = student.batches(texts, batch_size=8)
    data = first_batches(batches)
    before = np.mean([distiller.term_values(d) for d in data], axis=0)
    weights = balance_terms(distiller, data)
    assert list(weights) == ["embedding", "hidden", "attention"]
    np.testing.assert_allclose(list(weights.values()), 1 / before, rtol=1e-5)
    distiller.compile()
    logs = distiller.evaluate(batches.dataset(), verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(3.0, rel=0.05)
    weighed = tb.distill(
        teacher, student, texts, stages="intermediate", epochs=1, balance=True, verbose=0
    )
    assert weighed["intermediate"]["loss"][0] < 10


def test_balance_does_not_blow_up_a_term_that_starts_at_zero(teacher, texts):
    """A student of the teacher's width copies its embeddings: their loss starts at zero."""
    student = tb.student_of(teacher, num_layers=1)
    distiller = tb.Distiller(student, teacher)
    data = first_batches(student.batches(texts, batch_size=8))
    values = np.mean([distiller.term_values(d) for d in data], axis=0)
    assert values[0] < 1e-8
    weights = balance_terms(distiller, data)
    assert weights["embedding"] == pytest.approx(100 / values.max(), rel=1e-5)


# === Relations ===
def test_relation_loss_against_numpy():
    generator = np.random.default_rng(0)
    own, other = generator.normal(size=(2, 5, 8)), generator.normal(size=(2, 5, 12))
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    found = relation_loss(
        own.astype("float32"), other.astype("float32"), mask.astype("int32"), relation_heads=4
    )
    for row, length in ((0, 5), (1, 3)):
        total = 0.0
        for head in range(4):
            relations = []
            for x, size in ((own, 2), (other, 3)):
                part = x[row, :length, head * size : (head + 1) * size]
                scores = part @ part.T / size**0.5
                exp = np.exp(scores)
                relations.append(exp / exp.sum(1, keepdims=True))
            s, t = relations
            total += (t * np.log(t / s)).sum(1).mean() / 4
        assert float(found[row]) == pytest.approx(total, rel=1e-5)


def test_relations_of_other_widths_and_depths(teacher, texts):
    student = tb.student_of(teacher, num_layers=2, hidden_dim=8, texts=texts)
    history = tb.distill(
        teacher,
        student,
        texts,
        stages="intermediate",
        epochs=6,
        learning_rate=3e-3,
        losses={"intermediate": tb.relation_losses(relation_heads=2, teacher_block=-2)},
        verbose=0,
    )["intermediate"]
    assert set(history) == {"loss", "relation_loss"}
    assert history["loss"][-1] < history["loss"][0]


def test_relation_block_is_the_one_asked_for(teacher, texts):
    student = tb.student_of(teacher, num_layers=4)
    x = student.batches(texts[:4]).batch(0, 0)[0]
    same = tb.Distiller(student, teacher, tb.relation_losses(2, teacher_block=3))
    other = tb.Distiller(student, teacher, tb.relation_losses(2, teacher_block=0))
    assert same.term_values((x,))[0] == pytest.approx(0.0, abs=1e-6)  # a copy of its teacher
    assert other.term_values((x,))[0] > 1e-4


@pytest.mark.parametrize("wrong", [{"relation_heads": 3}, {"teacher_block": 4}])
def test_relation_arguments(teacher, wrong):
    student = tb.student_of(teacher, num_layers=1)
    with pytest.raises(tb.TinyBertError, match=next(iter(wrong))):
        tb.Distiller(student, teacher, [tb.RelationLoss(**{"relation_heads": 2, **wrong})])


# === Unlabelled texts ===
def test_unlabelled_texts_are_trained_on(teacher, texts, labels):
    student = tb.student_of(teacher, num_layers=1)
    seen = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.params["steps"])

    tb.distill(
        teacher,
        student,
        texts,
        labels,
        unlabelled=["a good good film", "it is bad"] * 12,
        stages="prediction",
        epochs=1,
        batch_size=8,
        callbacks=[Count()],
        verbose=0,
    )
    assert seen == [(48 + 24) // 8]
    with pytest.raises(tb.TinyBertError, match="hard_label_weight=0.5"):
        tb.distill(
            teacher, student, texts, labels, unlabelled=texts, hard_label_weight=0.5, verbose=0
        )
    with pytest.raises(tb.TinyBertError, match="single or pairs"):
        tb.distill(teacher, student, texts, unlabelled=(texts, texts), verbose=0)


def pair_of_models(kind):
    """Teacher, student and raw examples of different lengths."""
    base = new_classifier(num_layers=2, dropout=0.0, attention_dropout=0.0)
    parts = base.backbone, base.preprocessor
    words = [["good", "film"], ["the", "bad", "plot", "was", "a", "film", "the", "movie"], ["a"]]
    if kind == "spans":
        teacher = tb.TinyBertQuestionAnswering(*parts)
        examples = ["the film", "a plot", "bad"], [" ".join(row) for row in words]
    else:
        teacher = tb.TinyBertTokenClassifier(
            parts[0], labels=["O", "B-film", "I-film"], preprocessor=parts[1]
        )
        examples = words
    teacher.output_dense.kernel.assign(50 * teacher.output_dense.kernel)  # far from uniform
    return teacher, tb.student_of(teacher, num_layers=1, init="random"), examples


@pytest.mark.parametrize("kind", ["tokens", pytest.param("spans", marks=pytest.mark.slow)])
def test_kept_logits_of_tokens_give_the_same_losses(kind):
    teacher, student, examples = pair_of_models(kind)
    distiller = tb.Distiller(student, teacher, tb.prediction_losses())
    batches = student.distillation_batches(examples, batch_size=2, pad_to_multiple=8)
    expected = [distiller.term_values(batches.batch(0, step)) for step in range(len(batches))]
    attach_logits(distiller, batches)
    kept = [batches.batch(0, step)[0] for step in range(len(batches))]
    assert all(TEACHER_LOGITS in features for features in kept)
    distiller.run_teacher = None  # what is kept is all there is
    for features, (value,) in zip(kept, expected, strict=True):
        assert distiller.term_values((features,))[0] == pytest.approx(value, abs=1e-5)
    (spec, *_) = next(iter(batches.dataset().take(1)))
    assert spec[TEACHER_LOGITS].shape[-1] == teacher.output_shape[-1]
    detach_logits(batches)
    assert TEACHER_LOGITS not in batches.batch(0, 0)[0]


@pytest.mark.slow
def test_a_tagger_learns_the_same_from_kept_logits():
    teacher, _, examples = pair_of_models("tokens")
    losses = []
    for keep in (True, False):
        keras.utils.set_random_seed(0)
        student = tb.student_of(teacher, num_layers=1)
        history = tb.distill(
            teacher,
            student,
            examples,
            stages="prediction",
            epochs=3,
            batch_size=2,
            keep_logits=keep,
            verbose=0,
        )
        losses.append(history["prediction"]["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
