"""Classifiers with fewer word vectors: only the tokens that a corpus needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tinybert_tf.compress.coverage import VocabularyCoverage, measure_coverage
from tinybert_tf.compress.token_choice import choose_tokens
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertTextClassifier, TinyBertTokenizer
from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.words import count_words


@dataclass(frozen=True)
class PrunedVocabulary:
    """What `prune_vocabulary` returns.

    Attributes:
        classifier: `TinyBertTextClassifier` with the smaller word table and tokenizer.
        coverage: `VocabularyCoverage`. What the smaller vocabulary does to texts.
        kept_ids: list of ints. The old ids of the tokens, in the order of the new ones.
    """

    classifier: TinyBertTextClassifier
    coverage: VocabularyCoverage
    kept_ids: list[int]


def prune_vocabulary(
    classifier: TinyBertTextClassifier,
    texts: Iterable[str] | tuple,
    min_count: int = 1,
    keep: Iterable[str] = (),
    max_size: int | None = None,
    fill: bool = False,
    alphabet: str = "corpus",
    dev_texts: Iterable[str] | tuple | None = None,
) -> PrunedVocabulary:
    """Drops the tokens that a corpus does not need from tokenizer and word table.

    By default the corpus tokenizes exactly as before, so that the classifier answers it as
    before. Other words may split into more pieces; none becomes `[UNK]` unless it holds a
    character that neither ASCII nor the corpus has. With `min_count`, or with a `max_size` that
    the corpus exceeds, rare words of the corpus split differently too: the coverage says how
    many. Training the pruned classifier on lets it adapt.

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        texts: list of strings, or a tuple of two such lists for sentence pairs. The corpus,
            usually the training texts.
        min_count: int. Tokens that the corpus holds less often are dropped. Defaults to `1`.
        keep: list of strings. Tokens to keep besides. Defaults to none.
        max_size: int. Most tokens to keep, all counted. Defaults to `None`: no limit.
        fill: bool. Whether further tokens fill what is left of `max_size`, frequent ones first.
            Defaults to `False`.
        alphabet: string. `"corpus"`: single characters of the corpus and of ASCII stay; `"all"`:
            all do. Defaults to `"corpus"`.
        dev_texts: list of strings, or a tuple of two. Held-out texts to report on. Defaults to
            `None`.

    Returns:
        A `PrunedVocabulary`.

    Raises:
        TinyBertError: If there are no texts or no tokenizer, or as `choose_tokens`.

    Example:
    ```python
    pruned = prune_vocabulary(student, train_texts, dev_texts=dev_texts)
    print(pruned.coverage)
    teacher = apply_pruning(teacher, pruned.kept_ids)  # both read the same ids again
    ```
    """
    before = classifier.wordpiece
    texts = _as_list(texts, "texts")
    dev_texts = None if dev_texts is None else _as_list(dev_texts, "dev_texts")
    counts = count_words(before, texts)
    if not counts:
        raise TinyBertError(f"Expected texts with words in them. Received: {len(texts)} texts")
    kept_ids = choose_tokens(before, counts, min_count, keep, max_size, fill, alphabet)
    pruned = apply_pruning(classifier, kept_ids)
    width = classifier.backbone.embedding_dim or classifier.backbone.hidden_dim
    coverage = measure_coverage(before, pruned.wordpiece, width, texts, dev_texts)
    return PrunedVocabulary(pruned, coverage, kept_ids)


def apply_pruning(
    classifier: TinyBertTextClassifier, kept_ids: Sequence[int]
) -> TinyBertTextClassifier:
    """Builds a classifier that has only some of the tokens, and all other weights.

    Applied to teacher and student with the same ids, both read one vocabulary again.

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        kept_ids: list of ints. Ids of the tokens, in the order of the new ones.

    Returns:
        A new, compiled `TinyBertTextClassifier`.

    Raises:
        TinyBertError: If ids repeat or lie outside the vocabulary, or a special token is missing.
    """
    wordpiece = classifier.wordpiece
    kept_ids = _check_ids(kept_ids, wordpiece.vocabulary_size)
    backbone, preprocessor = classifier.backbone, classifier.preprocessor
    tokenizer = TinyBertTokenizer(
        [wordpiece.vocabulary[index] for index in kept_ids], **wordpiece.get_config()
    )
    pruned = classifier.on_backbone(
        type(backbone).from_config({**backbone.get_config(), "vocabulary_size": len(kept_ids)}),
        preprocessor=type(preprocessor)(
            tokenizer, preprocessor.sequence_length, name=preprocessor.name
        ),
        name=classifier.name,
    )
    _copy_weights(classifier, pruned, kept_ids)
    return pruned


def _copy_weights(source, target, kept_ids: np.ndarray) -> None:
    """Copies weights by their paths; of the word table, and what quantizes it, rows only."""
    own = {variable.path: variable for variable in target.weights}
    others = {variable.path: variable for variable in source.weights}
    if own.keys() != others.keys():
        raise TinyBertError(
            "Expected a classifier that its configuration rebuilds with the same weights. "
            f"Received: {', '.join(sorted(own.keys() ^ others.keys())[:5])} in one of them only"
        )
    # Whatever belongs to the word table has its number of rows, also where that is not the
    # number of the tokenizer's tokens.
    table = {variable.path for variable in source.backbone.embeddings.token_embedding.weights}
    rows = source.backbone.vocabulary_size
    for path, variable in own.items():
        value = others[path].numpy()
        if path in table and value.ndim and len(value) == rows:
            value = value[kept_ids]
        variable.assign(value)


def _check_ids(kept_ids: Sequence[int], size: int) -> np.ndarray:
    ids = np.asarray(kept_ids)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or not ids.size:
        raise TinyBertError(
            f"Expected a list of token ids. Received: kept_ids={str(kept_ids)[:60]}"
        )
    if ids.min() < 0 or ids.max() >= size or len(np.unique(ids)) < len(ids):
        raise TinyBertError(
            f"Expected distinct token ids from 0 to {size - 1}. Received: {len(ids)} ids, "
            f"{len(np.unique(ids))} distinct, from {ids.min()} to {ids.max()}"
        )
    return ids


def _as_list(texts, name: str) -> list[str]:
    """The texts of both sides of a pair, or the texts; lists of words as one text."""
    parts = texts if isinstance(texts, tuple) else (texts,)
    joined = [
        [" ".join(row) if isinstance(row, list) else row for row in part]
        if isinstance(part, (list, tuple))
        else part
        for part in parts
    ]
    return [text for part in joined for text in check_strings(part, name)]
