"""The folder that an app copies: the file, what it needs beside it, and how to check it.

model.tflite    the exported file, metadata included
vocab.txt       one token a line, the line's number is the id
labels.txt      one label a line
manifest.json   task, inputs, tokenizer, thresholds, measurements, checksums
golden.jsonl    texts with their ids and outputs, which any platform can replay
MODEL_CARD.md   what the model is, how it was made and how good it is
README.md       Kotlin for both roads into an app
"""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from tinybert_tf.atomic import atomic_folder
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.tasks import MAIN_SCORES, Report, evaluate_model
from tinybert_tf.export.benchmark import time_file
from tinybert_tf.export.bundle_pages import model_card, readme
from tinybert_tf.export.delegates import DELEGATES, check_delegates
from tinybert_tf.export.golden import golden_rows, golden_texts, largest_output
from tinybert_tf.export.model_file import (
    LABELS_FILE,
    VOCABULARY_FILE,
    ModelFile,
    read_model_file,
    text_lines,
)
from tinybert_tf.export.runner import open_file
from tinybert_tf.export.runtime import TFLiteModel
from tinybert_tf.export.signatures import signature_name
from tinybert_tf.runs import versions

FORMAT, FORMAT_VERSION = "tinybert_tf.bundle", 1
MODEL, MANIFEST = "model.tflite", "manifest.json"
GOLDEN, CARD, README = "golden.jsonl", "MODEL_CARD.md", "README.md"
# Largest difference of an output that a replay on another machine's CPU may show. Runtimes round
# the activations of int8 files differently: 0.01 between LiteRT in Python and in a browser.
FLOAT_TOLERANCE, INT8_TOLERANCE = 1e-4, 2e-2
TASKS = {
    "classes": "classification",
    "labels": "classification",
    "score": "regression",
    "tokens": "ner",
    "spans": "qa",
    "embedding": "embedding",
}


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder and what its manifest says.

    Args:
        folder: path.
        manifest: dict. The content of manifest.json.
    """

    folder: Path
    manifest: dict

    @property
    def model(self) -> Path:
        """The `.tflite` file."""
        return self.folder / self.manifest["model"]["file"]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def write_bundle(
    file: str | os.PathLike,
    folder: str | os.PathLike,
    examples=None,
    labels: Sequence | None = None,
    texts: Sequence[str] | None = None,
    origin: dict | None = None,
    name: str | None = None,
    license: str | None = None,
    threads: int = 2,
    overwrite: bool = False,
) -> Bundle:
    """Writes the folder that an app copies.

    Args:
        file: path. A `.tflite` file of ours with packed vocabulary, of any task but translation
            and summarization.
        folder: path. The folder to write, whole or not at all.
        examples: raw examples of the task for which the file is scored. Defaults to `None`.
        labels: their labels. Defaults to `None`.
        texts: list of strings. More golden texts, such as typical inputs; a pair of lists for
            question answering and sentence pairs. Defaults to `None`: some of the examples.
        origin: dict. How the model was made, JSON values: for manifest and model card. Defaults
            to `None`.
        name: string. What the model is called. Defaults to `None`: after its task.
        license: string. The licence of the weights, such as `"Apache-2.0"`. Defaults to `None`:
            the model card asks for it.
        threads: int. Threads of the interpreter that is timed. Defaults to `2`.
        overwrite: bool. Whether a bundle at `folder` is replaced. Defaults to `False`.

    Returns:
        Bundle.

    Raises:
        TinyBertError: If the file packs no vocabulary or is of another task, the folder holds
            something, or examples and labels do not fit.
    """
    source, runner = read_model_file(file), open_file(file, num_threads=threads)
    _check_source(source, runner)
    folder = Path(folder)
    _check_folder(folder, overwrite)
    report = None
    if examples is not None:
        report = evaluate_model(runner, examples, labels)
    inputs = golden_texts(runner, examples, texts)
    rows = golden_rows(runner, inputs)
    tolerance = FLOAT_TOLERANCE if source.computes_in_float32 else INT8_TOLERANCE
    tolerance *= largest_output(rows)
    task = TASKS[runner.kind]
    if isinstance(inputs, tuple) and runner.kind != "spans":
        task = f"pair_{task}"
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": name or f"TinyBERT {task.replace('_', ' ')}",
        "task": task,
        "model": _model(source, runner),
        "tokenizer": _tokenizer(runner),
        "labels": LABELS_FILE,
        "multi_label": runner.kind == "labels",
        "out_of_scope": source.settings.get("out_of_scope"),
        "question_answering": source.settings.get("question_answering"),
        "golden": {"file": GOLDEN, "rows": len(rows), "tolerance": tolerance},
        "measured": _measured(runner, report, 0 if labels is None else len(labels), threads),
        "delegates": _delegates(file),
        "origin": origin or {},
        "licenses": {"model": license, "tinybert_tf": "Apache-2.0"},
        "versions": versions(),
        "made": date.today().isoformat(),
    }
    with atomic_folder(folder) as temporary:
        contents = {
            MODEL: Path(file).read_bytes(),
            VOCABULARY_FILE: text_lines(runner.tokenizer.vocabulary),
            LABELS_FILE: source.packed[LABELS_FILE],
            GOLDEN: text_lines(json.dumps(row, ensure_ascii=False) for row in rows),
            CARD: model_card(manifest, report).encode("utf-8"),
            README: readme(manifest).encode("utf-8"),
        }
        manifest["sha256"] = {}
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
            manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (temporary / MANIFEST).write_text(text + "\n", "utf-8")
    return Bundle(folder, manifest)


def _check_source(source: ModelFile, runner) -> None:
    if not isinstance(runner, TFLiteModel):
        raise TinyBertError(
            "Expected the file of a task with one call a text; a file that writes texts packs all "
            f"it needs itself. Received: {str(source.path)!r}, of kind {runner.kind!r}"
        )
    if source.vocabulary is None or LABELS_FILE not in source.packed:
        raise TinyBertError(
            "Expected a file with packed vocabulary and labels, as `to_tflite` writes it with "
            f"metadata. Received: {str(source.path)!r}"
        )


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST).is_file():
        raise TinyBertError(
            f"Expected a new or empty folder, or a bundle. Received: {str(folder)!r}, which holds "
            "something else"
        )
    if not overwrite:
        raise TinyBertError(
            "Expected a new folder, or overwrite=True (--overwrite) to replace the bundle in it. "
            f"Received: {str(folder)!r}"
        )


def _model(source: ModelFile, runner: TFLiteModel) -> dict:
    lengths = runner.sequence_lengths
    return {
        "file": MODEL,
        "size_bytes": source.size_bytes,
        "target": source.settings.get("target"),
        "quantization": source.quantization,
        "inputs": list(runner.input_order),
        "signatures": [
            {"name": signature_name(length, lengths), "length": length} for length in lengths
        ],
        "outputs": runner.num_outputs,
        "attention_heads": _attention_heads(runner),
    }


def _attention_heads(runner: TFLiteModel) -> int:
    """Heads in the output `attention`, 0 without one."""
    found = runner.run_attention(np.zeros(2, "int32"))
    return 0 if found is None else len(found)


def _tokenizer(runner: TFLiteModel) -> dict:
    """Everything that another tokenizer has to know."""
    wordpiece = runner.tokenizer
    bert = wordpiece.rules == "bert"
    accents = wordpiece.strip_accents
    return {
        "kind": wordpiece.rules,
        "vocabulary": VOCABULARY_FILE,
        "vocabulary_size": wordpiece.vocabulary_size,
        "lowercase": wordpiece.lowercase,
        "strip_accents": bert and (wordpiece.lowercase if accents is None else accents),
        "split_chinese": wordpiece.tokenize_chinese_chars,
        "max_length": runner.sequence_length,
        "max_characters_per_word": wordpiece.max_input_chars_per_word,
        "unknown": "[UNK]",
        "classify": "[CLS]",
        "separate": "[SEP]",
        "pad": "[PAD]",
        "mask": "[MASK]",
    }


def _measured(runner: TFLiteModel, report: Report | None, rows: int, threads: int) -> dict:
    latency = time_file(runner.path, threads=threads)
    found = {
        "latency_ms": round(latency.median_ms, 3),
        "threads": threads,
        "tokens": runner.sequence_length,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }
    if report is None:
        return found
    attribute, called = MAIN_SCORES[runner.kind]
    return {
        **found,
        "examples": rows,
        "score": round(float(getattr(report, attribute)), 6),
        "score_name": called,
        **{key: round(float(value), 6) for key, value in report.summary().items()},
    }


def _delegates(file: str | os.PathLike) -> dict:
    report = check_delegates(file)
    found = {}
    for name in DELEGATES:
        summary = report.summary(name)
        found[name] = {
            "title": summary.title,
            "accepted": summary.accepted,
            "total": summary.total,
            "android_api_level": summary.api_level,
            "refused": [f"{one.describe()}: {one.reason}" for one in summary.refused],
            "cautions": [f"{one.describe()}: {one.reason}" for one in summary.cautions],
        }
    return found
