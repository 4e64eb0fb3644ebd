"""Runs a file on LiteRT's real GPU accelerator, the code that phones run, and compares.

It needs a Vulkan device, for which a software one will do (`vulkan.py`). There it is a test of
correctness, never of speed. That every operator is accelerated proves little: several graphs are
accelerated and wrong, which only the comparison with the CPU finds.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.accelerator_process import run_accelerator
from tinybert_tf.export.model_file import ModelFile, read_model_file
from tinybert_tf.text.wordpiece import WordPiece

# Largest accepted difference of a probability between GPU and CPU. The GPU does not quantize
# activations, so files with integer weights differ by what that quantization costs.
FLOAT32_TOLERANCE = 1e-4
QUANTIZED_TOLERANCE = 1e-2

# From nothing but [CLS] and [SEP] to more than most files hold: padding of every amount.
DEFAULT_TEXTS = (
    "",
    "a good film",
    "The plot was thin, but the cast made up for it and we laughed a lot.",
    "Set an alarm for seven tomorrow morning, remind me to buy bread and milk on the way home, "
    "and then play something quiet, please. " * 4,
)
# The second sentences of two more inputs, whose segment ids are not all 0.
_DEFAULT_PAIRS = (("a good film", "why not?"), ("is it late?", "it was dull and far too long"))
_INPUTS = ("ids", "mask", "segment_ids")
_TIME_LIMIT = 600.0


@dataclass(frozen=True)
class GpuCheck:
    """What the GPU accelerator makes of a file.

    Args:
        path: path. The file.
        device: string. The Vulkan device that was used.
        fully_accelerated: bool. Whether the accelerator takes every operator.
        refused: tuple of strings. What it does not take, as `"GATHER: Only support 1D indices"`.
        tolerance: float. The largest difference accepted.
        outputs: dict. For each signature, the GPU's output `(texts, ...)`, flat, with a second
            output's values after it; empty unless the file is fully accelerated.
        cpu_outputs: dict. The CPU's for the same inputs.
    """

    path: Path
    device: str
    fully_accelerated: bool
    refused: tuple[str, ...]
    tolerance: float
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    cpu_outputs: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def differences(self) -> np.ndarray:
        """The largest difference between GPU and CPU of each text, signature after signature."""
        parts = [
            np.abs(own - self.cpu_outputs[key]).reshape(len(own), -1).max(axis=1)
            for key, own in self.outputs.items()
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    @property
    def max_difference(self) -> float | None:
        """The largest difference of all; `None` unless the file is fully accelerated."""
        return float(self.differences.max()) if self.outputs else None

    @property
    def passed(self) -> bool:
        """Whether the file is fully accelerated and equal to the CPU within the tolerance."""
        return self.fully_accelerated and bool((self.differences <= self.tolerance).all())

    def summary(self) -> str:
        """The findings in one line."""
        if not self.fully_accelerated:
            return f"refuses {'; '.join(self.refused)}"
        near, runs = int((self.differences <= self.tolerance).sum()), len(self.differences)
        return (
            f"fully accelerated, {near} of {runs} runs within {self.tolerance:g} of the CPU "
            f"(largest {self.max_difference:.1e}), {self.device}"
        )

    def to_dict(self) -> dict:
        """The findings as JSON values, without the probabilities."""
        return {
            "path": str(self.path),
            "device": self.device,
            "fully_accelerated": self.fully_accelerated,
            "refused": list(self.refused),
            "signatures": list(self.outputs),
            "inputs": len(self.differences),
            "max_difference": self.max_difference,
            "tolerance": self.tolerance,
            "passed": self.passed,
        }

    def require(self) -> "GpuCheck":
        """Returns itself if it passed.

        Raises:
            TinyBertError: If the file is not fully accelerated (what is refused is listed) or
                differs from the CPU.
        """
        if not self.fully_accelerated:
            raise TinyBertError(
                "Expected a file whose every operator LiteRT's GPU accelerator takes. "
                f"Received: {str(self.path)!r}, where it refuses {'; '.join(self.refused)}"
            )
        if not self.passed:
            raise TinyBertError(
                f"Expected probabilities on the GPU within {self.tolerance:g} of the CPU's. "
                f"Received: {str(self.path)!r} with a difference of {self.max_difference:.3g} on "
                f"{self.device}"
            )
        return self


def check_gpu(
    path: str | os.PathLike,
    texts: Sequence[str] | tuple[Sequence[str], Sequence[str]] | None = None,
    tolerance: float | None = None,
    signature: str | None = None,
    token_ids: Sequence[np.ndarray] | None = None,
    float16: bool = False,
    time_limit: float = _TIME_LIMIT,
) -> GpuCheck:
    """Is a file fully accelerated by LiteRT's GPU accelerator, and equal to the CPU there?

    Args:
        path: path. A `.tflite` text classifier with the inputs ids, mask and segment_ids.
        texts: list of strings, or a tuple of two such lists for sentence pairs. Tokenized by the
            packed vocabulary. Defaults to `None`: six fixed inputs of all lengths, two of them
            pairs.
        tolerance: float. Largest difference of a probability. Defaults to `None`: 1e-4 for a
            file that computes in float32, 1e-2 for others.
        signature: string. The signature to run. Defaults to `None`: all, one after the other.
        token_ids: list of int arrays `(length,)`. Inputs without padding, instead of texts, for
            files without a vocabulary. Defaults to `None`.
        float16: bool. Whether the GPU may compute in float16, as it does in apps by default.
            Software devices compute in float32 all the same. Defaults to `False`.
        time_limit: float. Seconds after which the run is given up. Defaults to `600`.

    Returns:
        GpuCheck.

    Raises:
        GpuUnavailable: If there is no Vulkan device or no accelerator; it says what to install.
        TinyBertError: If the file is no TFLite file or no text classifier, an argument does not
            fit it, or the accelerator crashes or takes too long.

    Example:
        >>> check = check_gpu("model.tflite")
        >>> check.fully_accelerated, check.max_difference
        (True, 0.0016)
    """
    file = read_model_file(path)
    lengths = _lengths(file, signature)
    if token_ids is not None:
        inputs = {key: _padded(token_ids, None, length) for key, length in lengths.items()}
    else:
        inputs = {key: _tokenized(file, texts, length) for key, length in lengths.items()}
    if tolerance is None:
        tolerance = FLOAT32_TOLERANCE if file.computes_in_float32 else QUANTIZED_TOLERANCE
    return _run(file, inputs, tolerance, float16, time_limit)


def run_on_gpu(
    path: str | os.PathLike,
    token_ids: Sequence[np.ndarray],
    segment_ids: Sequence[np.ndarray] | None = None,
    signature: str | None = None,
    float16: bool = False,
    time_limit: float = _TIME_LIMIT,
) -> np.ndarray:
    """Runs a file on LiteRT's GPU accelerator.

    Args:
        path: path. A `.tflite` text classifier with the inputs ids, mask and segment_ids.
        token_ids: list of int arrays `(length,)`, [CLS] and [SEP] included, without padding.
        segment_ids: list of int arrays of the same lengths. Defaults to `None`: zeros.
        signature: string. Defaults to `None`: the shortest one that holds all rows.
        float16: bool. Whether the GPU may compute in float16. Defaults to `False`.
        time_limit: float. Seconds after which the run is given up. Defaults to `600`.

    Returns:
        Float32 array `(rows, classes)`: the probabilities.

    Raises:
        TinyBertError: As `check_gpu`, and if the file is not fully accelerated.
    """
    file = read_model_file(path)
    lengths = _lengths(file, signature)
    longest = max((len(row) for row in token_ids), default=0)
    key = min(lengths, key=lambda key: (lengths[key] < longest, lengths[key]))
    rows = _padded(token_ids, segment_ids, lengths[key])
    found = _run(file, {key: rows}, np.inf, float16, time_limit).require().outputs[key]
    return found[:, : _first_size(file, key)]


def _run(file: ModelFile, inputs: dict, tolerance: float, float16: bool, time_limit) -> GpuCheck:
    names = {
        entry.signatureKey.decode(): [output.name.decode() for output in entry.outputs]
        for entry in file.model.signatureDefs
    }
    found = run_accelerator(file.path, inputs, names, float16, time_limit)
    outputs = {
        where: {
            key: np.array(run[where], "float32")
            for key, run in zip(inputs, found.runs, strict=bool(found.runs))
        }
        for where in ("gpu", "cpu")
    }
    return GpuCheck(
        file.path,
        found.device,
        found.fully_accelerated,
        found.refused,
        tolerance,
        outputs=outputs["gpu"],
        cpu_outputs=outputs["cpu"],
    )


def _lengths(file: ModelFile, signature: str | None) -> dict[str, int]:
    """The signatures to run, each with its sequence length."""
    lengths = {}
    for entry in file.model.signatureDefs or []:
        tensors = file.model.subgraphs[entry.subgraphIndex].tensors
        shapes = {item.name.decode(): tensors[item.tensorIndex].shape for item in entry.inputs}
        fits = sorted(shapes) == sorted(_INPUTS) and all(len(s) == 2 for s in shapes.values())
        if not fits:
            raise TinyBertError(
                f"Expected signatures with the inputs {', '.join(_INPUTS)} of shape (1, S). "
                f"Received: {str(file.path)!r} with {', '.join(shapes)}"
            )
        lengths[entry.signatureKey.decode()] = int(shapes["ids"][1])
    if not lengths or signature not in (None, *lengths):
        raise TinyBertError(
            f"Expected a signature among {', '.join(lengths) or 'those of the file (none)'}. "
            f"Received: signature={signature!r}, path={str(file.path)!r}"
        )
    return lengths if signature is None else {signature: lengths[signature]}


def _first_size(file: ModelFile, signature: str) -> int:
    """The number of values of a signature's first output."""
    (entry,) = (one for one in file.model.signatureDefs if one.signatureKey.decode() == signature)
    tensor = file.model.subgraphs[entry.subgraphIndex].tensors[entry.outputs[0].tensorIndex]
    return int(np.prod(tensor.shape))


def _tokenized(file: ModelFile, texts, length: int) -> dict[str, np.ndarray]:
    if file.vocabulary is None:
        raise TinyBertError(
            "Expected a file with a packed vocabulary, or the argument `token_ids`. "
            f"Received: path={str(file.path)!r} without metadata"
        )
    tokenizer = WordPiece(file.vocabulary, **file.settings.get("tokenizer", {}))
    if texts is None:
        parts = [(DEFAULT_TEXTS,), tuple(zip(*_DEFAULT_PAIRS, strict=True))]
    else:
        parts = [texts if isinstance(texts, tuple) else (texts,)]
    token_ids, segment_ids = [], []
    for part in parts:
        encoded = tokenizer.encode(*map(list, part), max_length=length)
        token_ids += encoded.token_ids
        segment_ids += encoded.segment_ids
    return _padded(token_ids, segment_ids, length)


def _padded(token_ids, segment_ids, length: int) -> dict[str, np.ndarray]:
    """The three inputs `(rows, length)`.

    Raises:
        TinyBertError: If there are no rows or a row is too long.
    """
    longest = max((len(row) for row in token_ids), default=0)
    if not 0 < longest <= length:
        raise TinyBertError(
            f"Expected at least one row of 1 to {length} token ids. "
            f"Received: {len(token_ids)} rows of up to {longest}"
        )
    inputs = {name: np.zeros((len(token_ids), length), "int32") for name in _INPUTS}
    for row, ids in enumerate(token_ids):
        inputs["ids"][row, : len(ids)] = ids
        inputs["mask"][row, : len(ids)] = 1
        if segment_ids is not None:
            inputs["segment_ids"][row, : len(ids)] = segment_ids[row]
    return inputs
