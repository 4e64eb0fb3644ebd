"""Masks follow BERT's rule."""

import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.pretraining.masking import Masking


def features(rows=200, length=40, seed=0):
    """Ordinary tokens between [CLS] and [SEP], then padding."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(5, 17, (rows, length)).astype("int32")
    ids[:, 0], ids[:, 30], ids[:, 31:] = 2, 3, 0
    mask = np.zeros_like(ids)
    mask[:, :31] = 1
    return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}


def test_shares(wordpiece):
    original = features()
    masked, labels, weights = Masking(wordpiece).apply(original, np.random.default_rng(0))
    assert (weights.sum(axis=1) == round(0.15 * 29)).all()
    positions = masked["mask_positions"]
    real = weights > 0
    found = np.take_along_axis(masked["token_ids"], positions, axis=1)[real]
    wanted = np.take_along_axis(original["token_ids"], positions, axis=1)[real]
    np.testing.assert_array_equal(labels[real], wanted)
    assert (wanted >= 5).all()  # no special token, no padding
    hidden = found == 4
    assert 0.75 < hidden.mean() < 0.85
    kept = found == wanted
    assert 0.06 < kept.mean() < 0.16  # a tenth, and random tokens that hit
    untouched = np.ones_like(original["token_ids"], bool)
    np.put_along_axis(untouched, positions, False, axis=1)
    same = masked["token_ids"] == original["token_ids"]
    assert same[untouched].all()


def test_original_is_left_alone_and_seeds_decide(wordpiece):
    original = features(4)
    copy = original["token_ids"].copy()
    masking = Masking(wordpiece)
    first = masking.apply(original, np.random.default_rng(1))[0]["token_ids"]
    np.testing.assert_array_equal(copy, original["token_ids"])
    again = masking.apply(original, np.random.default_rng(1))[0]["token_ids"]
    other = masking.apply(original, np.random.default_rng(2))[0]["token_ids"]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_whole_words(wordpiece):
    """a ##x ##y counts as one word: all its pieces are chosen, or none."""
    row = [2, *[5, 15, 16] * 9, 3]
    ids = np.array([row] * 50, "int32")
    batch = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    masking = Masking(wordpiece, share=0.3, whole_words=True)
    masked, _, weights = masking.apply(batch, np.random.default_rng(0))
    for positions, real in zip(masked["mask_positions"], weights, strict=True):
        chosen = positions[real > 0]
        assert len(chosen) == 6
        for start in range(1, 28, 3):
            assert np.isin(range(start, start + 3), chosen).sum() in (0, 3)


def test_nothing_to_mask(wordpiece):
    ids = np.array([[2, 3]], "int32")
    batch = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    _, _, weights = Masking(wordpiece).apply(batch, np.random.default_rng(0))
    assert not weights.any()


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_share_is_checked(wordpiece, share):
    with pytest.raises(tb.TinyBertError, match="share"):
        Masking(wordpiece, share=share)
