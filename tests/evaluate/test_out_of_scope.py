"""Out-of-scope texts: scores, AUROC, thresholds by objective, and what is refused."""

import json

import numpy as np
import pytest
from rich.console import Console

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import (
    OutOfScopeReport,
    OutOfScopeThreshold,
    choose_threshold,
    detect,
    evaluate_out_of_scope,
    out_of_scope_scores,
)

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0], [30.0, -30.0, 0.0]])


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def scores_of(count, mean, seed, decimals=None):
    """Numbers between 0 and 1; with `decimals` many of them are equal."""
    logits = np.random.default_rng(seed).normal(mean, 1.0, count)
    values = 1 / (1 + np.exp(-logits))
    return values if decimals is None else values.round(decimals)


def rendered(renderable):
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


# === Scores ===


def test_scores_by_hand():
    probabilities = softmax(LOGITS)
    largest = out_of_scope_scores(probabilities)
    np.testing.assert_allclose(largest, [np.exp(2) / (np.exp(2) + 1 + np.exp(-1)), 1 / 3, 1.0])
    entropy = out_of_scope_scores(probabilities, "entropy")
    assert entropy[1] == pytest.approx(np.log(3))
    assert entropy[2] == pytest.approx(0, abs=1e-10)
    energy = out_of_scope_scores(LOGITS, "energy", temperature=2.0)
    np.testing.assert_allclose(energy, -2 * np.log(np.exp(LOGITS / 2).sum(axis=1)))


def test_entropy_of_a_certain_answer_is_zero():
    assert out_of_scope_scores([[1.0, 0.0]], "entropy").tolist() == [0.0]


def test_energy_of_huge_logits_is_finite():
    assert out_of_scope_scores([[1000.0, 0.0]], "energy").tolist() == [-1000.0]


def test_rows_that_are_not_finite_have_no_score_and_are_out_of_scope():
    rows = [[0.9, 0.1], [np.nan, 0.5], [np.inf, 0.0]]
    for score, limit in (("probability", 0.2), ("entropy", 0.6), ("energy", 5.0)):
        scores = out_of_scope_scores(rows if score != "energy" else np.multiply(rows, 2), score)
        assert np.isnan(scores).tolist() == [False, True, True]
        threshold = OutOfScopeThreshold(score, limit)
        assert detect(scores, threshold).tolist() == [False, True, True]


def test_no_rows_give_no_scores():
    assert out_of_scope_scores(np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    "outputs, score, message",
    [
        (softmax(LOGITS), "energy", "Expected logits: the energy cannot be computed from prob"),
        (LOGITS, "probability", "not logits"),
        (LOGITS, "entropy", "not logits"),
        ([[0.9, 0.9]], "probability", "rows sum to one"),
        ([0.9, 0.1], "probability", r"outputs.shape=\(2,\)"),
        ([[1.0]], "probability", "two classes or more"),
        (LOGITS, "margin", "score='margin'"),
    ],
)
def test_outputs_that_do_not_fit(outputs, score, message):
    with pytest.raises(TinyBertError, match=message):
        out_of_scope_scores(outputs, score)


@pytest.mark.parametrize("temperature", [0, -1.0, np.nan, "1"])
def test_temperature(temperature):
    with pytest.raises(TinyBertError, match="positive temperature"):
        out_of_scope_scores(LOGITS, "energy", temperature)


# === Measures ===


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("score", ["probability", "entropy", "energy"])
def test_auroc_and_fpr_against_scikit_learn(score, decimals):
    metrics = pytest.importorskip("sklearn.metrics")
    inside, outside = scores_of(137, 1.0, 0, decimals), scores_of(60, -0.5, 1, decimals)
    sign = 1 if score == "probability" else -1  # scikit-learn's positives are the in-scope texts
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    confidence = sign * np.concatenate([inside, outside])
    measured = choose_threshold(inside, outside, score).measured
    assert measured.auroc == pytest.approx(metrics.roc_auc_score(truth, confidence), abs=1e-12)
    fpr, tpr, _ = metrics.roc_curve(truth, confidence, drop_intermediate=False)
    assert measured.fpr_at_95_tpr == pytest.approx(fpr[tpr >= 0.95].min(), abs=1e-12)


def test_measures_by_hand():
    threshold = OutOfScopeThreshold("probability", 0.5)
    report = evaluate_out_of_scope(
        threshold, [0.9, 0.8, 0.5, 0.4], [0.7, 0.3], correct=np.array([True, False, True, True])
    )
    assert report == OutOfScopeReport(
        num_in_scope=4,
        num_out_of_scope=2,
        in_scope_kept=0.75,  # a score at the threshold is kept
        out_of_scope_recall=0.5,
        auroc=0.75,
        fpr_at_95_tpr=0.5,
        accuracy_before=0.75,
        in_scope_accuracy=0.5,
    )


# === Choice ===


@pytest.mark.parametrize("score", ["probability", "entropy", "energy"])
def test_choice_is_the_best_of_all_thresholds(score):
    inside, outside = scores_of(80, 1.0, 2, 2), scores_of(40, 0.0, 3, 2)
    if score != "probability":
        inside, outside = 1 - inside, 1 - outside
    chosen = choose_threshold(inside, outside, score)
    worth = chosen.measured.in_scope_kept + chosen.measured.out_of_scope_recall
    for limit in np.linspace(-0.1, 1.1, 500):
        other = evaluate_out_of_scope(OutOfScopeThreshold(score, float(limit)), inside, outside)
        assert other.in_scope_kept + other.out_of_scope_recall <= worth + 1e-12
    assert evaluate_out_of_scope(chosen, inside, outside) == chosen.measured
    assert detect(outside, chosen).mean() == chosen.measured.out_of_scope_recall


@pytest.mark.parametrize("target", [0.0, 0.5, 0.9, 1.0])
def test_targets_are_met_and_no_more_is_given_up_than_needed(target):
    inside, outside = scores_of(80, 1.0, 4), scores_of(40, 0.0, 5)
    found = choose_threshold(inside, outside, "probability", objective="recall_at", target=target)
    kept = choose_threshold(inside, outside, "probability", objective="kept_at", target=target)
    assert found.measured.out_of_scope_recall >= target
    assert kept.measured.in_scope_kept >= target
    # One in-scope text more kept would miss the target, one text more found likewise.
    next_in = inside[inside < found.threshold]
    if len(next_in):
        lower = OutOfScopeThreshold("probability", float(next_in.max()))
        assert evaluate_out_of_scope(lower, inside, outside).out_of_scope_recall < target
    next_out = outside[outside >= kept.threshold]
    if len(next_out):
        higher = OutOfScopeThreshold("probability", float(np.nextafter(next_out.min(), 2)))
        assert evaluate_out_of_scope(higher, inside, outside).in_scope_kept < target


def test_sides_that_lie_apart_are_parted_in_the_middle():
    chosen = choose_threshold([0.9, 0.8], [0.4, 0.2], "probability")
    assert chosen.threshold == pytest.approx(0.6)
    assert chosen.measured.auroc == 1
    assert chosen.measured.fpr_at_95_tpr == 0
    assert choose_threshold([0.1, 0.2], [0.8, 0.9], "entropy").threshold == pytest.approx(0.5)


def test_neighbouring_floats_are_parted():
    low = 0.5
    high = float(np.nextafter(low, 1))
    for score, inside, outside in (("probability", high, low), ("energy", low, high)):
        measured = choose_threshold([inside], [outside], score).measured
        assert (measured.in_scope_kept, measured.out_of_scope_recall) == (1, 1)


def test_of_equal_thresholds_the_one_that_refuses_fewest():
    # Between 0.8 and 0.6 and between 0.4 and 0.2 the objective is 1.5.
    chosen = choose_threshold([0.8, 0.4], [0.6, 0.2], "probability")
    assert chosen.threshold == pytest.approx(0.3)


@pytest.mark.parametrize("score", ["probability", "entropy", "energy"])
def test_equal_scores_refuse_nothing(score):
    chosen = choose_threshold([0.5] * 4, [0.5] * 3, score)
    assert not detect([0.5], chosen).any()
    assert chosen.measured.auroc == 0.5
    assert chosen.measured.fpr_at_95_tpr == 1
    everything = choose_threshold([0.5] * 4, [0.5] * 3, score, objective="recall_at", target=0.1)
    assert detect([0.5], everything).all()


def test_wrong_answers_do_not_count():
    inside, outside = [0.9, 0.8, 0.3, 0.2], [0.4, 0.35]
    every = choose_threshold(inside, outside, "probability", objective="kept_at", target=1.0)
    assert every.measured.out_of_scope_recall == 0
    right = choose_threshold(
        inside,
        outside,
        "probability",
        correct=np.array([True, True, False, False]),
        objective="kept_at",
        target=1.0,
    )
    assert right.threshold == pytest.approx(0.6)
    assert right.measured.out_of_scope_recall == 1
    assert right.measured.in_scope_kept == 0.5
    assert right.measured.accuracy_before == right.measured.in_scope_accuracy == 0.5


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"in_scope_scores": []}, r"at least one score.*in_scope_scores.shape=\(0,\)"),
        ({"out_of_scope_scores": []}, r"at least one score.*out_of_scope_scores.shape=\(0,\)"),
        ({"in_scope_scores": [0.5, np.nan]}, r"in_scope_scores\[1\]=nan"),
        ({"out_of_scope_scores": [np.inf]}, r"out_of_scope_scores\[0\]=inf"),
        ({"out_of_scope_scores": [-3.0]}, "from 0 to 1, as 'probability'"),
        ({"in_scope_scores": [[0.5]]}, r"in_scope_scores.shape=\(1, 1\)"),
        ({"score": "maximum"}, "score='maximum'"),
        ({"objective": "best"}, "objective='best'"),
        ({"target": 1.5}, "target=1.5"),
        ({"correct": [True]}, r"one bool per in-scope text, shape \(2,\)"),
        ({"correct": [1, 0]}, "dtype=int64"),
        ({"correct": [False, False]}, "none of them correct"),
        ({"temperature": 0.0}, "temperature=0.0"),
    ],
)
def test_bad_input(changes, message):
    arguments = {
        "in_scope_scores": [0.9, 0.8],
        "out_of_scope_scores": [0.2],
        "score": "probability",
        **changes,
    }
    with pytest.raises(TinyBertError, match=message):
        choose_threshold(**arguments)


def test_evaluation_refuses_what_the_choice_refuses():
    threshold = OutOfScopeThreshold("probability", 0.5)
    with pytest.raises(TinyBertError, match=r"out_of_scope_scores.shape=\(0,\)"):
        evaluate_out_of_scope(threshold, [0.5], [])
    with pytest.raises(TinyBertError, match=r"in_scope_scores\[0\]=nan"):
        evaluate_out_of_scope(threshold, [np.nan], [0.5])


# === Forms ===


def test_json_round_trip():
    chosen = choose_threshold(
        -scores_of(50, 1.0, 6), -scores_of(20, 0.0, 7), "energy", temperature=1.5
    )
    assert OutOfScopeThreshold.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
    plain = OutOfScopeThreshold("entropy", 1.25)
    assert OutOfScopeThreshold.from_dict(plain.to_dict()) == plain


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"score": "probability"},
        {"score": "probability", "threshold": "0.5"},
        {"score": "probability", "threshold": float("nan")},
        {"score": "magic", "threshold": 0.5},
        {"score": "probability", "threshold": 0.5, "surprise": 1},
        {"score": "probability", "threshold": 0.5, "measured": {"auroc": 1.0}},
        [],
    ],
)
def test_from_dict_refuses(values):
    with pytest.raises(TinyBertError, match="Expected .* Received: "):
        OutOfScopeThreshold.from_dict(values)


def test_tables_and_text():
    chosen = choose_threshold(
        [0.9, 0.8], [0.4, 0.2], "probability", correct=np.array([True, False])
    )
    table = rendered(chosen)
    assert "Out of scope: probability < 0.6" in table
    assert "AUROC" in table and "in-scope accuracy with it" in table
    assert "on 2 in-scope and 2 other texts" in table
    assert "AUROC 1.00" in chosen.measured.to_text(2)
    assert "accuracy" not in rendered(choose_threshold([0.9], [0.4], "probability"))
    assert chosen.summary() == {"threshold": chosen.threshold, **chosen.measured.summary()}
    assert "entropy > 1.5" in rendered(OutOfScopeThreshold("entropy", 1.5))
