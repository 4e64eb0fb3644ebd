"""Size, delegates and GPU of every target for one architecture: RESULTS.md's table of targets.

    python benchmarks/targets.py --out DIR [--architecture tinybert_4l_312] [--length 128]
    tinybert-tf benchmark DIR/*.tflite       # then: latency, side by side

Weights are random: sizes and speed depend on shapes only. Words are those of MiniLM's vocabulary;
`small` keeps what the embedded intents need, filled up to so many words with the first of the
vocabulary. Writes the files, results.json and results.md.
"""

import json
from pathlib import Path

import command_line
import numpy as np

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.atomic import atomic_file
from tinybert_tf.text.wordpiece import WordPiece

# File name to target, scheme, size of the vocabulary.
FILES = {
    "universal": ("universal", None, None),
    "universal_16_32_64_128": ("universal", None, None),
    "small_5900_words": ("small", None, 5_900),
    "small_int4_weights_16000_words": ("small", "int4_weights", 16_000),
    "weight_only": ("weight_only", None, None),
    "nnapi": ("nnapi", None, None),
    "npu_int8": ("npu_int8", None, None),
    "float32": ("float32", None, None),
}


def main() -> None:
    parser = command_line.parser(__doc__, out=True)
    parser.add_argument("--architecture", default="tinybert_4l_312")
    parser.add_argument("--length", type=int, default=128)
    arguments = parser.parse_args()
    texts = tb.load_intents(per_intent=50).train[0]
    classifier = _classifier(arguments.architecture, arguments.length)
    rows = {}
    for name, (target, scheme, words) in FILES.items():
        model = classifier
        if words is not None:
            model = tb.prune_vocabulary(model, texts, max_size=words, fill=True).classifier
        lengths = (16, 32, 64, 128) if "16_32" in name else arguments.length
        path = arguments.out / f"{name}.tflite"
        result = export.to_tflite(
            model,
            path,
            target=target,
            scheme=scheme,
            sequence_length=lengths,
            texts=texts if target == "npu_int8" else None,
        )
        rows[name] = _row(path, result)
        print(name, rows[name], flush=True)
    with atomic_file(arguments.out / "results.json") as stream:
        json.dump(rows, stream, indent=2)
    with atomic_file(arguments.out / "results.md") as stream:
        stream.write(_table(rows))


def _classifier(architecture: str, length: int) -> tb.TinyBertTextClassifier:
    words = WordPiece.from_folder(str(tb.default_teacher())).vocabulary
    classifier = tb.TinyBertTextClassifier(
        tb.TinyBertBackbone(vocabulary_size=len(words), **tb.architecture(architecture)),
        labels=["negative", "positive"],
        preprocessor=tb.TinyBertTextClassifierPreprocessor(
            tb.TinyBertTokenizer(words), sequence_length=length
        ),
    )
    generator = np.random.default_rng(0)
    for variable in classifier.trainable_weights:
        if len(variable.shape) == 1 and not variable.path.endswith("gamma"):
            variable.assign(generator.normal(size=variable.shape) * 0.02)
    return classifier


def _row(path: Path, result: export.ExportResult) -> dict:
    delegates = export.check_delegates(path)
    return {
        "megabytes": result.size_bytes / 1e6,
        "without_vocabulary": (
            result.size_bytes - sum(map(len, export.read_model_file(path).packed.values()))
        )
        / 1e6,
        **{
            name: f"{delegates.summary(name).accepted}/{delegates.summary(name).total}"
            for name in ("xnnpack", "gpu_litert", "gpu_classic", "nnapi")
        },
    }


def _table(rows: dict) -> str:
    headings = ["MB", "MB without vocabulary", "XNNPACK", "LiteRT GPU", "classic GPU", "NNAPI"]
    lines = [f"| file | {' | '.join(headings)} |", "|---" * (len(headings) + 1) + "|"]
    for name, row in rows.items():
        cells = [f"{row['megabytes']:.2f}", f"{row['without_vocabulary']:.2f}"]
        cells += [row[key] for key in ("xnnpack", "gpu_litert", "gpu_classic", "nnapi")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
