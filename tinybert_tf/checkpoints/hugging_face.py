"""Loads Hugging Face BERT folders and huawei-noah's TinyBERT files."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinybert_tf.checkpoints.bert_config import backbone_config, label_names
from tinybert_tf.checkpoints.folder import read_json, read_weights, resolve
from tinybert_tf.checkpoints.key_map import backbone_weights, belongs_to_encoder, plain_keys
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.wordpiece import WordPiece

# Classes of transformers that are built without a pooler.
_WITHOUT_POOLER = ("ForMaskedLM", "ForTokenClassification", "ForQuestionAnswering")
_POOLER_KEYS = ("pooler.dense.weight", "pooler.dense.bias")


@dataclass(frozen=True, eq=False)
class LoadedCheckpoint:
    """The parts of a checkpoint.

    Attributes:
        backbone: `TinyBertBackbone` with the checkpoint's weights.
        wordpiece: `WordPiece`, its tokenizer.
        head_kernel: float32 array `(hidden_dim, num_classes)` of its task head, or `None` if it
            has none.
        head_bias: float32 array `(num_classes,)`, or `None`.
        head_kind: string. What the head reads and tells: `"classes"` of a text, `"tokens"`, tags
            of each token, or `"spans"`, start and end of an answer.
        labels: list of strings. The class names of the head, or `None` if they are not stated.
        multi_label: bool. Whether the head was trained with any number of labels a text.
        pretraining_heads: dict of float arrays. Weights of masked-LM and next-sentence heads by
            their names behind `cls.`, in PyTorch's layout; empty if there are none.
    """

    backbone: object
    wordpiece: WordPiece
    head_kernel: np.ndarray | None = None
    head_bias: np.ndarray | None = None
    head_kind: str = "classes"
    labels: list[str] | None = None
    multi_label: bool = False
    pretraining_heads: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def num_classes(self) -> int | None:
        """Classes of the head, or `None` if there is no head."""
        return None if self.head_bias is None else len(self.head_bias)


def load_hf(name_or_folder: str | os.PathLike, **overrides) -> LoadedCheckpoint:
    """Loads encoder, tokenizer and classification head of a BERT checkpoint.

    Args:
        name_or_folder: string or path. A Hugging Face folder (config.json with
            model.safetensors or pytorch_model.bin, and vocab.txt or tokenizer.json), a folder
            with huawei-noah's TinyBERT files, or a hub name.
        **overrides: arguments of `TinyBertBackbone` that replace the checkpoint's, such as
            `dtype` or `dropout`.

    Returns:
        A `LoadedCheckpoint`.

    Raises:
        TinyBertError: If the folder is not found or incomplete, a file is damaged or malicious,
            the model is no BERT, or weights are missing, surplus or wrongly shaped.

    Example:
    ```python
    loaded = load_hf("huawei-noah/TinyBERT_General_4L_312D")
    loaded.backbone.num_layers  # 4
    ```
    """
    folder = resolve(name_or_folder)
    config = read_json(folder / "config.json")
    wordpiece = WordPiece.from_folder(folder)
    weights = plain_keys(read_weights(folder))
    backbone = _build(config, weights, folder, overrides)
    kind = head_kind(config)
    kernel, bias = _task_head(config, weights, backbone.hidden_dim, folder, kind)
    labels = None if bias is None or kind == "spans" else label_names(config)
    if labels is not None and len(labels) != len(bias):
        raise TinyBertError(
            f"Expected as many names in id2label as the head has classes, {len(bias)}. "
            f"Received: {labels} in {str(folder)!r}"
        )
    multi_label = config.get("problem_type") == "multi_label_classification"
    heads = {
        key.removeprefix("cls."): value.astype("float32")
        for key, value in weights.items()
        if key.startswith("cls.")
    }
    return LoadedCheckpoint(backbone, wordpiece, kernel, bias, kind, labels, multi_label, heads)


def load_backbone(name_or_folder: str | os.PathLike, **overrides):
    """Loads the encoder of a BERT checkpoint; no tokenizer is needed.

    Args and errors are those of `load_hf`.

    Returns:
        A `TinyBertBackbone`.
    """
    folder = resolve(name_or_folder)
    config = read_json(folder / "config.json")
    return _build(config, plain_keys(read_weights(folder)), folder, overrides)


def _build(config: dict, weights: dict[str, np.ndarray], folder: Path, overrides: dict):
    from tinybert_tf.models.backbone import TinyBertBackbone

    backbone = TinyBertBackbone(**{**backbone_config(config), **overrides})
    optional: tuple[str, ...] = ()
    architectures = config.get("architectures") or [""]
    if not any(key in weights for key in _POOLER_KEYS) and str(architectures[0]).endswith(
        _WITHOUT_POOLER
    ):
        optional = _POOLER_KEYS
        warnings.warn(
            f"{str(folder)!r} is a {architectures[0]} and has no pooler: "
            f"{' and '.join(_POOLER_KEYS)} start at random values. Fine-tune before use.",
            stacklevel=3,
        )
    _assign(backbone, weights, source=str(folder), optional=optional)
    return backbone


def load_weights_into(backbone, weights: Mapping[str, np.ndarray], source: str = "weights") -> None:
    """Assigns the weights of a BERT checkpoint to a backbone; all of them or none.

    Keys may carry the prefix `bert.` and the legacy names `LayerNorm.gamma` and
    `LayerNorm.beta`. Heads (`cls.*`, `classifier.*`, `qa_outputs.*`, `fit_dense*.*`) are left
    out. A backbone with a reduced representation keeps its own pooler and reduction.

    Args:
        backbone: `TinyBertBackbone`.
        weights: dict of arrays by name, in PyTorch's layout.
        source: string. Where they come from, for messages. Defaults to `"weights"`.

    Raises:
        TinyBertError: If weights are missing, surplus, wrongly shaped or no floats; the message
            lists all of them by name.
    """
    _assign(backbone, plain_keys(weights), source)


def _assign(
    backbone, weights: Mapping[str, np.ndarray], source: str, optional: tuple[str, ...] = ()
) -> None:
    mapped = {weight.key: weight for weight in backbone_weights(backbone)}
    ignored = _POOLER_KEYS if backbone.reduction is not None else ()
    missing = [key for key in mapped if key not in weights and key not in optional]
    surplus = [
        key
        for key in weights
        if key not in mapped and key not in ignored and belongs_to_encoder(key)
    ]
    present = [weight for key, weight in mapped.items() if key in weights]
    shapes = [
        f"{weight.key} (expected {weight.file_shape}, received {weights[weight.key].shape})"
        for weight in present
        if weights[weight.key].shape != weight.file_shape
    ]
    types = [
        f"{weight.key} ({weights[weight.key].dtype})"
        for weight in present
        if weights[weight.key].dtype.kind != "f"
    ]
    problems = [
        f"{title}: {', '.join(names)}"
        for title, names in (
            ("missing", missing),
            ("surplus", surplus),
            ("wrongly shaped", shapes),
            ("not floating point", types),
        )
        if names
    ]
    if problems:
        raise TinyBertError(
            f"Expected the weights of a BERT encoder with num_layers={backbone.num_layers}, "
            f"hidden_dim={backbone.hidden_dim}, intermediate_dim={backbone.intermediate_dim}. "
            f"Received: {source}; {'; '.join(problems)}"
        )
    for weight in present:
        value = weights[weight.key].astype("float32")
        weight.variable.assign(value.T if weight.transposed else value)


def head_kind(config: dict) -> str:
    """The kind of a checkpoint's head, by the class of transformers that wrote it."""
    name = str((config.get("architectures") or [""])[0])
    ends = {"ForTokenClassification": "tokens", "ForQuestionAnswering": "spans"}
    return next((kind for end, kind in ends.items() if name.endswith(end)), "classes")


def _task_head(
    config: dict, weights: Mapping[str, np.ndarray], hidden_dim: int, folder: Path, kind: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Returns kernel `(hidden_dim, classes)` and bias of a task's head, if there is one."""
    name = "qa_outputs" if kind == "spans" else "classifier"
    kernel, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
    architectures = config.get("architectures") or [""]
    if (kernel is None and bias is None) or str(architectures[0]).endswith("ForMaskedLM"):
        return None, None
    if kernel is None or bias is None:
        missing = f"{name}.weight" if kernel is None else f"{name}.bias"
        raise TinyBertError(
            f"Expected a whole classification head. Received: {str(folder)!r}; missing: {missing}"
        )
    if kernel.shape != (*bias.shape, hidden_dim) or {kernel.dtype.kind, bias.dtype.kind} != {"f"}:
        raise TinyBertError(
            f"Expected a head of floats with shapes (classes, {hidden_dim}) and (classes,). "
            f"Received: {str(folder)!r}; wrongly shaped: {name}.weight {kernel.shape} "
            f"{kernel.dtype}, {name}.bias {bias.shape} {bias.dtype}"
        )
    return kernel.astype("float32").T, bias.astype("float32")
