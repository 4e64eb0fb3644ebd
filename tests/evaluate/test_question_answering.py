"""Span decoding against the search by hand, scores against SQuAD's own script."""

import collections
import json
import os
import random
import re
import string
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.question_answering import (
    AnswerScores,
    Prediction,
    decode_spans,
    evaluate_answers,
    exact_match,
    f1_score,
    normalize_answer,
)
from tinybert_tf.evaluate.spans import _whole_words
from tinybert_tf.text.squad import Answer, Questions, read_squad
from tinybert_tf.text.strides import answer_positions, encode_questions
from tinybert_tf.text.wordpiece import WordPiece

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrst"
CONTEXT = " ".join(LETTERS[:7])  # a b c d e f g


@pytest.fixture(scope="module")
def wordpiece():
    letters = [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
    return WordPiece([*SPECIAL_TOKENS, "?", *letters])


@pytest.fixture(scope="module")
def windows(wordpiece):
    """One question in the windows a-d, c-f and e-g; the context starts at piece 3."""
    return encode_questions(wordpiece, ["?"], [CONTEXT], max_length=8, stride=2, max_question=4)


def flat(encoded, **changes):
    """Zero logits with changes: `{"start_1_3": 5.0}` is window 1, piece 3."""
    start, end = ([np.zeros(len(ids), "float32") for ids in encoded.token_ids] for _ in "se")
    for name, value in changes.items():
        side, window, piece = name.split("_")
        {"start": start, "end": end}[side][int(window)][int(piece)] = value
    return start, end


def decoded(encoded, contexts=(CONTEXT,), *, logits, **arguments):
    return decode_spans(encoded, *logits, contexts, **arguments)


# === Spans ===


def test_the_best_span_is_the_slice_of_the_original_context(wordpiece):
    context = "B  É\u0301t 😀 c\u0301, 中 D!"
    encoded = encode_questions(wordpiece, ["?"], [context])
    # [CLS] ? [SEP] b e ##t 😀 c , 中 d ! [SEP]
    logits = flat(encoded, start_0_4=3, end_0_7=2)
    (prediction,) = decoded(encoded, [context], logits=logits)
    assert prediction == Prediction("É\u0301t 😀 c\u0301", 3, 11, 5.0, 0.0)
    assert context[prediction.start : prediction.end] == prediction.text


def test_windows_compete(windows):
    assert windows.row.tolist() == [0, 0, 0]
    logits = flat(windows, start_0_3=2, end_0_4=1, start_1_4=3, end_1_5=1.5, start_2_4=4)
    (prediction,) = decoded(windows, logits=logits)
    assert (prediction.text, prediction.score) == ("d e", 4.5)


def test_a_span_ends_no_earlier_than_it_starts(windows):
    (prediction,) = decoded(windows, logits=flat(windows, start_0_5=9, end_0_3=8, end_0_6=1))
    assert (prediction.text, prediction.score) == ("c d", 10.0)


@pytest.mark.parametrize("piece", [0, 1, 2, 7])
def test_a_span_lies_in_the_context(windows, piece):
    changes = {f"start_0_{piece}": 50, f"end_0_{piece}": 50, "start_0_4": 1, "end_0_4": 1}
    (prediction,) = decoded(windows, logits=flat(windows, **changes))
    assert (prediction.text, prediction.score) == ("b", 2.0)


@pytest.mark.parametrize(("longest", "text"), [(1, "b"), (2, "b c"), (3, "b c d"), (30, "b c d")])
def test_longest_answer(windows, longest, text):
    logits = flat(windows, start_0_4=9, end_0_4=1, end_0_5=2, end_0_6=3)
    (prediction,) = decoded(windows, logits=logits, max_answer_tokens=longest)
    assert prediction.text == text


def test_a_start_counts_where_it_has_most_context(windows):
    # c opens the second window; d ends the first.
    assert windows.best_context[0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert windows.best_context[1].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
    (prediction,) = decoded(windows, logits=flat(windows, start_1_3=9, start_0_5=2, end_0_6=1))
    assert (prediction.text, prediction.score) == ("c d", 3.0)


def test_top_limits_the_starts(windows):
    logits = flat(windows, start_0_3=2, start_0_5=1.5, end_0_5=1, end_0_3=-5, end_0_4=-5)
    logits[1][0][4:7] = [-5, 0.5, 1]
    logits[0][1][:] = logits[0][2][:] = -9
    (wide,) = decoded(windows, logits=logits)
    (narrow,) = decoded(windows, logits=logits, top=1, max_answer_tokens=3)
    assert (wide.text, wide.score) == ("a b c d", 3.0)
    assert (narrow.text, narrow.score) == ("a b c", 2.5)
    (second,) = decoded(windows, logits=logits, top=2, max_answer_tokens=2)
    assert (second.text, second.score) == ("c d", 2.5)
    (first,) = decoded(windows, logits=logits, top=1, max_answer_tokens=2)
    assert (first.text, first.score) == ("a", -3.0)


def every_span(encoded, start, end, longest):
    """All valid spans of one question, by loops."""
    for window in range(len(encoded)):
        for first in np.flatnonzero(encoded.best_context[window]):
            for last in range(first, min(first + longest, len(encoded.token_ids[window]))):
                if encoded.context_mask[window][last]:
                    place = encoded.offsets[window][first, 0], encoded.offsets[window][last, 1]
                    yield start[window][first] + end[window][last], place


@pytest.mark.parametrize("longest", [1, 2, 5, 30])
def test_random_logits_equal_the_search_by_loops(wordpiece, longest):
    rng = np.random.default_rng(longest)
    for count in rng.integers(1, 20, 25):
        context = " ".join(LETTERS[:count])
        encoded = encode_questions(
            wordpiece, ["?"], [context], max_length=10, stride=3, max_question=4
        )
        start, end = ([rng.normal(size=len(ids)) for ids in encoded.token_ids] for _ in "se")
        (prediction,) = decode_spans(encoded, start, end, [context], longest)
        score, place = max(every_span(encoded, start, end, longest))
        assert prediction.score == pytest.approx(score)
        assert (prediction.start, prediction.end) == place


def test_questions_do_not_mix(wordpiece):
    contexts = ["a b c d e f", "a", "", "f e d c b a"]
    encoded = encode_questions(
        wordpiece, ["?"] * 4, contexts, max_length=8, stride=2, max_question=4
    )
    assert encoded.row.tolist() == [0, 0, 1, 2, 3, 3]
    logits = flat(encoded, start_1_5=5, end_1_6=5, start_4_3=4, end_4_3=4, start_3_0=7)
    predictions = decoded(encoded, contexts, logits=logits)
    assert [prediction.text for prediction in predictions] == ["e f", "a", "", "f"]
    assert predictions[2] == Prediction("", 0, 0, 7.0, 7.0)
    assert decoded(encode_questions(wordpiece, [], []), [], logits=([], [])) == []


def test_no_answer(windows):
    # Of the windows' null scores 9, 4 and 6 the least counts.
    changes = {"start_0_0": 5, "end_0_0": 4, "end_1_0": 4, "start_2_0": 6}
    logits = flat(windows, **changes, start_0_4=2, end_0_4=1)
    (always,) = decoded(windows, logits=logits)
    assert always == Prediction("b", 2, 3, 3.0, 4.0)
    assert decoded(windows, logits=logits, null_threshold=1.0) == [always]
    (none,) = decoded(windows, logits=logits, null_threshold=0.99)
    assert none == Prediction("", 0, 0, 4.0, 4.0)
    assert decoded(windows, logits=logits, null_threshold=-5.0) == [none]


def test_padded_logits(windows):
    start, end = flat(windows, start_1_4=3, end_1_5=1)
    padded = [np.pad(rows, (0, 8 - len(rows)), constant_values=99) for rows in start]
    array = np.stack([np.pad(rows, (0, 8 - len(rows)), constant_values=99) for rows in end])
    assert decoded(windows, logits=(padded, array)) == decoded(windows, logits=(start, end))


def test_thousands_of_questions_take_seconds(wordpiece):
    rng = np.random.default_rng(0)
    contexts = [" ".join(rng.choice(list(LETTERS), 400)) for _ in range(1000)] * 3
    encoded = encode_questions(wordpiece, ["? a b"] * 3000, contexts)
    assert len(encoded) == 6000
    start, end = ([rng.normal(size=len(ids)) for ids in encoded.token_ids] for _ in "se")
    began = time.perf_counter()
    predictions = decode_spans(encoded, start, end, contexts)
    assert time.perf_counter() - began < 10
    assert len(predictions) == 3000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start_logits": []}, "`start_logits` for each window. Received: 0 rows for 3 windows"),
        ({"end_logits": [np.zeros(7)] * 3}, r"`end_logits` of shape \(8,\).*\[0\].shape=\(7,\)"),
        ({"end_logits": np.zeros((3, 8, 2))}, r"end_logits\[0\].shape=\(8, 2\)"),
        ({"start_logits": np.full((3, 8), np.nan)}, r"NaN or infinity in start_logits\[0\]"),
        ({"contexts": [CONTEXT, "a"]}, "2 contexts for 1 questions"),
        ({"max_answer_tokens": 0}, "max_answer_tokens=0"),
        ({"top": 0}, "top=0"),
    ],
)
def test_logits_that_do_not_fit(windows, change, message):
    zeros = np.zeros((3, 8))
    arguments = {"start_logits": zeros, "end_logits": zeros, "contexts": [CONTEXT], **change}
    with pytest.raises(TinyBertError, match=message):
        decode_spans(windows, **arguments)


# === The official scripts, word for word where it matters ===


def official_normalize_answer(s):
    def remove_articles(text):
        return re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(s.lower())))


def official_f1_v2(a_gold, a_pred):
    gold_toks = official_normalize_answer(a_gold).split() if a_gold else []
    pred_toks = official_normalize_answer(a_pred).split() if a_pred else []
    common = collections.Counter(gold_toks) & collections.Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


def official_f1_v1(prediction, ground_truth):
    prediction_tokens = official_normalize_answer(prediction).split()
    ground_truth_tokens = official_normalize_answer(ground_truth).split()
    common = collections.Counter(prediction_tokens) & collections.Counter(ground_truth_tokens)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(ground_truth_tokens)
    return (2 * precision * recall) / (precision + recall)


def official_v2(prediction, golds):
    gold_answers = [gold for gold in golds if official_normalize_answer(gold)] or [""]
    exact = max(
        int(official_normalize_answer(gold) == official_normalize_answer(prediction))
        for gold in gold_answers
    )
    return exact, max(official_f1_v2(gold, prediction) for gold in gold_answers)


def official_v1(prediction, golds):
    exact = max(
        int(official_normalize_answer(prediction) == official_normalize_answer(gold))
        for gold in golds
    )
    return exact, max(official_f1_v1(prediction, gold) for gold in golds)


VOCABULARY = [
    *("the", "The", "a", "an", "cat", "Cat's", "1,000", "U.S.", "don't", "of", "theatre"),
    *("Zoë", "中国", "—", "-", "...", "A", "\u00a0", "$5", "cat-dog", "“quoted”", "a.", "É"),
]


def generated_answers(number, seed, shortest=0):
    generator = random.Random(seed)
    return [
        " ".join(generator.choices(VOCABULARY, k=generator.randint(shortest, 4)))
        for _ in range(number)
    ]


def test_scores_equal_the_official_scripts():
    predictions, golds = generated_answers(3000, 0), generated_answers(9000, 1)
    compared_with_v1 = perfect = partial = 0
    for row, prediction in enumerate(predictions):
        answers = golds[3 * row : 3 * row + row % 4]
        ours = exact_match(prediction, answers), f1_score(prediction, answers)
        assert ours == pytest.approx(official_v2(prediction, answers))
        perfect += ours[0] == 1
        partial += 0 < ours[1] < 1
        if answers and all(map(official_normalize_answer, answers)):
            assert ours == pytest.approx(official_v1(prediction, answers))
            compared_with_v1 += 1
    assert min(compared_with_v1, perfect, partial) > 100


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("The Cat!", ["cat"], 1, 1),
        ("cats", ["cat"], 0, 0),
        ("the big cat", ["a cat"], 0, 2 / 3),
        ("big cat", ["dog", "big old cat", "old"], 0, 0.8),
        ("cat cat dog", ["cat dog dog"], 0, 2 / 3),
        ("a-b", ["ab"], 1, 1),
        ("  Bern \n", ["in Bern"], 0, 2 / 3),
        ("", [], 1, 1),
        ("the", [], 1, 1),
        ("Bern", [], 0, 0),
        ("", ["Bern"], 0, 0),
        ("", ["the", "Bern"], 0, 0),
        ("", ["the"], 1, 1),
    ],
)
def test_scores_by_hand(prediction, golds, exact, f1):
    assert exact_match(prediction, golds) == exact
    assert f1_score(prediction, golds) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("中国", ["中国"], 1, 1),
        ("中国。", ["《中国》"], 1, 1),
        ("在中国", ["中国"], 0, 0.8),
        ("北京", ["中国"], 0, 0),
        ("1949年", ["1949 年"], 1, 1),
        ("Python语言", ["python"], 0, 0.5),
        ("the cat", ["cat"], 0, 2 / 3),
        ("", [], 1, 1),
        ("，", [], 1, 1),
    ],
)
def test_chinese_by_hand(prediction, golds, exact, f1):
    assert exact_match(prediction, golds, language="zh") == exact
    assert f1_score(prediction, golds, language="zh") == pytest.approx(f1)


def test_normalized_answers():
    assert normalize_answer("The U.S.  Army's\na-team") == "us armys ateam"
    assert normalize_answer("中国 A 队。") == "中国 队。"
    assert normalize_answer("中国 A 队。𠀀", "zh") == "中 国 a 队 𠀀"
    with pytest.raises(TinyBertError, match="'en', 'zh'. Received: language='de'"):
        normalize_answer("Bern", "de")


def test_golds_are_a_list():
    for score in (exact_match, f1_score):
        with pytest.raises(TinyBertError, match="`golds` is expected to be a list of strings"):
            score("Bern", "Bern")


# === Report ===


def asked(*answers):
    rows = [[Answer(text, 0) for text in texts] for texts in answers]
    count = len(rows)
    return Questions(list(map(str, range(count))), ["?"] * count, ["..."] * count, rows)


def test_report_by_hand():
    questions = asked(["Bern"], ["big cat", "the cat"], ["dog"])
    report = evaluate_answers(["bern", Prediction("old big cat", 0, 11, 1.0), "cat"], questions)
    assert report.num_questions == 3
    assert report.exact == pytest.approx(1 / 3)
    assert report.f1 == pytest.approx((1 + 0.8 + 0) / 3)
    assert report.has_answer is None
    assert report.no_answer is None
    assert report.summary() == {"exact": report.exact, "f1": report.f1}
    assert str(report) == "all questions: exact 0.333, F1 0.600 on 3"


def test_report_with_unanswerable_questions():
    report = evaluate_answers(["Bern", "", "", "old cat"], asked(["Bern"], [], ["dog"], ["cat"]))
    assert report.no_answer == AnswerScores(1, 1.0, 1.0)
    assert report.has_answer == AnswerScores(3, pytest.approx(1 / 3), pytest.approx(5 / 9))
    assert (report.exact, report.f1) == (0.5, pytest.approx((1 + 1 + 0 + 2 / 3) / 4))
    assert list(report.summary()) == [
        *("exact", "f1", "has_answer_exact", "has_answer_f1", "no_answer_exact", "no_answer_f1")
    ]
    fields = json.loads(json.dumps(report.to_dict()))
    assert fields["no_answer"] == {"num_questions": 1, "exact": 1.0, "f1": 1.0}
    assert "no answer: exact 1.000, F1 1.000 on 1" in str(report).splitlines()
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(report)
    assert "Question answering, 4 questions" in capture.get()
    assert re.search(r"has answer\W+0.333\W+0.556\W+3", capture.get())


def test_report_of_unanswerable_questions_only():
    report = evaluate_answers(["", "Bern"], asked([], []))
    assert report.no_answer == AnswerScores(2, 0.5, 0.5)
    assert report.has_answer is None


def test_report_in_chinese():
    questions = asked(["中国"])
    assert evaluate_answers(["在中国"], questions).f1 == 0
    assert evaluate_answers(["在中国"], questions, language="zh").f1 == pytest.approx(0.8)


def test_report_equals_the_official_means():
    golds = [generated_answers(row % 4, row, shortest=1) for row in range(400)]
    predictions = generated_answers(400, 9)
    report = evaluate_answers(predictions, asked(*golds))
    official = [
        official_v2(text, answers) for text, answers in zip(predictions, golds, strict=True)
    ]
    assert (report.exact, report.f1) == pytest.approx(tuple(np.mean(official, axis=0)))
    answered = [score for score, answers in zip(official, golds, strict=True) if answers]
    assert report.has_answer.num_questions == len(answered) == 300
    assert (report.has_answer.exact, report.has_answer.f1) == pytest.approx(
        tuple(np.mean(answered, axis=0))
    )


@pytest.mark.parametrize(
    ("predictions", "questions", "message"),
    [
        (["a"], asked(["a"], ["b"]), "1 predictions for 2 questions"),
        ([], asked(), "Received: 0 questions"),
        (["a"], Questions(["1"], ["?"], ["a"]), "answers=None"),
    ],
)
def test_what_cannot_be_scored(predictions, questions, message):
    with pytest.raises(TinyBertError, match=message):
        evaluate_answers(predictions, questions)


# === All together ===


def right_logits(encoded, positions):
    logits = [np.zeros(len(ids), "float32") for ids in encoded.token_ids]
    for row, position in zip(logits, positions, strict=True):
        row[position] = 1
    return logits


def test_right_logits_give_the_answers(wordpiece):
    contexts = [" ".join(LETTERS[row % 5 :]) for row in range(40)]
    answers = []
    for row, context in enumerate(contexts):
        start = 2 * (row % 12)
        answers.append([Answer(context[start : start + 5], start)] if row % 6 else [])
    questions = Questions(list(map(str, range(40))), ["?"] * 40, contexts, answers)
    encoded = encode_questions(
        wordpiece, questions.questions, contexts, max_length=12, stride=3, max_question=4
    )
    positions = answer_positions(encoded, answers)
    start, end = (right_logits(encoded, side) for side in positions.T)
    predictions = decode_spans(encoded, start, end, contexts, null_threshold=0.5)
    report = evaluate_answers(predictions, questions)
    assert report.exact == 1
    assert report.no_answer.num_questions == 7
    assert evaluate_answers(predictions[::-1], questions).exact < 0.5


def test_right_logits_on_public_data():
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    path = Path(os.environ.get("TINYBERT_DATA", default)) / "squad_v2_halfdev"
    if not path.is_dir():
        pytest.skip("no public data sets here: set TINYBERT_DATA to their folder")
    questions = read_squad(path / "dev-v1-style-answerable.json.gz")
    letters = [chr(code) for code in range(33, 127)]
    wordpiece = WordPiece([*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters)])
    encoded = encode_questions(wordpiece, questions.questions, questions.contexts)
    positions = answer_positions(encoded, questions.answers)
    start, end = (right_logits(encoded, side) for side in positions.T)
    predictions = decode_spans(encoded, start, end, questions.contexts, max_answer_tokens=384)
    assert evaluate_answers(predictions, questions).exact > 0.99


@pytest.mark.parametrize(
    ("context", "span", "answer"),
    [
        ("Ada Lovelace wrote it.", (7, 9), "Lovelace"),
        ("Ada Lovelace wrote it.", (5, 15), "Lovelace wrote"),
        ("in 1843, she", (4, 6), "1843"),
        ("北京大学在北京", (1, 3), "京大"),
        ("a (b) c", (3, 4), "b"),
    ],
)
def test_answers_hold_whole_words(context, span, answer):
    start, end = _whole_words(context, *span)
    assert context[start:end] == answer
