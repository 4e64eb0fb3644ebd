"""A classifier from a Hugging Face checkpoint, its head included where the classes fit."""

from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.tokenizer import TinyBertTokenizer


def classifier_from_hf(
    cls,
    name_or_folder: str,
    labels: list[str] | None,
    num_classes: int | None,
    sequence_length: int,
    backbone_overrides: dict,
    multi_label: bool | None,
    **head_arguments,
):
    """Builds `cls` from a checkpoint; see `TinyBertTextClassifier.from_hf`."""
    from tinybert_tf.checkpoints import load_hf

    loaded = load_hf(name_or_folder, **backbone_overrides)
    if labels is None and num_classes is None:
        labels = loaded.labels
        num_classes = None if labels else loaded.num_classes
    classifier = cls(
        loaded.backbone,
        num_classes=num_classes,
        labels=labels,
        preprocessor=TinyBertTextClassifierPreprocessor(
            TinyBertTokenizer.from_wordpiece(loaded.wordpiece),
            sequence_length=min(sequence_length, loaded.backbone.max_sequence_length),
        ),
        multi_label=loaded.multi_label if multi_label is None else multi_label,
        **head_arguments,
    )
    kernel = loaded.head_kernel
    if kernel is not None and kernel.shape[1] == classifier.num_classes:
        order = head_order(loaded.labels, classifier.labels)
        if order is not None:
            classifier.output_dense.set_weights([kernel[:, order], loaded.head_bias[order]])
    return classifier


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
