"""One adaptive student: accuracy, latency and size of all its sub-networks as int8 files.

    python benchmarks/classification.py --task sst2 --out DIR      # teacher and student, first
    python benchmarks/adaptive.py       --task sst2 --out DIR [--data ../shared/data] [--seed 0]

The student (DIR/student, or the preset that --student names) has its heads and neurons sorted by
importance on training texts and is trained in DynaBERT's two phases to imitate the teacher. Each
sub-network is exported, run with LiteRT on the dev split, and all files are timed in turns. A
killed run goes on. Writes adaptive/ (the trained student), files/, pareto.json, pareto.md and
pareto.png to the output folder.
"""

import argparse
import json
import time
from pathlib import Path

import command_line

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.adaptive import AdaptiveStudent, distill_adaptive
from tinybert_tf.adaptive.student import SETTINGS_FILE
from tinybert_tf.atomic import atomic_file

# Training and development data; epochs and learning rate of the two phases.
TASKS = {
    "sst2": ("sst2/train_sentences.tsv", "sst2/dev.tsv", {"width": 3, "depth": 3}, 2e-5),
    "clinc150": ("clinc150/train.tsv", "clinc150/val.tsv", {"width": 2, "depth": 2}, 1e-4),
}


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--student", type=Path, help="preset; default: OUT/student")
    parser.add_argument("--teacher", type=Path, help="preset; default: OUT/teacher/preset")
    parser.add_argument("--epochs", type=int, help="of each phase; default: by task")
    parser.add_argument("--learning-rate", type=float, help="default: by task")
    parser.add_argument("--examples", type=int, help="use only so many; default: all")
    parser.add_argument("--all", action="store_true", help="train all sub-networks in each step")
    parser.add_argument("--target", default="universal")
    parser.add_argument("--threads", type=int, default=2)
    run(parser.parse_args())


def run(arguments: argparse.Namespace) -> None:
    train_file, dev_file, epochs, rate = TASKS[arguments.task]
    train, dev = (tb.read_examples(arguments.data / name) for name in (train_file, dev_file))
    count = arguments.examples or max(len(train.texts), len(dev.texts))
    texts, labels = train.texts[:count], train.labels[:count]
    validation = dev.texts[:count], dev.labels[:count]

    folder = arguments.out / "adaptive"
    if (folder / SETTINGS_FILE).exists():
        student = AdaptiveStudent.load(folder)
    else:
        teacher = load(arguments.teacher or arguments.out / "teacher" / "preset")
        classifier = load(arguments.student or arguments.out / "student")
        student = AdaptiveStudent.from_classifier(classifier, texts, labels, seed=arguments.seed)
        started = time.monotonic()
        histories = distill_adaptive(
            teacher,
            student,
            texts,
            labels,
            validation_data=validation,
            epochs=epochs if arguments.epochs is None else arguments.epochs,
            learning_rate=arguments.learning_rate or rate,
            sandwich=not arguments.all,
            seed=arguments.seed,
            keep_best=True,
            run_dir=arguments.out / "adaptive_run",
            verbose=arguments.verbose,
        )
        student.save(folder)
        with atomic_file(arguments.out / "adaptive_training.json") as stream:
            found = {"seconds": time.monotonic() - started, "histories": histories}
            json.dump(found, stream, indent=2)

    pareto = export.measure_subnetworks(
        student,
        *validation,
        arguments.out / "files",
        target=arguments.target,
        calibration_texts=texts if arguments.target == "npu_int8" else None,
        threads=arguments.threads,
        title=f"{arguments.task}: sub-networks of one adaptive student ({arguments.target})",
        progress=lambda name: print(name, flush=True),
    )
    pareto.save(arguments.out / "pareto.json")
    pareto.plot(arguments.out / "pareto.png")
    with atomic_file(arguments.out / "pareto.md") as stream:
        stream.write(f"{pareto}\n")
    print(pareto)


def load(preset: Path) -> tb.TinyBertTextClassifier:
    if not (preset / "task.json").exists():
        raise tb.TinyBertError(f"Expected the preset of a classifier. Received: {str(preset)!r}")
    return tb.TinyBertTextClassifier.from_preset(str(preset))


if __name__ == "__main__":
    main()
