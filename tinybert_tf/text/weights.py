"""Weights that let rare classes count in training."""

from collections.abc import Mapping

import numpy as np

from tinybert_tf.errors import TinyBertError

SCHEMES = ("balanced", "sqrt", "effective")


def class_weights(
    labels: np.ndarray, num_classes: int, scheme: str = "balanced", beta: float = 0.999
) -> dict[int, float]:
    """Returns a weight for each class such that the examples' mean weight is 1.

    Args:
        labels: integer array of shape `(n,)`. Class ids.
        num_classes: int.
        scheme: string. The weight of a class with `c` examples is proportional to `1 / c` for
            `"balanced"`, to `1 / sqrt(c)` for `"sqrt"`, and to `(1 - beta) / (1 - beta^c)` for
            `"effective"` (effective number of samples, https://arxiv.org/abs/1901.05555).
            Defaults to `"balanced"`.
        beta: float. Of the `"effective"` scheme, in [0, 1). Defaults to `0.999`.

    Returns:
        A dict from class id to weight, as Keras's `class_weight`. Classes without examples get 1.

    Raises:
        TinyBertError: If `labels` are not class ids, or the scheme is unknown.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
        raise TinyBertError(
            "`labels` are expected to be class ids of shape (n,), n > 0 (for multi-label data, "
            f"FocalLoss has `alpha`). Received: shape {labels.shape}, type {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise TinyBertError(
            f"Class ids are expected to lie between 0 and {num_classes - 1}. "
            f"Received: ids from {labels.min()} to {labels.max()}"
        )
    if scheme not in SCHEMES:
        raise TinyBertError(
            f"`scheme` is expected to be one of {', '.join(SCHEMES)}. Received: scheme={scheme!r}"
        )
    if not 0 <= beta < 1:
        raise TinyBertError(f"`beta` is expected to lie in [0, 1). Received: beta={beta}")
    counts = np.bincount(labels, minlength=num_classes).astype("float64")
    present = counts > 0
    occurring = counts[present]
    weights = np.ones(num_classes)
    if scheme == "balanced":
        weights[present] = 1 / occurring
    elif scheme == "sqrt":
        weights[present] = 1 / np.sqrt(occurring)
    else:
        weights[present] = (1 - beta) / (1 - beta**occurring)
    weights[present] *= labels.size / (weights[present] @ occurring)
    return {index: float(weight) for index, weight in enumerate(weights)}


def sample_weights(labels: np.ndarray, weights: Mapping[int, float]) -> np.ndarray:
    """Returns the weight of each example, float32 of shape `(n,)`.

    Args:
        labels: integer array of shape `(n,)`. Class ids.
        weights: dict from class id to weight.

    Raises:
        TinyBertError: If a class has no weight.
    """
    labels = np.asarray(labels)
    missing = sorted(set(labels.tolist()) - set(weights))
    if missing:
        raise TinyBertError(
            f"A weight is expected for every class id. Received: none for {missing[:10]}"
        )
    return np.array([weights[label] for label in labels.tolist()], "float32")
