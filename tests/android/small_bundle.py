"""A bundle around a tiny model with real weights, for the tests of the Java client."""

import hashlib
import json
from pathlib import Path

import numpy as np
from unicode_texts import SPECIAL_TOKENS, chinese_vocabulary, mixed_texts

from tinybert_tf.export import to_tflite, write_bundle
from tinybert_tf.models import (
    TinyBertBackbone,
    TinyBertTextClassifier,
    TinyBertTextClassifierPreprocessor,
    TinyBertTokenizer,
)

LENGTH = 24
LABELS = ["wake up", "música", "天气", "other"]
TEXTS = ["the hello", "", "今日の天気は？", "Hello, HELLO! héllo", "the " * 50]
TEXTS += [text.encode("utf-8", "ignore").decode() for text in mixed_texts(40, seed=8)]


def build_classifier(**options) -> TinyBertTextClassifier:
    """Two blocks of width 16 and seeded weights, large enough that every token shows."""
    vocabulary = [*SPECIAL_TOKENS, *sorted(set(chinese_vocabulary()) - set(SPECIAL_TOKENS))]
    backbone = TinyBertBackbone(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=LENGTH,
    )
    classifier = TinyBertTextClassifier(
        backbone,
        labels=LABELS,
        preprocessor=TinyBertTextClassifierPreprocessor(
            TinyBertTokenizer(vocabulary), sequence_length=LENGTH
        ),
        **options,
    )
    generator = np.random.default_rng(0)
    for variable in classifier.trainable_weights:
        scale = 0.5 if len(variable.shape) == 2 else 0.1
        noise = generator.normal(size=variable.shape) * scale
        variable.assign(noise + variable.path.endswith("gamma"))
    return classifier


def make_bundle(folder: Path, lengths: tuple[int, ...], **options) -> Path:
    """Exports a classifier of one or several lengths and writes its bundle."""
    path = folder.with_suffix(".tflite")
    to_tflite(build_classifier(**options), path, sequence_length=lengths)
    return write_bundle(path, folder, texts=TEXTS).folder


def read_manifest(folder: Path) -> dict:
    """The content of manifest.json."""
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def change_manifest(folder: Path, fields: dict) -> None:
    """Writes the manifest anew with some fields changed and the hashes of the files as they are."""
    manifest = {**read_manifest(folder), **fields}
    for name in manifest["sha256"]:
        manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    text = json.dumps(manifest, ensure_ascii=False)
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def read_golden(folder: Path) -> list[dict]:
    """The lines of golden.jsonl (`splitlines` would also cut at other characters)."""
    lines = (folder / "golden.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]
