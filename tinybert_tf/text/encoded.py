"""Tokenized texts, and how the two of a pair share a length."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Encoded:
    """Tokenized texts, ready for batching.

    Attributes:
        token_ids: list of int32 arrays of shape `(length,)`, `[CLS]` and `[SEP]` included.
        segment_ids: list of int32 arrays of the same shapes. 0 up to the first `[SEP]`, 1 after.
    """

    token_ids: list[np.ndarray]
    segment_ids: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.token_ids)


def longest_first(first: int, second: int, budget: int) -> tuple[int, int]:
    """Returns how many tokens of each text of a pair to keep, `budget` in all.

    Tokens are taken from the longer text until both are equally long, then from both; of an odd
    budget the text that was longer (the second of equals) keeps one more.
    """
    if first + second <= budget:
        return first, second
    shorter, longer = min(first, second), budget - min(first, second)
    if longer < shorter:
        shorter, longer = budget // 2, budget - budget // 2
    return (longer, shorter) if first > second else (shorter, longer)
