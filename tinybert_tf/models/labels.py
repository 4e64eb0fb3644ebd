"""Class names and the arrays that losses read."""

import numpy as np

from tinybert_tf.errors import TinyBertError

# The one output of a regression, whose "class" is the score itself.
SCORE = "score"


def encode_scores(scores) -> np.ndarray:
    """Turns scores into a float32 array `(n, 1)`.

    Raises:
        TinyBertError: If they are no finite numbers, one a text.
    """
    try:
        array = np.asarray(scores, "float32")
    except (TypeError, ValueError) as error:
        raise TinyBertError(f"Expected one number a text. Received: {error}") from error
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
        raise TinyBertError(f"Expected one number a text. Received: shape={array.shape}")
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array.ravel()))[0])
        raise TinyBertError(f"Expected finite scores. Received: {array.ravel()[place]} at {place}")
    return array.reshape(-1, 1)


def class_names(num_classes: int | None, labels: list[str] | None, multi_label: bool) -> list[str]:
    """Checks the classes of a task and returns their names.

    Raises:
        TinyBertError: If neither argument is given, they disagree, names repeat, or a
            single-label task has fewer than two classes.
    """
    if labels is None:
        if num_classes is None:
            raise TinyBertError(
                "Expected `labels` (the class names) or `num_classes`. "
                "Received: labels=None, num_classes=None"
            )
        if num_classes == 1 and not multi_label:
            return [SCORE]
        labels = [str(index) for index in range(num_classes)]
    labels = [str(label) for label in labels]
    if num_classes is not None and num_classes != len(labels):
        raise TinyBertError(
            f"Expected as many labels as classes. Received: num_classes={num_classes}, "
            f"{len(labels)} labels"
        )
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise TinyBertError(f"Expected distinct labels. Received: repeated {repeated}")
    if len(labels) < (1 if multi_label or labels == [SCORE] else 2):
        raise TinyBertError(f"Expected at least two classes. Received: labels={labels}")
    return labels


def encode_labels(labels, names: list[str], multi_label: bool = False) -> np.ndarray:
    """Turns labels into what the loss reads.

    Args:
        labels: sequence of label names, or an array of numbers. Multi-label: sequence of lists
            of names, or a multi-hot array `(n, classes)`.
        names: list of strings. The class names in the order of the logits.
        multi_label: bool. Defaults to `False`.

    Returns:
        int32 `(n,)` class numbers, or multi-hot float32 `(n, classes)`.

    Raises:
        TinyBertError: If a label is unknown or out of range.
    """
    if multi_label:
        return _multi_hot(labels, names)
    if len(labels) and isinstance(labels[0], (str, np.str_)):
        index = {name: number for number, name in enumerate(names)}
        unknown = sorted(set(labels) - set(names))
        if unknown:
            raise TinyBertError(
                f"Expected labels out of {_shorten(names)}. Received: unknown {_shorten(unknown)}"
            )
        return np.array([index[label] for label in labels], "int32")
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise TinyBertError(
            "Expected one label name or class number a text. "
            f"Received: dtype={array.dtype}, shape={array.shape}"
        )
    _check_range(array, len(names))
    return array.astype("int32")


def _multi_hot(labels, names: list[str]) -> np.ndarray:
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        if labels.shape[1] != len(names):
            raise TinyBertError(
                f"Expected {len(names)} columns, one a class. Received: shape={labels.shape}"
            )
        return labels.astype("float32")
    hot = np.zeros((len(labels), len(names)), "float32")
    for row, own in enumerate(labels):
        if isinstance(own, (str, np.str_)):
            raise TinyBertError(
                "Expected a list of labels a text in a multi-label task. "
                f"Received: {own!r} in row {row}"
            )
        if len(own):
            hot[row, encode_labels(list(own), names)] = 1.0
    return hot


def _check_range(array: np.ndarray, num_classes: int) -> None:
    if array.size and (array.min() < 0 or array.max() >= num_classes):
        raise TinyBertError(
            f"Expected class numbers from 0 to {num_classes - 1}. "
            f"Received: {array.min()} to {array.max()}"
        )


def _shorten(names: list[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"[{shown}{', ...' if len(names) > most else ''}] ({len(names)})"
