"""Extractive summaries: the sentences of a text that say most of it."""

from dataclasses import dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.sentences import sentence_spans


@dataclass(frozen=True)
class Sentence:
    """A sentence of a summary.

    Attributes:
        text: string.
        start: int. Its first character in the text.
        end: int. The character after its last.
        score: float. Cosine to the whole text, -1 to 1.
    """

    text: str
    start: int
    end: int
    score: float


def summarize(
    embedder, text: str, sentences: int = 3, redundancy: float = 0.95, min_characters: int = 4
) -> list[Sentence]:
    """Chooses the sentences nearest to a text's centroid (Rossiello et al. 2017).

    The centroid is the mean of all sentences' embeddings. Sentences are taken by their cosine to
    it, but none that says what one before has said. Nothing is written anew, so nothing is made
    up: the safe kind of summary for a small model.

    Args:
        embedder: object with `embed(texts)`, vectors of length one: a `TinyBertSentenceEmbedder`
            or the `TFLiteSentenceEmbedder` of its file.
        text: string. English or Chinese; see `sentence_spans`.
        sentences: int. Most sentences of the summary. Defaults to `3`.
        redundancy: float. A sentence whose cosine to one that was chosen is above it is left out.
            Defaults to `0.95`.
        min_characters: int. Shorter sentences are never chosen. Defaults to `4`.

    Returns:
        list of `Sentence`, in the order of the text; fewer where there are not more.

    Raises:
        TinyBertError: If `text` is no string, or `sentences` is below 1.

    Example:
        >>> embedder = TFLiteSentenceEmbedder("embedder.tflite")
        >>> " ".join(found.text for found in summarize(embedder, article))
    """
    if not isinstance(text, str):
        raise TinyBertError(f"Expected one text. Received: text of type {type(text).__name__}")
    if sentences < 1:
        raise TinyBertError(f"Expected at least one sentence. Received: sentences={sentences}")
    spans = [span for span in sentence_spans(text) if span[1] - span[0] >= min_characters]
    if not spans:
        return []
    vectors = np.asarray(embedder.embed([text[start:end] for start, end in spans]), "float32")
    centroid = vectors.mean(axis=0)
    scores = vectors @ centroid / max(float(np.linalg.norm(centroid)), 1e-12)
    chosen: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) == sentences:
            break
        if not chosen or float((vectors[chosen] @ vectors[index]).max()) <= redundancy:
            chosen.append(int(index))
    return [
        Sentence(text[slice(*spans[index])], *spans[index], float(scores[index]))
        for index in sorted(chosen)
    ]
