"""Reads a bundle back: are its files the ones that were written, and does the model still agree?"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.bundle import FORMAT, FORMAT_VERSION, MANIFEST, Bundle
from tinybert_tf.export.golden import output_of, run_ids
from tinybert_tf.export.runner import open_file

_FIELDS = ("task", "model", "tokenizer", "labels", "golden", "sha256")


@dataclass(frozen=True)
class BundleCheck:
    """What a check found; one that finds a difference raises instead.

    Args:
        bundle: Bundle.
        files: int. Files whose checksums are right.
        rows: int. Golden rows that were replayed.
        largest_difference: float. The largest difference of an output to the golden one.
    """

    bundle: Bundle
    files: int
    rows: int
    largest_difference: float


def read_bundle(folder: str | os.PathLike) -> Bundle:
    """Reads a bundle's manifest.

    Raises:
        TinyBertError: If there is none, it is damaged, or of a newer version than this package.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise TinyBertError(
            f"Expected a bundle, a folder with {MANIFEST}. Received: {str(folder)!r}"
        ) from None
    except (OSError, ValueError) as error:
        raise TinyBertError(f"Expected a readable {MANIFEST}. Received: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise TinyBertError(
            f"Expected a manifest of the format {FORMAT!r}. Received: {str(path)!r}"
        )
    version = manifest.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise TinyBertError(
            f"Expected a manifest of version {FORMAT_VERSION} or older; a newer tinybert_tf reads "
            f"this one. Received: format_version={version!r}"
        )
    missing = [name for name in _FIELDS if name not in manifest]
    if missing:
        raise TinyBertError(
            f"Expected the fields {', '.join(_FIELDS)} in {MANIFEST}. "
            f"Received: none of {', '.join(missing)}"
        )
    return Bundle(Path(folder), manifest)


def verify_bundle(
    folder: str | os.PathLike,
    num_threads: int | None = None,
    progress: Callable[[], None] | None = None,
) -> BundleCheck:
    """Compares checksums, vocabulary and model, and replays the golden vectors.

    Args:
        folder: path. The bundle.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.
        progress: callable. Called after each golden row. Defaults to `None`.

    Raises:
        TinyBertError: Naming the file that is missing or changed, the vocabulary that is not the
            model's, or the golden text whose ids or outputs differ.
    """
    bundle = read_bundle(folder)
    files = _check_files(bundle)
    runner = open_file(bundle.model, num_threads=num_threads)
    _check_vocabulary(bundle, runner)
    rows, largest = 0, 0.0
    tolerance = float(bundle.manifest["golden"]["tolerance"])
    for row in _golden_rows(bundle):
        difference = _replay(runner, row)
        if not difference <= tolerance:
            raise TinyBertError(
                f"Expected the outputs of {bundle.manifest['golden']['file']} within "
                f"{tolerance:g}. Received: a difference of {difference:.3g} for the text "
                f"{_short(row['text'])}"
            )
        rows, largest = rows + 1, max(largest, difference)
        if progress is not None:
            progress()
    return BundleCheck(bundle, files, rows, largest)


def _check_files(bundle: Bundle) -> int:
    for name, expected in bundle.manifest["sha256"].items():
        path = bundle.folder / name
        if Path(name).name != name or not path.is_file():
            raise TinyBertError(
                f"Expected the file {name!r}, which {MANIFEST} lists. "
                f"Received: {str(bundle.folder)!r} without it"
            )
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise TinyBertError(
                f"Expected {name!r} as it was bundled; it has been changed since. Received: "
                f"{str(path)!r} with SHA-256 {found[:12]}..., not {expected[:12]}..."
            )
    return len(bundle.manifest["sha256"])


def _check_vocabulary(bundle: Bundle, runner) -> None:
    path = bundle.folder / bundle.manifest["tokenizer"]["vocabulary"]
    lines = path.read_text("utf-8").removesuffix("\n").split("\n")
    if lines != runner.tokenizer.vocabulary:
        raise TinyBertError(
            f"Expected the vocabulary that is packed into {bundle.model.name!r}, "
            f"{runner.tokenizer.vocabulary_size} tokens. "
            f"Received: {str(path)!r} with {len(lines)} tokens"
        )


def _golden_rows(bundle: Bundle):
    name = bundle.manifest["golden"]["file"]
    with open(bundle.folder / name, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise TinyBertError(
                    f"Expected a JSON object a line. Received: {name}, line {number}: {error}"
                ) from error


def _replay(runner, row: dict) -> float:
    """Tokenizes and runs one text; returns the largest difference of an output."""
    text = row["text"]
    examples = [text]
    if "question" in row:
        examples = [row["question"]], [text]
    elif "text_pair" in row:
        examples = [text], [row["text_pair"]]
    encoded = runner.encode(examples)
    if encoded.token_ids[0].tolist() != row["token_ids"]:
        raise TinyBertError(
            f"Expected the golden token ids for the text {_short(text)}. "
            f"Received: {encoded.token_ids[0][:12].tolist()}..., not {row['token_ids'][:12]}..."
        )
    output = run_ids(runner, np.array(row["token_ids"]), np.array(row["segment_ids"]))
    return float(np.abs(output - output_of(row)).max())


def _short(text: str) -> str:
    return repr(text if len(text) < 60 else text[:57] + "...")
