"""Beam search over a step function; it knows no model and needs no TensorFlow.

A step maps `(token_ids (rows, 1), position, state)` to `(logits (rows, vocabulary), state)`. Its
state is whatever it keeps of the tokens before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True)
class Hypothesis:
    """A decoded sequence.

    Attributes:
        token_ids: list of ints, the end token left out.
        score: float. Log-probability over the length penalty.
        finished: bool. Whether the end token was reached.
    """

    token_ids: list[int]
    score: float
    finished: bool


def beam_search(
    step: Callable,
    state,
    rows: int,
    start_id: int,
    end_id: int,
    max_length: int,
    beams: int = 4,
    length_penalty: float = 0.6,
    reorder: Callable | None = None,
) -> list[list[Hypothesis]]:
    """Keeps the likeliest prefixes until as many sequences as beams have ended.

    keras-hub's `BeamSampler` adds up what follows the end token and has no length penalty, hence
    this one. With one beam it finds what `greedy_search` finds.

    Args:
        step: callable. See the module; it gets `rows * beams` rows, the beams of a row in
            succession.
        state: its state before the first token, for `rows * beams` rows.
        rows: int. Sequences.
        start_id: int. The token before the first.
        end_id: int. The token after the last.
        max_length: int. Most tokens of a sequence, the end token included.
        beams: int. Defaults to `4`.
        length_penalty: float. Alpha of equation (14) of Wu et al. 2016: a log-probability is
            divided by `((5 + length) / 6)^alpha`; 0 prefers short sequences. Defaults to `0.6`.
        reorder: callable (state, int array `(rows * beams,)`) to the state whose row i is row
            `array[i]` of the old one. Defaults to `None`: indexes every array of nested lists.

    Returns:
        For each row at most `beams` hypotheses, best first. Where fewer have ended within
        `max_length`, the unfinished ones compete.

    Raises:
        TinyBertError: If `beams` or `max_length` is below 1.
    """
    for name, value in (("beams", beams), ("max_length", max_length)):
        if value < 1:
            raise TinyBertError(f"Expected {name} of at least 1. Received: {name}={value}")
    reorder = reorder or _index_state
    first_beam = np.arange(rows)[:, None] * beams
    tokens = np.full((rows, beams, 1), start_id, "int32")
    # Beams start alike, so that only the first may grow at first.
    scores = np.tile([0.0] + [-np.inf] * (beams - 1), (rows, 1))
    finished: list[list[Hypothesis]] = [[] for _ in range(rows)]

    for position in range(max_length):
        logits, state = step(tokens[..., -1].reshape(-1, 1), position, state)
        log_p = _log_softmax(np.asarray(logits)).reshape(rows, beams, -1)
        scores, parents, chosen = _best_candidates(scores[..., None] + log_p, 2 * beams)
        penalty = _penalty(position + 1, length_penalty)
        keep = np.empty((rows, beams), int)
        for row in range(rows):
            ended = chosen[row] == end_id
            for rank in np.flatnonzero(ended[:beams] & np.isfinite(scores[row, :beams])):
                if len(finished[row]) < beams:
                    prefix = tokens[row, parents[row, rank], 1:].tolist()
                    score = float(scores[row, rank] / penalty)
                    finished[row].append(Hypothesis(prefix, score, finished=True))
            # A beam ends in one way only, so that enough of twice as many go on.
            keep[row] = np.flatnonzero(~ended)[:beams]
        scores, parents, chosen = (
            np.take_along_axis(x, keep, axis=1) for x in (scores, parents, chosen)
        )
        tokens = np.take_along_axis(tokens, parents[..., None], axis=1)
        tokens = np.concatenate([tokens, chosen[..., None]], axis=2)
        if all(len(row) == beams for row in finished):
            break
        moved = (first_beam + parents).reshape(-1)
        if not np.array_equal(moved, np.arange(len(moved))):
            state = reorder(state, moved)

    penalty = _penalty(max_length, length_penalty)
    for row in range(rows):
        if len(finished[row]) < beams:  # an unlikely early end does not beat what goes on
            alive = zip(tokens[row, :, 1:].tolist(), scores[row] / penalty, strict=True)
            finished[row] += [
                Hypothesis(ids, float(score), finished=False)
                for ids, score in alive
                if np.isfinite(score)
            ]
        finished[row].sort(key=lambda hypothesis: -hypothesis.score)
    return [row[:beams] for row in finished]


def _best_candidates(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, beams and tokens of the best continuations, best first, each `(rows, count)`."""
    rows, _, vocabulary = scores.shape
    scores = scores.reshape(rows, -1)
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    best.sort(axis=1)  # of equals the first beam and token wins
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    chosen = (best % vocabulary).astype("int32")
    return np.take_along_axis(scores, best, axis=1), best // vocabulary, chosen


def _penalty(length: int, alpha: float) -> float:
    return ((5.0 + length) / 6.0) ** alpha


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _index_state(state, rows: np.ndarray):
    if isinstance(state, (list, tuple)):
        return [_index_state(part, rows) for part in state]
    return state[rows]
