"""Golden vectors: texts with their token ids and outputs, for other platforms to replay."""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.runtime import TFLiteModel

# What trips a tokenizer up: nothing, white space, capitals, accents in both forms, other scripts,
# marks, words without pieces, a text that is too long.
HARD_TEXTS = (
    "",
    " \t\u3000\u00a0",
    "What a FILM!",
    "Café au lait, s'il vous plaît",
    "re\u0301sume\u0301",
    "İstanbul ΣΊΣΥΦΟΣ Straße",
    "我喜欢喝茶，你呢？",
    "東京タワー",
    "안녕하세요",
    "مرحبا بالعالم",
    "ไม่เป็นไร",
    "😀👩‍👩‍👧 ok",
    "snake_case don't e-mail@example.com 3.14%",
    "zero\u200bwidth\u0007bell",
    "[CLS] [SEP] [MASK]",
    "x" * 120,
    "many words " * 200,
)
# Texts of the data that are added.
_EXAMPLES = 50
_KEYS = {
    "classes": "probabilities",
    "labels": "probabilities",
    "score": "score",
    "tokens": "probabilities",
    "spans": "logits",
    "embedding": "embedding",
}


def golden_texts(runner: TFLiteModel, examples=None, texts=None):
    """The inputs of the golden rows: the hard ones, and typical ones if there are any.

    Args:
        runner: the file.
        examples: raw examples of the file's task, of which the first are taken. Defaults to
            `None`.
        texts: raw examples to take all of. Defaults to `None`.

    Returns:
        A list of strings, or for question answering and sentence pairs a pair of lists. An
        embedder's pairs are texts of their own.
    """
    both = [given for given in (_first(examples), texts) if given is not None]
    if runner.kind == "embedding":
        both = [_flat(given) for given in both]
    if runner.kind == "spans" or any(isinstance(given, tuple) for given in both):
        # Sentence pairs: every hard text once in either place.
        firsts = [*HARD_TEXTS[1:], HARD_TEXTS[0]]
        if runner.kind == "spans":
            firsts = ["Who wrote it?"] * len(HARD_TEXTS)
        pairs = list(zip(firsts, HARD_TEXTS, strict=True))
        for given in both:
            _check_pair(given)
            pairs += zip(*given, strict=True)
        return tuple(list(part) for part in zip(*dict.fromkeys(pairs), strict=True))
    found = list(HARD_TEXTS)
    for given in both:
        found += [text if isinstance(text, str) else " ".join(text) for text in given]
    return list(dict.fromkeys(found))


def _flat(given) -> list[str]:
    """Texts of pairs one after the other, each by itself."""
    return [text for part in given for text in part] if isinstance(given, tuple) else list(given)


def golden_rows(runner: TFLiteModel, examples) -> list[dict]:
    """The golden rows of a file: text, ids and the output, rounded to six decimals.

    Outputs of tokens are those of the real ones. A text that is longer than the input is cut; of
    a tagger or question-answering model the row holds the first window.
    """
    pairs = zip(*examples, strict=True) if isinstance(examples, tuple) else ((t,) for t in examples)
    rows = []
    for pair in pairs:
        single = tuple([text] for text in pair) if len(pair) > 1 else [pair[0]]
        encoded = runner.encode(single)
        if not len(encoded.token_ids):  # a tagger's empty text
            continue
        ids = encoded.token_ids[0]
        segments = getattr(encoded, "segment_ids", None)
        segments = np.zeros_like(ids) if segments is None else segments[0]
        output = run_ids(runner, ids, segments)
        names = ("text",)
        if len(pair) > 1:
            names = ("question", "text") if runner.kind == "spans" else ("text", "text_pair")
        rows.append(
            {
                **dict(zip(names, pair, strict=True)),
                "token_ids": ids.tolist(),
                "segment_ids": segments.tolist(),
                _KEYS[runner.kind]: np.round(output.astype("float64"), 6).tolist(),
            }
        )
    return rows


def run_ids(runner: TFLiteModel, ids: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """The file's output for one row of ids: `(num_outputs,)`, or `(tokens, num_outputs)`."""
    return runner.run(np.asarray(ids, "int32"), np.asarray(segments, "int32"))


def output_of(row: dict) -> np.ndarray:
    """The output in a golden row."""
    for key in dict.fromkeys(_KEYS.values()):
        if key in row:
            return np.asarray(row[key], "float32")
    raise TinyBertError(f"Expected a golden row with an output. Received: {sorted(row)}")


def largest_output(rows: list[dict]) -> float:
    """By how much differences of these outputs may be larger than those of probabilities.

    1, or the largest score or logit, whose size is arbitrary.
    """
    if not any(key in row for row in rows for key in ("score", "logits")):
        return 1.0
    return max(1.0, *(float(np.abs(output_of(row)).max()) for row in rows))


def _first(examples):
    if isinstance(examples, tuple):
        return tuple(list(part[:_EXAMPLES]) for part in examples)
    return None if examples is None else list(examples[:_EXAMPLES])


def _check_pair(examples: Sequence) -> None:
    if not (isinstance(examples, tuple) and len(examples) == 2):
        raise TinyBertError(
            "Expected a pair of lists: questions and contexts, or first and second texts. "
            f"Received: {type(examples).__name__}"
        )
