"""General distillation of a student on raw English text: what task students start from.

    python benchmarks/general.py --out DIR [--student tinybert_4l_312] [--data ../shared/data]
        [--steps N] [--seed 0]

The teacher is MiniLM-L6-H384 as published; the student starts from its principal directions, or
from its blocks where widths agree. It trains without dropout, and the three terms start equal.
Prepares the corpus once (DIR/corpus, or --corpus), trains one epoch, or its first N steps, and
scores the losses on held-out articles before and after. A killed run resumes. Writes DIR/encoder
(a preset of the backbone), general.json and general.md.
"""

import argparse
import json
import time
from pathlib import Path

import command_line

import tinybert_tf as tb
from tinybert_tf.atomic import atomic_file, atomic_folder
from tinybert_tf.pretraining.batches import CorpusBatches
from tinybert_tf.pretraining.general import general_losses

MAX_LENGTH = 128


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True, precision=True)
    parser.add_argument("--student", default="tinybert_4l_312", choices=tb.ARCHITECTURES)
    parser.add_argument("--corpus", type=Path, help="default: OUT/corpus")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    run(parser.parse_args())


def run(arguments: argparse.Namespace) -> None:
    out, wiki = arguments.out, arguments.data / "wiki_en_text"
    teacher = tb.TinyBertTextClassifier.from_hf(
        str(tb.default_teacher()), num_classes=2, sequence_length=MAX_LENGTH
    )
    folder = arguments.corpus or out / "corpus"
    corpora = {}
    for name, path in (("train", folder), ("valid", folder.parent / f"{folder.name}_valid")):
        if not (path / "corpus.json").exists():
            tb.prepare_corpus(
                wiki / f"{name}.txt.gz", path, teacher.wordpiece, MAX_LENGTH, seed=arguments.seed
            )
        corpora[name] = tb.Corpus(path)
    texts = corpora["train"].texts(teacher.wordpiece)
    shape = {"dropout": 0.0, "attention_dropout": 0.0}  # one pass over the text: no overfitting
    classifier = tb.student_of(
        teacher, arguments.student, texts=texts, seed=arguments.seed, **shape
    )
    student = classifier.backbone
    before = general_losses(teacher, student, corpora["valid"])
    print("before", before, flush=True)
    started = time.monotonic()
    with tb.matmul_precision(arguments.matmul_precision):
        history = tb.general_distill(
            teacher,
            student,
            corpora["train"],
            epochs=1,
            batch_size=arguments.batch_size,
            learning_rate=arguments.learning_rate,
            steps=arguments.steps,
            balance=True,
            seed=arguments.seed,
            run_dir=out,
            verbose=arguments.verbose,
        )
    seconds = time.monotonic() - started
    with atomic_folder(out / "encoder") as temporary:
        student.save_to_preset(str(temporary))
    after = general_losses(teacher, student, corpora["valid"])
    steps = len(CorpusBatches(corpora["train"], arguments.batch_size, steps=arguments.steps))
    share = min(steps * arguments.batch_size / len(corpora["train"]), 1.0)
    found = {
        "student": arguments.student,
        "tokens": round(share * corpora["train"].info.tokens),
        "steps": steps,
        "seconds": round(seconds),
        "held_out_before": before,
        "held_out_after": after,
        "train": {name: values[-1] for name, values in history.items()},
    }
    with atomic_file(out / "general.json") as stream:
        json.dump(found, stream, indent=2)
    lines = ["| held-out loss | start | after |", "|---|---|---|"]
    lines += [f"| {name} | {before[name]:.4f} | {after[name]:.4f} |" for name in before]
    with atomic_file(out / "general.md") as stream:
        stream.write("\n".join(lines) + "\n")
    print(json.dumps(found, indent=2), flush=True)


if __name__ == "__main__":
    main()
