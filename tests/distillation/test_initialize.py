"""Students that start from their teacher."""

import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.distillation.narrowing import norm_parameters, principal_directions
from tinybert_tf.distillation.views import observe


def test_same_shape_is_the_same_function(teacher, texts):
    student = tb.student_of(teacher)
    np.testing.assert_allclose(
        student.predict(texts, verbose=0), teacher.predict(texts, verbose=0), atol=1e-5
    )


def test_copied_blocks_follow_the_layer_map(teacher):
    student = tb.student_of(teacher, num_layers=2, layer_map=[0, 3])
    for own, other in ((0, 0), (1, 3)):
        for a, b in zip(
            student.backbone.encoder_blocks[own].get_weights(),
            teacher.backbone.encoder_blocks[other].get_weights(),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_array_equal(
        student.output_dense.get_weights()[0], teacher.output_dense.get_weights()[0]
    )


def test_random_start_shares_vocabulary_and_labels_only(teacher):
    student = tb.student_of(teacher, "bert_tiny_2l_128", init="random")
    assert student.labels == teacher.labels
    assert student.wordpiece == teacher.wordpiece
    assert student.backbone.hidden_dim == 128
    assert np.abs(student.backbone.embeddings.token_embedding.get_weights()[0]).max() < 0.05


def test_principal_directions_keep_the_energy():
    random = np.random.default_rng(0)
    states = random.normal(size=(200, 3)) @ random.normal(size=(3, 8))
    directions = principal_directions(states, 3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(states @ directions @ directions.T, states, atol=1e-4)


def test_norm_parameters_give_targets_back():
    random = np.random.default_rng(0)
    gamma, beta = random.uniform(0.5, 2, 6), random.normal(size=6)
    rows = random.normal(size=(4000, 6))
    normalized = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
    targets = normalized * 1.5
    found_gamma, found_beta = norm_parameters(targets)
    np.testing.assert_allclose(found_gamma, 1.5, rtol=1e-3)
    np.testing.assert_allclose(found_beta, 0.0, atol=1e-3)
    assert norm_parameters(normalized * gamma + beta)[0].shape == (6,)


def test_narrow_attention_keeps_scores_that_live_in_the_subspace(teacher, texts):
    """Dropping nothing but unused directions leaves the first block's scores as they are."""
    wide = tb.student_of(teacher)
    used = wide.backbone.embeddings
    # Confine hidden state 0 to its first 12 dimensions.
    gamma, beta = used.layer_norm.get_weights()
    gamma[12:], beta[12:] = 0.0, 0.0
    used.layer_norm.set_weights([gamma, beta])
    from tinybert_tf.distillation.narrowing import narrow_attention

    narrow = tb.student_of(teacher, hidden_dim=12, attention_dim=16, init="random")
    directions = np.eye(16, 12, dtype="float32")
    narrow_attention(
        narrow.backbone.encoder_blocks[0].attention,
        wide.backbone.encoder_blocks[0].attention,
        directions,
    )
    x = wide.batches(texts, shuffle=False).batch(0, 0)[0]
    state = np.array(observe(wide)(x)["hidden_states"][0])
    expected = wide.backbone.encoder_blocks[0].attention(state)[1]
    actual = narrow.backbone.encoder_blocks[0].attention(state[:, :, :12])[1]
    np.testing.assert_allclose(actual, expected, atol=1e-4)


@pytest.mark.slow
def test_principal_start_beats_random_start(teacher, texts):
    """The narrower student's distance to the teacher, before any training."""
    losses = {}
    for init in ("teacher", "random"):
        student = tb.student_of(teacher, hidden_dim=12, init=init, texts=texts)
        distiller = tb.Distiller(student, teacher, tb.prediction_losses())
        distiller.compile()
        data = student.batches(texts, batch_size=8, shuffle=False).dataset()
        losses[init] = distiller.evaluate(data, verbose=0, return_dict=True)["loss"]
    assert losses["teacher"] < 0.6 * losses["random"]


def test_errors(teacher):
    with pytest.raises(tb.TinyBertError, match="hidden_dim=32, the teacher's 16"):
        tb.student_of(teacher, hidden_dim=32)
    with pytest.raises(tb.TinyBertError, match="init='zero'"):
        tb.student_of(teacher, init="zero")


def test_student_of_a_factorized_teacher(teacher, texts):
    """The word table comes out whole: a student of all blocks answers as its teacher."""
    factorized = tb.factorize_word_table(teacher, rank=6)
    student = tb.student_of(factorized)
    assert student.backbone.embedding_dim is None
    np.testing.assert_allclose(
        student.predict(texts, verbose=0), factorized.predict(texts, verbose=0), atol=1e-4
    )
    with pytest.raises(tb.TinyBertError, match="embedding_dim=6"):
        tb.save_hf(factorized, "never-written")


def test_a_students_length_is_its_own(teacher):
    student = tb.student_of(teacher, num_layers=1)
    student.preprocessor.sequence_length = 5
    assert teacher.sequence_length != student.sequence_length == 5
    assert student.wordpiece is teacher.wordpiece
