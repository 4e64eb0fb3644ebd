"""Labelled texts as the page shows them, and the sentences that are worth a closer look."""

import numpy as np

from tinybert_tf.report.attention import attention_maps
from tinybert_tf.report.contents import LabelledTexts, Sentence
from tinybert_tf.report.errors import worst_errors

# So many wrong answers and so many right ones are shown when no sentence is named.
WRONG, RIGHT = 3, 2

# A text, the second text of a pair or `None`, and why it was chosen.
Choice = tuple[str, str | None, str]


def labelled_texts(model, parts: tuple, labels: list, source: str) -> LabelledTexts:
    """Texts with their lengths in the tokens of a model.

    Args:
        model: a task model of tinybert_tf.
        parts: tuple of one or two lists: strings, or lists of words.
        labels: list.
        source: string. Where they come from, for the reader.
    """
    texts, pairs = (*parts, None)[:2]
    texts = [row if isinstance(row, str) else " ".join(row) for row in texts]
    lengths = [len(ids) + 2 for ids in model.wordpiece.piece_ids(texts)]
    if pairs is not None:
        more = model.wordpiece.piece_ids(pairs)
        lengths = [first + len(ids) + 1 for first, ids in zip(lengths, more, strict=True)]
    classes = list(model.labels) if model.kind in ("classes", "labels") else []
    return LabelledTexts(source, texts, pairs, labels, lengths, model.sequence_length, classes)


def choose_sentences(model, data: LabelledTexts, outputs: np.ndarray | None) -> list[Choice]:
    """The worst errors, then right answers of different classes; else the first texts.

    Args:
        model: a task model of tinybert_tf.
        data: `LabelledTexts`.
        outputs: float array. The model's outputs on the data; `None` where they are no classes
            or scores.
    """

    def choice(row: int, note: str) -> Choice:
        together = data.pairs is not None and model.kind != "embedding"
        return data.texts[row], data.pairs[row] if together else None, note

    if outputs is None:
        return [choice(row, "") for row in range(min(len(data.texts), WRONG))]
    errors = worst_errors(outputs, data.labels, model.kind, data.class_names)
    chosen: dict[str, Choice] = {}  # by text: a file may repeat it
    for error in errors:
        note = f"truth: {error.truth}; predicted: {error.predicted}"
        if len(chosen) < WRONG:
            chosen.setdefault(data.texts[error.row], choice(error.row, note))
    wrong, seen = {data.texts[error.row] for error in errors}, []
    for row, label in enumerate(data.labels):
        if data.texts[row] not in wrong and label not in seen and len(seen) < RIGHT:
            seen.append(label)
            shown = label if isinstance(label, str) else ", ".join(label)
            chosen[data.texts[row]] = choice(row, f"right: {shown or 'no label'}")
    return list(chosen.values())


def sentences_of(models: dict, chosen: list[Choice]) -> list[Sentence]:
    """Runs models on sentences and keeps their attention.

    Args:
        models: dict of name to task model, in the order of the page.
        chosen: list of `Choice`.
    """
    return [
        Sentence(
            text if pair is None else f"{text} / {pair}",
            {name: attention_maps(model, text, pair) for name, model in models.items()},
            note,
        )
        for text, pair, note in chosen
    ]
