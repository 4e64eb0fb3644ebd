"""Classifiers with fewer attention heads and neurons: smaller matrices, not masks."""

import numpy as np

from tinybert_tf.compress.importance import Importance, check_prunable
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertTextClassifier


def prune_structure(
    classifier: TinyBertTextClassifier,
    importance: Importance,
    num_heads: int | None = None,
    intermediate_dim: int | None = None,
) -> TinyBertTextClassifier:
    """Keeps each block's most important heads and neurons; the rest is gone.

    All blocks keep equally many, each its own. The result computes what the classifier computes
    when the dropped heads' contexts and the dropped neurons' activations are zero.

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        importance: `Importance`, from `measure_importance`.
        num_heads: int. Heads to keep. Defaults to `None`: all.
        intermediate_dim: int. Neurons to keep. Defaults to `None`: all.

    Returns:
        A new, compiled `TinyBertTextClassifier`.

    Raises:
        TinyBertError: If nothing would be kept or more than there is, the importance is of
            another shape, or the classifier is quantization-aware.

    Example:
    ```python
    importance = measure_importance(student, train_texts, train_labels)
    smaller = prune_structure(student, importance, num_heads=6, intermediate_dim=600)
    tb.distill(teacher, smaller, train_texts, stages="prediction")
    ```
    """
    check_importance(classifier, importance)
    heads = _most_important(importance.heads, num_heads, "num_heads")
    neurons = _most_important(importance.neurons, intermediate_dim, "intermediate_dim")
    return _take(classifier, np.sort(heads, axis=1), np.sort(neurons, axis=1))


def reorder_by_importance(
    classifier: TinyBertTextClassifier, importance: Importance
) -> TinyBertTextClassifier:
    """Puts heads and neurons in falling order of importance; the outputs stay.

    The k most important heads of a block are then its first k, so that the sub-networks of an
    adaptive student share prefixes of one set of weights (DynaBERT, Hou et al. 2020, section 2.1).

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        importance: `Importance`, in the classifier's present order.

    Returns:
        A new, compiled `TinyBertTextClassifier` of the same shape.

    Raises:
        TinyBertError: As `prune_structure`.
    """
    check_importance(classifier, importance)
    heads = _most_important(importance.heads, None, "num_heads")
    neurons = _most_important(importance.neurons, None, "intermediate_dim")
    return _take(classifier, heads, neurons)


def rebuild(
    classifier: TinyBertTextClassifier, values: dict[str, np.ndarray], **changes
) -> TinyBertTextClassifier:
    """A new classifier whose backbone differs in `changes`, with the old weights.

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        values: dict of weight path to the array to put there instead of the old weight.
        **changes: arguments of the backbone.
    """
    backbone = classifier.backbone
    other = type(backbone).from_config({**backbone.get_config(), **changes})
    new = classifier.on_backbone(other, name=classifier.name)
    old = {variable.path: variable for variable in classifier.weights}
    for variable in new.weights:
        path = variable.path
        variable.assign(values[path] if path in values else old[path])
    return new


def check_importance(classifier: TinyBertTextClassifier, importance: Importance) -> None:
    """Refuses an importance that was not measured on such a classifier.

    Raises:
        TinyBertError: If a shape differs, a value is not finite, or the classifier is
            quantization-aware.
    """
    check_prunable(classifier)
    backbone = classifier.backbone
    for name, count in (("heads", backbone.num_heads), ("neurons", backbone.intermediate_dim)):
        values = np.asarray(getattr(importance, name))
        expected = (backbone.num_layers, count)
        if values.shape != expected:
            raise TinyBertError(
                f"Expected the importance of this classifier, {name} of shape {expected}. "
                f"Received: {name} of shape {values.shape}"
            )
        if not np.isfinite(values).all():
            raise TinyBertError(f"Expected finite importance. Received: NaN or infinity in {name}")


def _most_important(values: np.ndarray, count: int | None, name: str) -> np.ndarray:
    """Column numbers `(layers, count)`, the largest values first; equal ones by number."""
    total = values.shape[1]
    count = total if count is None else count
    if not 1 <= count <= total:
        raise TinyBertError(
            f"Expected to keep from 1 to {total} {_NAMES[name]} of a block. "
            f"Received: {name}={count}"
        )
    return np.argsort(-np.asarray(values), axis=1, kind="stable")[:, :count]


_NAMES = {"num_heads": "heads", "intermediate_dim": "neurons"}


def _take(classifier, heads: np.ndarray, neurons: np.ndarray) -> TinyBertTextClassifier:
    """The classifier of the given heads and neurons, `(layers, count)` each, in that order."""
    backbone = classifier.backbone
    values = {}

    def put(layer, rows=None, columns=None):
        kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
        values[layer.kernel.path] = kernel[rows] if columns is None else kernel[:, columns]
        values[layer.bias.path] = bias if columns is None else bias[columns]

    for block, own_heads, own_neurons in zip(backbone.encoder_blocks, heads, neurons, strict=True):
        attention, feed_forward = block.attention, block.feed_forward
        size = attention.head_dim
        channels = (own_heads[:, None] * size + np.arange(size)).reshape(-1)
        for layer in (attention.query_dense, attention.key_dense, attention.value_dense):
            put(layer, columns=channels)
        put(attention.output_dense, rows=channels)
        put(feed_forward.intermediate_dense, columns=own_neurons)
        put(feed_forward.output_dense, rows=own_neurons)

    changes = {"num_heads": heads.shape[1], "intermediate_dim": neurons.shape[1]}
    if heads.shape[1] != backbone.num_heads:
        changes["attention_dim"] = heads.shape[1] * backbone.encoder_blocks[0].attention.head_dim
    return rebuild(classifier, values, **changes)
