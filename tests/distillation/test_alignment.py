"""Projections and heads that fit before the first step."""

import keras
import numpy as np
import pytest
from distillation_models import new_classifier

import tinybert_tf as tb
from tinybert_tf.distillation.alignment import LeastSquares, align_projections
from tinybert_tf.distillation.recipe import first_batches


def test_least_squares_against_numpy():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 4)), generator.normal(size=(60, 3))
    fit = LeastSquares(use_bias=True)
    fit.add(x[:30], y[:30])
    fit.add(x[30:], y[30:])
    kernel, bias = fit.solve()
    ones = np.concatenate([x, np.ones((60, 1))], axis=1)
    expected = np.linalg.lstsq(ones, y, rcond=None)[0]
    np.testing.assert_allclose(np.vstack([kernel, bias]), expected, atol=5e-3)


@pytest.mark.slow
def test_projection_of_a_narrower_student(teacher, texts):
    """The aligned projection is the best one: random ones and its neighbors are worse."""
    student = tb.student_of(teacher, num_layers=2, hidden_dim=8, texts=texts)
    batches = student.batches(texts, batch_size=8)
    inputs = [x[0] for x in first_batches(batches)]
    distiller = tb.Distiller(student, teacher)

    def loss():
        distiller.compile()
        return distiller.evaluate(batches.dataset(), verbose=0, return_dict=True)

    before = loss()
    align_projections(distiller, inputs)
    after = loss()
    assert after["hidden_loss"] < 0.5 * before["hidden_loss"]
    assert after["embedding_loss"] < 0.5 * before["embedding_loss"]
    assert after["attention_loss"] == pytest.approx(before["attention_loss"])
    for term in distiller.terms[:2]:
        for projection in term.projections:
            kernel = projection.get_weights()[0]
            noise = np.random.default_rng(0).normal(0, 0.05, kernel.shape)
            projection.set_weights([kernel + noise])
            assert loss()["loss"] > after["loss"]
            projection.set_weights([kernel])


def test_equal_widths_need_none(teacher, texts):
    student = tb.student_of(teacher, num_layers=2)
    distiller = tb.Distiller(student, teacher)
    align_projections(distiller, [x[0] for x in first_batches(student.batches(texts))])
    assert not any(getattr(term, "projections", None) for term in distiller.terms)


@pytest.mark.slow
def test_random_projections_on_request(teacher, texts):
    first = {}
    for align in (True, False):
        student = tb.student_of(teacher, num_layers=2, hidden_dim=8, texts=texts)
        history = tb.distill(
            teacher, student, texts, stages="intermediate", epochs=1, align=align, verbose=0
        )
        first[align] = history["intermediate"]["hidden_loss"][0]
    assert first[True] < first[False]


@pytest.mark.slow
def test_student_on_a_general_encoder(teacher, texts, labels, tmp_path):
    """Another width, untrained on the task: the fitted head does part of the work."""
    keras.utils.set_random_seed(4)
    encoder = new_classifier(num_layers=2, hidden_dim=12, dropout=0.0).backbone
    for variable in encoder.trainable_variables:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(variable.numpy() * 15)  # 0.02 is for widths of hundreds
    student = tb.student_of(teacher, init=encoder, texts=texts)
    assert student.backbone.hidden_dim == 12 and student.labels == teacher.labels
    np.testing.assert_array_equal(
        student.backbone.encoder_blocks[0].attention.query_dense.get_weights()[0],
        encoder.encoder_blocks[0].attention.query_dense.get_weights()[0],
    )
    assert student.backbone is not encoder
    accuracy = student.evaluate(texts, labels, verbose=0, return_dict=True)["accuracy"]
    assert accuracy > 0.8
    encoder.save_to_preset(str(tmp_path / "general"))
    again = tb.student_of(teacher, init=tmp_path / "general", texts=texts)
    np.testing.assert_allclose(
        again.predict(texts, verbose=0), student.predict(texts, verbose=0), atol=1e-4
    )


def test_encoders_that_do_not_fit(teacher, texts, tmp_path):
    encoder = new_classifier(num_layers=1).backbone
    with pytest.raises(tb.TinyBertError, match="architecture"):
        tb.student_of(teacher, "tinybert_4l_312", init=encoder)
    with pytest.raises(tb.TinyBertError, match="no-such"):
        tb.student_of(teacher, init=tmp_path / "no-such")
    with pytest.raises(tb.TinyBertError, match="int"):
        tb.student_of(teacher, init=3)
    other = tb.TinyBertBackbone(9, 1, 2, 16, 32)
    with pytest.raises(tb.TinyBertError, match="vocabulary_size=9"):
        tb.student_of(teacher, init=other)
