"""How much each word of a text counts for an answer, found by masking it."""

from dataclasses import dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError


@dataclass(frozen=True, eq=False)
class WordInfluence:
    """What masking each word of one text does.

    Args:
        words: list of strings, as the tokenizer reads them.
        influence: float32 array `(words,)`. How far the output of `column` falls when the word is
            masked; negative where it rises.
        outputs: float32 array `(outputs,)`. The answer to the whole text: probabilities, or a
            score.
        column: int. The output that is watched, the highest.
    """

    words: list[str]
    influence: np.ndarray
    outputs: np.ndarray
    column: int


def word_influence(model, text: str, pair: str | None = None) -> WordInfluence:
    """Replaces one word after the other by [MASK] and measures how the answer changes.

    It needs outputs only, so that it works for exported files too (occlusion: Zeiler and Fergus
    2014; of words: Li et al. 2016, "Understanding Neural Networks through Representation
    Erasure"). One run of the model a word.

    Args:
        model: a text classifier of tinybert_tf, or an exported file's runner.
        text: string. Cut to the model's longest input.
        pair: string. The second text of a pair. Defaults to `None`.

    Raises:
        TinyBertError: If the model is no text classifier or regression.
    """
    if model.kind not in ("classes", "labels", "score"):
        raise TinyBertError(
            "Expected a text classifier, whose probabilities masking can change. "
            f"Received: {type(model).__name__}, kind={model.kind!r}"
        )
    encoded = model.encode([text] if pair is None else ([text], [pair]))
    ids, segments = encoded.token_ids[0], encoded.segment_ids[0]
    tokenizer = model.wordpiece
    words = words_of(ids, tokenizer)
    rows = np.tile(ids, (len(words) + 1, 1))
    for row, (_, places) in enumerate(words, start=1):
        rows[row, places] = tokenizer.mask_id
    outputs = _outputs(model, rows, segments)
    column = int(outputs[0].argmax())
    influence = outputs[0, column] - outputs[1:, column]
    return WordInfluence([name for name, _ in words], influence, outputs[0], column)


def words_of(ids: np.ndarray, tokenizer) -> list[tuple[str, list[int]]]:
    """Words and the places of their pieces; the special tokens are none."""
    words: list[tuple[str, list[int]]] = []
    for place, token_id in enumerate(ids):
        token = tokenizer.vocabulary[token_id]
        if token_id in (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id):
            continue
        if token.startswith("##") and words and words[-1][1][-1] == place - 1:
            name, places = words[-1]
            words[-1] = (name + token[2:], [*places, place])
        else:
            words.append((token, [place]))
    return words


def _outputs(model, rows: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Answers to rows of ids of one length, float32 `(rows, outputs)`."""
    if hasattr(model, "run"):
        return np.array([model.run(row, segments) for row in rows], "float32")
    features = {
        "token_ids": rows,
        "segment_ids": np.tile(segments, (len(rows), 1)),
        "padding_mask": np.ones_like(rows),
    }
    return np.asarray(model.activate(model.predict(features, verbose=0)), "float32")
