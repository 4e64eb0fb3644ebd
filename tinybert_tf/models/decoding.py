"""Greedy search over a step function; beams are in `evaluate/beam_search.py`."""

from collections.abc import Callable

import numpy as np


def greedy_search(
    step: Callable, state, rows: int, start_id: int, end_id: int, max_length: int
) -> list[list[int]]:
    """Takes the likeliest token at each position, by keras-hub's `GreedySampler`.

    Args:
        step: callable. As `beam_search`'s.
        state: its state before the first token.
        rows: int. Sequences.
        start_id: int. The token before the first.
        end_id: int. The token after the last.
        max_length: int. Most tokens of a sequence, the end token included.

    Returns:
        Token ids of each row, without start and end.
    """
    import keras_hub

    prompt = np.full((rows, max_length + 1), start_id, "int32")

    def next_logits(prompt, state, index):
        logits, state = step(prompt[:, index - 1][:, None], index - 1, state)
        return logits, None, state

    sampler = keras_hub.samplers.GreedySampler()
    found = sampler(next_logits, prompt, cache=state, index=1, stop_token_ids=[end_id])
    return [_until(end_id, row) for row in np.asarray(found)[:, 1:].tolist()]


def _until(end_id: int, ids: list[int]) -> list[int]:
    return ids[: ids.index(end_id)] if end_id in ids else ids
