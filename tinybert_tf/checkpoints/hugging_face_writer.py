"""Writes Hugging Face BERT folders."""

import json
import os
from pathlib import Path

import numpy as np

from tinybert_tf.atomic import atomic_folder
from tinybert_tf.checkpoints.bert_config import hugging_face_config
from tinybert_tf.checkpoints.key_map import backbone_weights
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.wordpiece import WordPiece

_SAVED_FILES = {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"}


def save_hf(model, folder: str | os.PathLike, wordpiece: WordPiece | None = None) -> Path:
    """Writes a folder that transformers loads.

    config.json and model.safetensors, and with a tokenizer vocab.txt and tokenizer_config.json.
    A classifier becomes a `BertForSequenceClassification` with its label names, a backbone a
    `BertModel`. Weights are float32; sinusoidal positions become a learned table of the same
    values. The folder appears whole or not at all.

    Args:
        model: `TinyBertTextClassifier` with the head `"bert"`, or `TinyBertBackbone`.
        folder: path. New or empty, or written by this function before.
        wordpiece: `WordPiece`. Defaults to `None`: that of the classifier's preprocessor.

    Returns:
        The folder.

    Raises:
        TinyBertError: If the folder holds other files or cannot be written, or transformers'
            BERT cannot represent the model (attention_dim, reduced_dim, the head `"tinybert"`).
    """
    folder = Path(folder).resolve()
    _check_target(folder)
    backbone = getattr(model, "backbone", model)
    config, weights = hugging_face_config(backbone), _file_weights(backbone)
    if wordpiece is None and getattr(model, "preprocessor", None) is not None:
        wordpiece = model.preprocessor.tokenizer.wordpiece
    if hasattr(model, "output_dense"):
        weights = {f"bert.{key}": value for key, value in weights.items()}
        head = "qa_outputs" if model.kind == "spans" else "classifier"
        weights[f"{head}.weight"] = _file_array(model.output_dense.kernel, transposed=True)
        weights[f"{head}.bias"] = _file_array(model.output_dense.bias)
        config.update(_task_config(model))
    if wordpiece is not None:
        config["pad_token_id"] = wordpiece.pad_id

    from safetensors.numpy import save

    with atomic_folder(folder) as temporary:
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        (temporary / "config.json").write_text(text, encoding="utf-8")
        (temporary / "model.safetensors").write_bytes(save(weights, metadata={"format": "pt"}))
        if wordpiece is not None:
            wordpiece.save(temporary)
    return folder


def _check_target(folder: Path) -> None:
    """The folder is replaced whole, so it must not hold anything that is not ours."""
    if folder.exists() and not folder.is_dir():
        raise TinyBertError(f"Expected a folder, not a file. Received: folder={str(folder)!r}")
    foreign = sorted({path.name for path in folder.glob("*")} - _SAVED_FILES)
    if foreign:
        raise TinyBertError(
            "Expected a new or empty folder, or an earlier export. "
            f"Received: folder={str(folder)!r}, which holds {', '.join(foreign)}"
        )


def _task_config(model) -> dict:
    """The class of transformers that reads a task model, and its head's settings."""
    if model.kind == "spans":
        return {"architectures": ["BertForQuestionAnswering"]}
    found = {
        "classifier_dropout": model.dropout,
        "id2label": {str(index): name for index, name in enumerate(model.labels)},
        "label2id": {name: index for index, name in enumerate(model.labels)},
    }
    if model.kind == "tokens":
        return {"architectures": ["BertForTokenClassification"], **found}
    if model.head != "bert":
        raise TinyBertError(
            "Expected the head 'bert': transformers has no relu before the classifier. "
            f"Save the classifier's backbone instead. Received: head={model.head!r}"
        )
    problems = {"labels": "multi_label_classification", "score": "regression"}
    return {
        "architectures": ["BertForSequenceClassification"],
        "problem_type": problems.get(model.kind, "single_label_classification"),
        **found,
    }


def _file_weights(backbone) -> dict[str, np.ndarray]:
    weights = {
        weight.key: _file_array(weight.variable, weight.transposed)
        for weight in backbone_weights(backbone)
    }
    # A sinusoidal table is no variable, yet BertModel needs its rows.
    table = np.ascontiguousarray(backbone.embeddings.position_embedding.table, "float32")
    return {**weights, "embeddings.position_embeddings.weight": table}


def _file_array(variable, transposed: bool = False) -> np.ndarray:
    from keras import ops

    array = ops.convert_to_numpy(ops.cast(variable, "float32"))
    # safetensors writes memory as it lies: a transposed view must become an array of its own.
    return np.ascontiguousarray(array.T if transposed else array)
