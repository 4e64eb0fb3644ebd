"""Augmentation: candidates against the model, and the properties of the copies."""

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.augmentation import augment_words
from tinybert_tf.augmentation.candidates import whole_words
from tinybert_tf.text.words import split_words

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"),
    *("good", "fine", "bad", "poor", "film", "movie", "the", "a", "is", "very", "!", "7"),
    *("un", "##like", "##ly", "##s", "cast", "plot", "dull", "好"),
]
TEXTS = [
    "the film is very good!",
    "A fine movie, unlikely",
    "the plot is dull",
    "7 !",
    "the cast is poor and the movie is bad",
]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    backbone = tb.TinyBertBackbone(len(VOCABULARY), 1, 2, 16, 32, max_sequence_length=32)
    model = tb.TinyBertMaskedLM(
        backbone,
        tb.TinyBertTextClassifierPreprocessor(tb.TinyBertTokenizer(VOCABULARY), 24),
        next_sentence=False,
    )
    for variable in model.trainable_variables:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(variable.numpy() * 15)  # 0.02 is for widths of hundreds
    return model


@pytest.fixture
def candidates(model):
    return tb.Candidates(model, count=4)


def test_only_whole_words_are_offered(model):
    words = [VOCABULARY[i] for i in whole_words(model.wordpiece)]
    assert words == [
        *("good", "fine", "bad", "poor", "film", "movie", "the", "a", "is", "very"),
        *("un", "cast", "plot", "dull", "好"),
    ]


def test_candidates_are_the_models_best_for_a_masked_place(model):
    """One word at a time, as in the paper: by hand from the model's logits."""
    found = tb.Candidates(model, count=3, mask_share=0.01).find([["the", "film", "is", "good"]])[0]
    allowed = whole_words(model.wordpiece)
    ids = [2, *(VOCABULARY.index(w) for w in ("the", "film", "is", "good")), 3]
    for place in range(4):
        masked = np.array([ids], "int32")
        masked[0, place + 1] = 4
        logits = model.predict_on_batch(
            {
                "token_ids": masked,
                "segment_ids": masked * 0,
                "padding_mask": masked * 0 + 1,
                "mask_positions": np.array([[place + 1]], "int32"),
            }
        )["masked_lm"][0, 0]
        order = [i for i in allowed[np.argsort(-logits[allowed])] if i != ids[place + 1]]
        assert found[place].tolist() == order[:3]


def test_several_masks_a_pass(model):
    """With a share of a half, two passes: each sees the words that the other hides."""
    calls = []
    predict = model.predict_on_batch

    class Spy:
        def __getattr__(self, name):
            return getattr(model, name)

        def predict_on_batch(self, x):
            calls.append(x["token_ids"].copy())
            return predict(x)

    tb.Candidates(Spy(), count=3, mask_share=0.5).find([["the", "film", "is", "good"]])
    rows = [row[:6].tolist() for batch in calls for row in batch]
    assert sorted([[t == 4 for t in row] for row in rows]) == [
        [False, False, True, False, True, False],
        [False, True, False, True, False, False],
    ]


def test_words_of_several_pieces_get_neighbors(model):
    found = tb.Candidates(model, count=3).find([["unlikely"]])[0][0]
    table = model.backbone.embeddings.token_embedding.embeddings.numpy()
    table = table / np.linalg.norm(table, axis=1, keepdims=True)
    pieces = [VOCABULARY.index(p) for p in ("un", "##like", "##ly")]
    allowed = whole_words(model.wordpiece)
    scores = table[allowed] @ table[pieces].mean(0)
    assert found.tolist() == allowed[np.argsort(-scores)][:3].tolist()


def test_fewer_words_than_asked_for(model):
    found = tb.Candidates(model, count=40).find([["film"]])[0][0]
    assert (found[:14] >= 0).all() and (found[14:] == -1).all()
    assert VOCABULARY.index("film") not in found


# === Copies ===
def test_properties(model, candidates):
    more = tb.augment(TEXTS, candidates, copies=8, frequent=1, keep=["dull"])
    assert more.unchanged == 1  # "7 !" has no word
    assert sorted(set(more.sources.tolist())) == list(range(len(TEXTS)))
    for row, original in enumerate(TEXTS):
        own = [t for t, s in zip(more.texts, more.sources, strict=True) if s == row]
        assert own[0] == original and len(own) <= 9 and len(set(own)) == len(own)
        words = split_words(model.wordpiece, original)
        for copy in own[1:]:
            changed = copy.split(" ")
            assert len(changed) == len(words) and changed != words
            for before, after in zip(words, changed, strict=True):
                if before in ("is", "dull", "!", "7", ","):  # most frequent, kept, no letters
                    assert after == before
                else:
                    assert after == before or after in VOCABULARY


def test_copies_tokenize_word_by_word(model, candidates):
    more = tb.augment(TEXTS, candidates, copies=3)
    for text in more.texts:
        joined = " ".join(split_words(model.wordpiece, text))
        assert model.wordpiece.tokenize(joined) == model.wordpiece.tokenize(text)


def test_seed_and_row_decide(model, candidates):
    first, again = (tb.augment(TEXTS, candidates, copies=4) for _ in range(2))
    assert first.texts == again.texts
    assert first.texts != tb.augment(TEXTS, candidates, copies=4, seed=1).texts
    # A text's copies do not depend on the texts behind it.
    part = tb.augment(TEXTS[:2], candidates, copies=4, frequent=0)
    whole = tb.augment(TEXTS, candidates, copies=4, frequent=0)
    assert whole.texts[: len(part)] == part.texts


def test_share_of_replaced_words(candidates):
    rows = [["good", "film", "movie", "plot", "cast"]] * 40
    found = augment_words(rows, candidates, copies=5, replace=0.4, frequent=0)
    changed = [
        a != b
        for words, source in zip(found.rows, found.sources, strict=True)
        for a, b in zip(words, rows[source], strict=True)
        if words is not rows[source] and words != rows[source]
    ]
    assert 0.33 < np.mean(changed) < 0.52  # copies without a change are dropped


def test_pairs_keep_both_sides(model, candidates):
    """The release never restored sentence 1: here each copy belongs to its own pair."""
    pairs = (["the film is good", "a dull plot"], ["very fine movie", "the cast is poor"])
    more = tb.augment(pairs, candidates, copies=6, frequent=0)
    assert len(more.texts[0]) == len(more.texts[1]) == len(more)
    changed = set()
    for first, second, row in zip(*more.texts, more.sources, strict=True):
        assert len(first.split()) == len(pairs[0][row].split())
        assert len(second.split()) == len(pairs[1][row].split())
        changed |= {(first != pairs[0][row], second != pairs[1][row])}
    assert (False, False) in changed and (True, True) in changed


def test_entities_are_never_touched(candidates):
    rows = [["the", "cast", "is", "good"], ["fine", "plot"]]
    marks = [[False, True, False, False], [True, True]]
    found = augment_words(rows, candidates, protected=marks, copies=10, frequent=0)
    assert found.unchanged == 1
    for words, row in zip(found.rows, found.sources, strict=True):
        for word, original, kept in zip(words, rows[row], marks[row], strict=True):
            assert word == original or not kept
    assert any(words != rows[row] for words, row in zip(found.rows, found.sources, strict=True))


def test_cache(model, tmp_path):
    cached = tb.Candidates(model, count=3, cache=tmp_path)
    first = tb.augment(TEXTS, cached, copies=3)
    files = list(tmp_path.iterdir())
    assert len(files) == 1
    stamp = files[0].stat().st_mtime_ns
    assert tb.augment(TEXTS, cached, copies=3).texts == first.texts
    assert files[0].stat().st_mtime_ns == stamp
    tb.augment(TEXTS[:2], cached, copies=3)
    tb.augment(TEXTS, tb.Candidates(model, count=2, cache=tmp_path), copies=3)
    assert len(list(tmp_path.iterdir())) == 3


def test_words_beyond_the_models_length_stay(model, candidates):
    words = ["film"] * 40
    found = candidates.find([words])[0]
    assert (found[:22, 0] >= 0).all() and (found[22:] == -1).all()
    assert tb.augment([" ".join(words)], candidates, copies=2, frequent=0).unchanged == 0


@pytest.mark.parametrize("wrong", [{"copies": 0}, {"replace": 0.0}, {"replace": 1.5}])
def test_arguments_are_checked(candidates, wrong):
    with pytest.raises(tb.TinyBertError, match=next(iter(wrong))):
        tb.augment(TEXTS, candidates, **wrong)


def test_bad_input(model, candidates):
    for texts in ([], (["a"], ["b", "c"])):
        with pytest.raises(tb.TinyBertError, match="Received"):
            tb.augment(texts, candidates)
    with pytest.raises(tb.TinyBertError, match="count=0"):
        tb.Candidates(model, count=0)
    with pytest.raises(tb.TinyBertError, match="mask_share"):
        tb.Candidates(model, mask_share=0)
    with pytest.raises(tb.TinyBertError, match="row 0 with 1 words and 2 marks"):
        augment_words([["a"]], candidates, protected=[[True, False]])
