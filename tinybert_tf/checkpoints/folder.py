"""Checkpoint folders: where they are, and the weights in them."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from tinybert_tf.checkpoints.pickle_reader import read_torch_bin
from tinybert_tf.checkpoints.safetensors_reader import read_safetensors
from tinybert_tf.errors import TinyBertError

Reader = Callable[[Path], dict[str, np.ndarray]]

# In the order of preference: safetensors first, as they hold no code by construction.
_WEIGHTS: tuple[tuple[str, Reader], ...] = (
    ("model.safetensors", read_safetensors),
    ("pytorch_model.bin", read_torch_bin),
)
_DESCRIPTION_FILES = [
    *("config.json", "vocab.txt", "tokenizer.json"),
    *("tokenizer_config.json", "special_tokens_map.json"),
    *("modules.json", "1_Pooling/config.json"),
]
_SAFETENSORS_FILES = ["model*.safetensors", "model.safetensors.index.json"]
_TORCH_FILES = ["pytorch_model*.bin", "pytorch_model.bin.index.json"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def resolve(name_or_folder: str | os.PathLike, timeout: float | None = None) -> Path:
    """Finds a checkpoint: a local folder, or a model of the Hugging Face hub.

    A hub model is downloaded to huggingface_hub's cache, description and weights only; what is
    cached already is found without a network.

    Args:
        name_or_folder: string or path. A folder, or a name such as `"bert-base-uncased"`.
        timeout: float. Seconds in which the hub must give a first answer; without one, only the
            cache is searched. Defaults to `None`: as huggingface_hub waits.

    Returns:
        The local folder.

    Raises:
        TinyBertError: If there is no such folder, or the hub has no such model or is out of
            reach.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return folder
    name = str(name_or_folder)
    if folder.exists():
        raise TinyBertError(
            f"Expected a checkpoint folder, not a file. Received: name_or_folder={name!r}"
        )
    if isinstance(name_or_folder, os.PathLike) or not _HUB_NAME.fullmatch(name):
        raise TinyBertError(
            f"Expected an existing folder or a hub name. Received: name_or_folder={name!r}"
        )
    return _download(name, timeout)


def _download(name: str, timeout: float | None) -> Path:
    try:
        import huggingface_hub
        from huggingface_hub.utils import HFValidationError
    except ImportError as error:
        raise TinyBertError(
            "Expected an existing folder, or the package huggingface_hub for hub names. "
            f"Received: name_or_folder={name!r}"
        ) from error
    unreachable = (OSError, HFValidationError, *_transport_errors())

    def snapshot(patterns: list[str], local_files_only: bool) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                name, allow_patterns=patterns, local_files_only=local_files_only
            )
        )

    cache_only = False
    if timeout is not None:
        try:
            huggingface_hub.HfApi().model_info(name, timeout=timeout)
        except unreachable:
            cache_only = True
    try:
        folder = snapshot(_DESCRIPTION_FILES + _SAFETENSORS_FILES, cache_only)
        if not any(folder.glob("*.safetensors")):
            folder = snapshot(_DESCRIPTION_FILES + _TORCH_FILES, cache_only)
    except unreachable as error:
        reason = " ".join(str(error).split())
        raise TinyBertError(
            "Expected an existing folder, or a model that the Hugging Face hub has and this "
            f"machine can reach ({type(error).__name__}: {reason}). "
            f"Received: name_or_folder={name!r}"
        ) from error
    return folder


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP client under huggingface_hub raises; which one it is depends on its version."""
    import importlib

    found = []
    for module, error in (("httpx", "HTTPError"), ("httpx2", "HTTPError")):
        try:
            found.append(getattr(importlib.import_module(module), error))
        except (ImportError, AttributeError):
            continue
    return tuple(found)


def read_json(path: str | os.PathLike) -> dict:
    """Reads a JSON object.

    Raises:
        TinyBertError: If the file is missing, not UTF-8, not JSON, or not an object.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TinyBertError(
            f"Expected a checkpoint folder with {path.name} ({error.strerror or error}). "
            f"Received: path={str(path)!r}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise TinyBertError(
            f"Expected valid JSON ({error}). Received: path={str(path)!r}"
        ) from error
    if not isinstance(content, dict):
        raise TinyBertError(
            f"Expected a JSON object, not a {type(content).__name__}. Received: path={str(path)!r}"
        )
    return content


def read_weights(folder: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads all weights of a checkpoint folder.

    The first that exists of `model.safetensors`, `pytorch_model.bin` and their sharded forms
    (`*.index.json`), safetensors before PyTorch's.

    Args:
        folder: path.

    Returns:
        The tensors by their names in the file.

    Raises:
        TinyBertError: If there are no weights, or a file of them is missing or damaged.
    """
    folder = Path(folder)
    for file_name, read in _WEIGHTS:
        if (folder / file_name).is_file():
            return read(folder / file_name)
        if (folder / f"{file_name}.index.json").is_file():
            return _read_shards(folder / f"{file_name}.index.json", read)
    raise TinyBertError(
        f"Expected weights named {' or '.join(name for name, _ in _WEIGHTS)} (or their "
        f".index.json). Received: folder={str(folder)!r}"
    )


def _read_shards(index: Path, read: Reader) -> dict[str, np.ndarray]:
    """Reads the files that an index names; each name must come from the file it is listed in."""
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(file, str) for file in shards.values()):
        raise TinyBertError(
            f"Expected an index with a weight_map of file names. Received: path={str(index)!r}"
        )
    weights: dict[str, np.ndarray] = {}
    for file in sorted(set(shards.values())):
        if PurePosixPath(file).name != file or file == ".." or "\\" in file:
            raise TinyBertError(
                "Expected an index that names files of its own folder. "
                f"Received: {file!r} in {str(index)!r}"
            )
        content = read(index.parent / file)
        wanted = {name for name, shard in shards.items() if shard == file}
        if absent := sorted(wanted - set(content)):
            raise TinyBertError(
                f"Expected in {file!r} the weights that {index.name} lists for it. "
                f"Received: without {absent}"
            )
        weights.update({name: content[name] for name in sorted(wanted)})
    return weights
