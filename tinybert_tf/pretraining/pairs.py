"""Sentence pairs from whole documents, as BERT's and TinyBERT's pregeneration makes them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

Document = list[np.ndarray]


class Pair(NamedTuple):
    """Token ids of two segments, and whether the second follows the first in its document."""

    first: np.ndarray
    second: np.ndarray
    is_next: bool


def sentence_pairs(
    documents: list[Document],
    index: int,
    max_length: int,
    generator: np.random.Generator,
    short_share: float = 0.1,
) -> Iterator[Pair]:
    """Yields the pairs of one document (`create_instances_from_document`, Devlin et al. 2019).

    Sentences are gathered until they fill `max_length`; a random cut gives the first segment.
    Half of the second segments are the rest, the others come from another document, and what
    they displaced is used again.

    Args:
        documents: list of documents, each a list of int arrays of token ids, one a sentence.
        index: int. Which document.
        max_length: int. Tokens of a pair, [CLS] and both [SEP] included.
        generator: numpy Generator.
        short_share: float. Share of shorter pairs. Defaults to `0.1`.
    """
    sentences = documents[index]
    budget = max_length - 3

    def new_target() -> int:
        if generator.random() < short_share:
            return int(generator.integers(2, budget + 1))
        return budget

    target, chunk, gathered, position = new_target(), [], 0, 0
    while position < len(sentences):
        chunk.append(sentences[position])
        gathered += len(sentences[position])
        position += 1
        if position < len(sentences) and gathered < target:
            continue
        cut = int(generator.integers(1, len(chunk))) if len(chunk) > 1 else 1
        first = np.concatenate(chunk[:cut])
        is_next = len(chunk) > 1 and generator.random() >= 0.5
        if is_next:
            second = np.concatenate(chunk[cut:])
        else:
            second = _random_segment(documents, index, target - len(first), generator)
            position -= len(chunk) - cut
        yield Pair(*truncate(first, second, budget, generator), is_next)
        target, chunk, gathered = new_target(), [], 0


def single_segments(sentences: Document, max_length: int) -> Iterator[np.ndarray]:
    """Cuts one document into segments of whole sentences of at most `max_length - 2` tokens."""
    budget = max_length - 2
    chunk: list[np.ndarray] = []
    gathered = 0
    for sentence in sentences:
        if chunk and gathered + len(sentence) > budget:
            yield np.concatenate(chunk)
            chunk, gathered = [], 0
        chunk.append(sentence[:budget])
        gathered += len(chunk[-1])
    if chunk:
        yield np.concatenate(chunk)


def truncate(
    first: np.ndarray, second: np.ndarray, budget: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shortens the longer segment token by token, at a random end, until both fit `budget`."""
    # Start and end of what is left of each.
    left = [[0, len(first)], [0, len(second)]]
    lengths = [len(first), len(second)]
    while sum(lengths) > budget:
        longer = 0 if lengths[0] > lengths[1] else 1
        lengths[longer] -= 1
        if generator.random() < 0.5:
            left[longer][0] += 1
        else:
            left[longer][1] -= 1
    kept = (part[start:end] for part, (start, end) in zip((first, second), left, strict=True))
    first, second = (np.array(part, "int32") for part in kept)
    return first, second


def _random_segment(
    documents: list[Document], index: int, length: int, generator: np.random.Generator
) -> np.ndarray:
    """Sentences from a random place of another document, about `length` tokens."""
    other = int(generator.integers(0, len(documents) - 1))
    sentences = documents[other + (other >= index)]
    start = int(generator.integers(0, len(sentences)))
    chunk, gathered = [], 0
    for place in range(start, len(sentences)):
        chunk.append(sentences[place])
        gathered += len(sentences[place])
        if gathered >= length:
            break
    return np.concatenate(chunk)
