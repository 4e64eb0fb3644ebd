"""From a tagger's probabilities to tags and entities; an app does the same."""

import numpy as np

from tinybert_tf.evaluate.entities import repair_bio, spans_to_entities
from tinybert_tf.text.tags import is_tag
from tinybert_tf.text.word_pieces import split_words


def best_tags(probabilities: np.ndarray, labels: list[str]) -> list[str]:
    """The best tag of each word from probabilities `(words, tags)`; BIO tags in valid order."""
    tags = [labels[index] for index in probabilities.argmax(axis=-1)]
    return repair_bio(tags) if all(map(is_tag, labels)) else tags


def entities_of(text: str, probabilities: np.ndarray, labels: list[str]) -> list[dict]:
    """The entities of a text from its words' probabilities `(words, tags)`."""
    _, offsets = split_words(text)
    tags = best_tags(probabilities, labels)
    scores = probabilities.max(axis=-1) if len(probabilities) else []
    return [
        {**found, "text": text[found["start"] : found["end"]]}
        for found in spans_to_entities(offsets, tags, scores)
    ]
