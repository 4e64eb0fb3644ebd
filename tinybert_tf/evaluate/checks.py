"""What the metrics accept: class indices, multi-hot rows, probabilities."""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.errors import TinyBertError

# A float16 softmax over 150 classes is off by about 1e-3; logits are off by far more than this.
SUM_TOLERANCE = 1e-2


def check_classes(name: str, values, num_classes: int | None = None) -> np.ndarray:
    """Returns class indices as an int64 array of shape (n,).

    Args:
        name: string. The argument's name, for messages.
        values: array-like. Integers from 0 to `num_classes - 1`.
        num_classes: int. Bound of the indices; `None` for no bound. Defaults to `None`.

    Raises:
        TinyBertError: If the array is empty, of another rank, not integral or out of range.
    """
    array = _numbers(name, values)
    if array.ndim != 1 or array.size == 0:
        raise TinyBertError(
            f"Expected `{name}` to hold one class index per example, shape (n,) with n > 0. "
            f"Received: {name}.shape={array.shape}"
        )
    if not np.isfinite(array).all() or (array != np.floor(array)).any():
        bad = array[~np.isfinite(array) | (array != np.floor(array))][0]
        raise TinyBertError(
            f"Expected `{name}` to hold whole numbers. Received: {name}=[..{bad}..]"
        )
    array = array.astype("int64")
    upper = np.inf if num_classes is None else num_classes
    outside = (array < 0) | (array >= upper)
    if outside.any():
        last = "" if num_classes is None else f" and at most {num_classes - 1}"
        position = int(np.argmax(outside))
        raise TinyBertError(
            f"Expected class indices of at least 0{last}. "
            f"Received: {name}[{position}]={array[position]}"
        )
    return array


def check_multi_hot(name: str, values, num_classes: int | None = None) -> np.ndarray:
    """Returns multi-label decisions as a bool array of shape (n, classes).

    Raises:
        TinyBertError: If the array is empty, of another shape, or holds other values than 0 and 1.
    """
    array = _numbers(name, values)
    columns = "classes" if num_classes is None else num_classes
    if array.ndim != 2 or array.size == 0 or num_classes not in (None, array.shape[1]):
        raise TinyBertError(
            f"Expected `{name}` to be multi-hot, shape (n, {columns}) with n > 0. "
            f"Received: {name}.shape={array.shape}"
        )
    if not np.isin(array, (0, 1)).all():
        bad = array[~np.isin(array, (0, 1))][0]
        raise TinyBertError(f"Expected `{name}` to hold 0 and 1 only. Received: {name}=[..{bad}..]")
    return array.astype(bool)


def check_pair(predictions, labels, num_classes: int | None = None):
    """Returns predictions and labels, both (n,) class indices or both (n, classes) multi-hot.

    Raises:
        TinyBertError: If either is malformed or their shapes differ.
    """
    check = check_multi_hot if np.ndim(labels) == 2 else check_classes
    predictions = check("predictions", predictions, num_classes)
    labels = check("labels", labels, num_classes)
    if predictions.shape != labels.shape:
        raise TinyBertError(
            f"Expected as many predictions as labels. "
            f"Received: predictions.shape={predictions.shape}, labels.shape={labels.shape}"
        )
    return predictions, labels


def check_probabilities(probabilities, multi_label: bool = False) -> np.ndarray:
    """Returns probabilities as a float64 array of shape (n, classes).

    Args:
        probabilities: array-like. One row per example.
        multi_label: bool. Whether rows are independent probabilities, which need not sum to one.
            Defaults to `False`.

    Raises:
        TinyBertError: If the shape is wrong, a value is not finite or outside [0, 1], or a row
            of a single-label model does not sum to one (within 0.01, which a float16 softmax
            and int8 outputs keep).
    """
    array = _numbers("probabilities", probabilities).astype("float64")
    if array.ndim != 2 or array.size == 0:
        raise TinyBertError(
            f"Expected `probabilities` of shape (n, classes) with n > 0. "
            f"Received: probabilities.shape={array.shape}"
        )
    _refuse_row("finite probabilities", array, ~np.isfinite(array).all(axis=1))
    outside = (array < -SUM_TOLERANCE) | (array > 1 + SUM_TOLERANCE)
    _refuse_row("probabilities between 0 and 1 (not logits)", array, outside.any(axis=1))
    if not multi_label:
        off = np.abs(array.sum(axis=1) - 1) > SUM_TOLERANCE
        _refuse_row("probabilities whose rows sum to one", array, off)
    return array.clip(0, 1)


def check_scored(probabilities, labels):
    """Returns probabilities and the labels they are judged by.

    Labels of shape (n,) mean one class per example; (n, classes) multi-hot mean multi-label.

    Raises:
        TinyBertError: If either is malformed or they do not fit each other.
    """
    multi_label = np.ndim(labels) == 2
    probabilities = check_probabilities(probabilities, multi_label)
    check = check_multi_hot if multi_label else check_classes
    labels = check("labels", labels, probabilities.shape[1])
    if len(labels) != len(probabilities):
        raise TinyBertError(
            f"Expected one row of probabilities per label. Received: "
            f"probabilities.shape={probabilities.shape}, labels.shape={labels.shape}"
        )
    return probabilities, labels


def encode_labels(labels: Sequence, label_names: Sequence[str], multi_label: bool) -> np.ndarray:
    """Returns labels given by name (or already by number) as class indices or multi-hot rows.

    Args:
        labels: sequence. Names or indices, one per example; for multi-label a sequence of names
            per example, or multi-hot rows.
        label_names: sequence of strings. The name of every class.
        multi_label: bool. Whether an example may have any number of labels.

    Raises:
        TinyBertError: If a name is unknown.
    """
    index = {name: position for position, name in enumerate(label_names)}
    if not multi_label:
        if not any(isinstance(label, str) for label in labels):
            return _numbers("labels", labels)
        return np.array([_position(index, label, row) for row, label in enumerate(labels)], "int64")
    if any(isinstance(row, str) or np.ndim(row) != 1 for row in labels):
        raise TinyBertError(
            f"Expected a list of label names, or a multi-hot row, for every example. "
            f"Received: labels={shortened(labels)}"
        )
    if not any(isinstance(label, str) for row in labels for label in row):
        return _numbers("labels", labels)
    encoded = np.zeros((len(labels), len(index)), "int64")
    for row, names in enumerate(labels):
        encoded[row, [_position(index, label, row) for label in names]] = 1
    return encoded


def _position(index: dict[str, int], label, row: int) -> int:
    if label not in index:
        raise TinyBertError(
            f"Expected labels among {shortened(index)}. Received: labels[{row}]={label!r}"
        )
    return index[label]


def _numbers(name: str, values) -> np.ndarray:
    """`values` as a numeric array."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TinyBertError(f"Expected rows of equal length. Received: {name} ({error})") from error
    if array.dtype.kind not in "biuf":
        raise TinyBertError(
            f"Expected `{name}` to hold numbers. Received: {name}={shortened(values)}"
        )
    return array


def _refuse_row(expected: str, array: np.ndarray, bad: np.ndarray) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise TinyBertError(
            f"Expected {expected}. Received: probabilities[{row}]={shortened(array[row].tolist())}"
            f" (sum {array[row].sum():.4g}), and {int(bad.sum()) - 1} more such rows"
        )


def shortened(values, limit: int = 6) -> str:
    """The repr of a sequence, with `...` after the first few items."""
    values = list(values) if not isinstance(values, str) else [values]
    more = ", ..." if len(values) > limit else ""
    items = (
        f"{value:.4g}" if isinstance(value, float) else repr(value) for value in values[:limit]
    )
    return f"[{', '.join(items)}{more}]"
