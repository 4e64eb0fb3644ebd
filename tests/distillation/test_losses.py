"""The losses of the paper against plain numpy, and against numbers worked out by hand."""

import math

import numpy as np
import pytest

from tinybert_tf import TinyBertError
from tinybert_tf.distillation import (
    AttentionLoss,
    EmbeddingLoss,
    HardLabelLoss,
    HiddenLoss,
    PredictionLoss,
    intermediate_losses,
    prediction_losses,
    resolve_layer_map,
)
from tinybert_tf.distillation.functional import (
    attention_loss,
    hidden_loss,
    match_heads,
    multi_label_prediction_loss,
    prediction_loss,
)
from tinybert_tf.distillation.terms import Encoder

RANDOM = np.random.default_rng(7)
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "int32")
SCORES = RANDOM.normal(size=(2, 2, 2, 4, 4)).astype("float32")  # student, teacher
STATES = RANDOM.normal(size=(2, 2, 4, 3)).astype("float32")


def test_attention_loss_by_hand():
    """One head, two tokens of which the second is padding: only (0.5 - 0.2)^2 counts."""
    student = np.array([[[[0.5, 9.0], [9.0, 9.0]]]], "float32")
    teacher = np.array([[[[0.2, 1.0], [2.0, 3.0]]]], "float32")
    mask = np.array([[1, 0]])
    np.testing.assert_allclose(attention_loss(student, teacher, mask), [0.09], rtol=1e-5)
    # The released code: padded keys are zeroed, padded queries count, divided by 1 * 2 * 2.
    expected = (0.3**2 + 7.0**2) / 4
    np.testing.assert_allclose(
        attention_loss(student, teacher, mask, "paper"), [expected], rtol=1e-5
    )


def test_attention_loss_against_numpy():
    student, teacher = SCORES
    masked, paper = [], []
    for row in range(2):
        n = MASK[row].sum()
        difference = (student[row] - teacher[row]) ** 2
        masked.append(np.mean([difference[h, :n, :n].mean() for h in range(2)]))
        kept = difference.copy()
        kept[:, :, n:] = 0
        paper.append(kept.mean())
    np.testing.assert_allclose(attention_loss(student, teacher, MASK), masked, rtol=1e-5)
    np.testing.assert_allclose(attention_loss(student, teacher, MASK, "paper"), paper, rtol=1e-5)


def test_paper_reduction_is_the_released_code():
    """TinyBERT's task_distill.py: additive mask -10000, entries <= -100 zeroed, nn.MSELoss()."""
    student, teacher = (s + (1 - MASK[:, None, None, :]) * -10000.0 for s in SCORES)
    student = np.where(student <= -1e2, 0.0, student)
    teacher = np.where(teacher <= -1e2, 0.0, teacher)
    released = np.mean((student - teacher) ** 2)
    ours = np.mean(attention_loss(*SCORES, MASK, "paper"))
    np.testing.assert_allclose(ours, released, rtol=1e-5)


def test_hidden_loss_against_numpy():
    student, teacher = STATES
    squared = (student - teacher) ** 2
    np.testing.assert_allclose(
        hidden_loss(student, teacher, MASK),
        [squared[0].mean(), squared[1, :2].mean()],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        hidden_loss(student, teacher, MASK, "paper"), squared.mean(axis=(1, 2)), rtol=1e-5
    )


def test_prediction_loss_by_hand():
    """Teacher certain of odds 3:1, student even: -(3/4 + 1/4) ln 1/2 = ln 2."""
    teacher = np.array([[math.log(3.0), 0.0]], "float32")
    student = np.zeros((1, 2), "float32")
    np.testing.assert_allclose(prediction_loss(student, teacher), [math.log(2)], rtol=1e-5)
    np.testing.assert_allclose(
        prediction_loss(student, teacher, reduction="paper"), [math.log(2) / 2], rtol=1e-5
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_prediction_loss_against_numpy(temperature):
    student, teacher = RANDOM.normal(size=(2, 5, 3)).astype("float32")

    def softmax(x):
        e = np.exp(x / temperature)
        return e / e.sum(axis=-1, keepdims=True)

    expected = -(softmax(teacher) * np.log(softmax(student))).sum(axis=-1)
    np.testing.assert_allclose(
        prediction_loss(student, teacher, temperature), expected * temperature**2, rtol=1e-4
    )
    np.testing.assert_allclose(
        prediction_loss(student, teacher, temperature, "paper"), expected / 3, rtol=1e-4
    )


def test_multi_label_loss_against_numpy():
    student, teacher = RANDOM.normal(size=(2, 5, 3)).astype("float32")
    p, q = 1 / (1 + np.exp(-teacher)), 1 / (1 + np.exp(-student))
    expected = -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean(axis=-1)
    np.testing.assert_allclose(multi_label_prediction_loss(student, teacher), expected, rtol=1e-5)


def test_losses_survive_extreme_logits():
    huge = np.array([[1e4, -1e4], [-1e4, 1e4]], "float32")
    assert np.isfinite(prediction_loss(huge, -huge)).all()
    assert np.isfinite(multi_label_prediction_loss(huge, -huge)).all()


def test_heads_are_matched_or_averaged():
    student = RANDOM.normal(size=(1, 4, 2, 2)).astype("float32")
    teacher = RANDOM.normal(size=(1, 6, 2, 2)).astype("float32")
    own, other = match_heads(student, teacher)  # greatest common divisor: 2 groups
    np.testing.assert_allclose(own[0, 0], student[0, :2].mean(0), rtol=1e-6)
    np.testing.assert_allclose(own[0, 1], student[0, 2:].mean(0), rtol=1e-6)
    np.testing.assert_allclose(other[0, 1], teacher[0, 3:].mean(0), rtol=1e-6)
    same, _ = match_heads(student, student)
    np.testing.assert_array_equal(same, student)


@pytest.mark.parametrize(
    ("student", "teacher", "strategy", "expected"),
    [
        (4, 12, "uniform", [2, 5, 8, 11]),  # the paper: g(m) = 3m
        (6, 12, "uniform", [1, 3, 5, 7, 9, 11]),
        (3, 6, "uniform", [1, 3, 5]),
        (4, 6, "uniform", [1, 2, 4, 5]),  # ratio 1.5
        (5, 12, "uniform", [1, 4, 6, 9, 11]),  # ratio 2.4
        (4, 2, "uniform", [0, 0, 1, 1]),  # deeper than its teacher
        (4, 12, "top", [8, 9, 10, 11]),
        (4, 12, "bottom", [0, 1, 2, 3]),
        (2, 6, [0, 5], [0, 5]),
        (2, 6, (3, 3), [3, 3]),
    ],
)
def test_layer_map(student, teacher, strategy, expected):
    assert resolve_layer_map(student, teacher, strategy) == expected


@pytest.mark.parametrize(
    ("student", "teacher", "strategy", "message"),
    [
        (2, 6, "middle", "layer_map='middle'"),
        (2, 6, [0], "2 teacher block numbers.*layer_map=\\[0\\]"),
        (2, 6, [0, 6], "from 0 to 5"),
        (3, 2, "top", "Received: 3 and 2"),
    ],
)
def test_layer_map_errors(student, teacher, strategy, message):
    with pytest.raises(TinyBertError, match=message):
        resolve_layer_map(student, teacher, strategy)


def model_outputs(layers, width, heads):
    return {
        "hidden_states": [
            RANDOM.normal(size=(2, 4, width)).astype("float32") for _ in range(layers + 1)
        ],
        "attention_scores": [
            RANDOM.normal(size=(2, heads, 4, 4)).astype("float32") for _ in range(layers)
        ],
        "logits": RANDOM.normal(size=(2, 3)).astype("float32"),
    }


BATCH = {"padding_mask": MASK, "labels": np.array([2, 0])}


def masked_mse(a, b):
    squared = (a - b) ** 2
    return np.array([squared[0].mean(), squared[1, :2].mean()])


@pytest.mark.parametrize("projection", ["shared", "per_layer"])
def test_terms_sum_over_the_mapped_layers(projection):
    student, teacher = model_outputs(2, 3, 2), model_outputs(6, 5, 2)
    embedding = EmbeddingLoss(projection=projection)
    hidden = HiddenLoss(projection=projection)
    attention = AttentionLoss()
    for term in (embedding, hidden, attention):
        term.prepare(Encoder(2, 3), Encoder(6, 5))
    w_e = embedding.projections[0].get_weights()[0]
    np.testing.assert_allclose(
        embedding.compute(student, teacher, BATCH),
        masked_mse(student["hidden_states"][0] @ w_e, teacher["hidden_states"][0]),
        rtol=1e-4,
    )
    # Student states 1 and 2 meet teacher states 3 and 6; blocks 0 and 1 meet blocks 2 and 5.
    assert len(hidden.projections) == (1 if projection == "shared" else 2)
    expected = sum(
        masked_mse(
            student["hidden_states"][own]
            @ hidden.projections[index % len(hidden.projections)].get_weights()[0],
            teacher["hidden_states"][other],
        )
        for index, (own, other) in enumerate([(1, 3), (2, 6)])
    )
    np.testing.assert_allclose(hidden.compute(student, teacher, BATCH), expected, rtol=1e-4)
    expected = sum(
        np.array(
            attention_loss(
                student["attention_scores"][own], teacher["attention_scores"][other], MASK
            )
        )
        for own, other in [(0, 2), (1, 5)]
    )
    np.testing.assert_allclose(attention.compute(student, teacher, BATCH), expected, rtol=1e-5)
    assert sum(p.use_bias for p in hidden.projections) == 0


def test_no_projection_between_equal_widths():
    student, teacher = model_outputs(2, 3, 2), model_outputs(4, 3, 2)
    hidden = HiddenLoss()
    hidden.prepare(Encoder(2, 3), Encoder(4, 3))
    assert hidden.trainable_variables == []
    expected = masked_mse(student["hidden_states"][1], teacher["hidden_states"][2]) + masked_mse(
        student["hidden_states"][2], teacher["hidden_states"][4]
    )
    np.testing.assert_allclose(hidden.compute(student, teacher, BATCH), expected, rtol=1e-5)


def test_hard_labels():
    student = model_outputs(1, 3, 1)
    term = HardLabelLoss()
    term.prepare(Encoder(1, 3), Encoder(1, 3))
    logits = student["logits"]
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(
        term.compute(student, {}, BATCH),
        [-log_probabilities[0, 2], -log_probabilities[1, 0]],
        rtol=1e-5,
    )
    with pytest.raises(TinyBertError, match="labels=None"):
        term.compute(student, {}, {**BATCH, "labels": None})


def test_recipes_name_their_terms():
    assert [t.name for t in intermediate_losses()] == ["embedding", "hidden", "attention"]
    assert [t.name for t in prediction_losses()] == ["prediction"]
    assert [(t.name, t.weight) for t in prediction_losses(hard_label_weight=0.5)] == [
        ("prediction", 1.0),
        ("hard_label", 0.5),
    ]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AttentionLoss(reduction="sum"), "reduction='sum'"),
        (lambda: HiddenLoss(projection="two"), "projection='two'"),
        (lambda: PredictionLoss(temperature=0), "temperature=0"),
        (
            lambda: HiddenLoss(projection="none").prepare(Encoder(1, 3), Encoder(1, 5)),
            "hidden_dim=3, teacher hidden_dim=5",
        ),
    ],
)
def test_term_errors(build, message):
    with pytest.raises(TinyBertError, match=message):
        build()
