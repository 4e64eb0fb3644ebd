"""A task model from a Hugging Face checkpoint, its head included where the classes fit."""

import warnings

from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.tokenizer import TinyBertTokenizer


def task_from_hf(
    cls,
    name_or_folder: str,
    labels: list[str] | None,
    num_classes: int | None,
    sequence_length: int,
    backbone_overrides: dict,
    **head_arguments,
):
    """Builds a task with classes from a checkpoint; see `TinyBertTextClassifier.from_hf`.

    An argument `multi_label` of `None` is what the checkpoint states.
    """
    loaded = load_for(cls, name_or_folder, backbone_overrides)
    own_head = loaded.head_kind == cls.checkpoint_head
    if own_head and labels is None and num_classes is None:
        labels = None if loaded.num_classes == 1 and not loaded.multi_label else loaded.labels
        num_classes = None if labels else loaded.num_classes
    if head_arguments.get("multi_label", True) is None:
        head_arguments["multi_label"] = loaded.multi_label
    model = cls(
        loaded.backbone,
        num_classes=num_classes,
        labels=labels,
        preprocessor=preprocessor_of(loaded, sequence_length),
        **head_arguments,
    )
    kernel = loaded.head_kernel if own_head else None
    if kernel is not None and kernel.shape[1] == model.num_classes:
        order = head_order(loaded.labels, model.labels)
        if order is not None:
            model.output_dense.set_weights([kernel[:, order], loaded.head_bias[order]])
    return model


def load_for(cls, name_or_folder: str, backbone_overrides: dict):
    """Loads a checkpoint for a task; one without a pooler is whole to a task that reads none."""
    from tinybert_tf.checkpoints import load_hf

    with warnings.catch_warnings():
        if not cls.reads_pooler:
            warnings.filterwarnings("ignore", message=".* has no pooler", category=UserWarning)
        return load_hf(name_or_folder, **backbone_overrides)


def preprocessor_of(loaded, sequence_length: int) -> TinyBertTextClassifierPreprocessor:
    """The tokenizer of a checkpoint, cut to at most its position table's rows."""
    return TinyBertTextClassifierPreprocessor(
        TinyBertTokenizer.from_wordpiece(loaded.wordpiece),
        sequence_length=min(sequence_length, loaded.backbone.max_sequence_length),
    )


def head_order(stored: list[str] | None, wanted: list[str]) -> list[int] | None:
    """Columns of the stored head in the wanted order; `None` when the names differ."""
    if stored is None or stored == wanted:
        return list(range(len(wanted)))
    generic = all(name in (f"LABEL_{i}", str(i)) for i, name in enumerate(stored))
    if generic:
        return list(range(len(wanted)))
    if sorted(stored) != sorted(wanted):
        return None
    return [stored.index(name) for name in wanted]
