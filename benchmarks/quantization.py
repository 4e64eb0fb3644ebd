"""Every export target on a trained student, with and without quantization-aware training.

    python benchmarks/classification.py --task sst2 --out DIR      # the student, first
    python benchmarks/quantization.py   --task sst2 --out DIR [--data ../shared/data] [--seed 0]

For each target: the student quantized without training, and trained on in the target's numbers
while it imitates its teacher; both exported, and the files run with LiteRT on the dev split. A
killed run goes on. Writes quantization.json and quantization.md to the output folder.
"""

import argparse
import json
import time

import command_line

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.atomic import atomic_file

STUDENT = "intermediate_then_prediction_stage"
# Training and development data, epochs (clinc150 has twice the sentences). Of the epochs and the
# student that was not trained, the best on dev is kept.
TASKS = {
    "sst2": ("sst2/train_sentences.tsv", "sst2/dev.tsv", 4),
    "clinc150": ("clinc150/train.tsv", "clinc150/val.tsv", 1),
}
# Row name to target, scheme and size of the vocabulary (`None`: what the training texts need).
ROWS = {
    "universal": ("universal", None, None),
    "npu_int8": ("npu_int8", None, None),
    "small": ("small", None, None),
    "weight_only": ("weight_only", None, None),
    "nnapi": ("nnapi", None, None),
    "small, int4 weights, 16,000 tokens": ("small", "int4_weights", 16_000),
}
LEARNING_RATE = 5e-5


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    Benchmark(parser.parse_args()).run()


class Benchmark:
    """The rows of one task's table, each kept on disk when it is done."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.out = arguments.out
        *names, self.epochs = TASKS[arguments.task]
        train, dev = (tb.read_examples(arguments.data / name) for name in names)
        self.train, self.dev = (train.texts, train.labels), (dev.texts, dev.labels)
        self.rows: dict[str, dict] = {}
        if (self.out / "quantization.json").exists():
            self.rows = json.loads((self.out / "quantization.json").read_text("utf-8"))

    def run(self) -> None:
        student, teacher = (
            tb.TinyBertTextClassifier.from_preset(str(self.out / name / "preset"))
            for name in (STUDENT, "teacher")
        )
        if "float32" not in self.rows:
            found = self.export(student, "float32", "float32", None)
            self.rows["float32"] = {"without_training": found}
            self.write()
        for name in self.arguments.rows:
            if name not in self.rows:
                print(f"=== {self.arguments.task}: {name}", flush=True)
                self.rows[name] = self.row(name, student, teacher)
                self.write()

    def row(self, name: str, student, teacher) -> dict:
        target, scheme, vocabulary = ROWS[name]
        plain = student
        if target == "small":
            plain = tb.prune_vocabulary(
                student, self.train[0], max_size=vocabulary, fill=vocabulary is not None
            ).classifier
        plain = self.export(plain, name, target, scheme)
        folder = self.out / "quantized" / _file_name(name)
        started = time.monotonic()
        trained = export.quantize(
            student,
            *self.train,
            validation_data=self.dev,
            target=target,
            scheme=scheme,
            teacher=teacher,
            max_vocabulary=vocabulary,
            epochs=self.epochs,
            learning_rate=LEARNING_RATE,
            seed=self.arguments.seed,
            run_dir=folder,
            verbose=self.arguments.verbose,
        )
        seconds = time.monotonic() - started
        trained.classifier.save_to_preset(str(folder / "preset"))
        return {
            "without_training": plain,
            "trained": self.export(trained.classifier, f"{name}, trained", target, scheme),
            "seconds": seconds,
            "history": trained.history,
            "coverage": None if trained.coverage is None else trained.coverage.to_dict(),
        }

    def export(self, classifier, name: str, target: str, scheme: str | None) -> dict:
        path = self.out / f"{_file_name(name)}.tflite"
        texts = self.train[0] if target == "npu_int8" else None
        result = export.to_tflite(classifier, path, target=target, scheme=scheme, texts=texts)
        # A quantization-aware model is compared with its own simulation.
        trained = classifier.backbone.quantization is not None
        checked = export.verify(
            path, *self.dev, classifier=classifier if trained or target == "float32" else None
        )
        report = checked.report
        found = {
            "accuracy": checked.accuracy,
            "negative_log_likelihood": report.nll,
            "macro_f1": checked.macro_f1,
            "megabytes": result.size_bytes / 1e6,
            "simulation_difference": checked.max_probability_difference,
            "simulation_agreement": checked.agreement,
            "file": path.name,
        }
        print(name, found, flush=True)
        return found

    def write(self) -> None:
        with atomic_file(self.out / "quantization.json") as stream:
            json.dump(self.rows, stream, indent=2)
        start = self.rows["float32"]["without_training"]["accuracy"]
        lines = [
            "| target | accuracy, not trained | trained | lost | log loss, not trained | trained "
            "| MB | same answer as simulated |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name, row in self.rows.items():
            plain, trained = row["without_training"], row.get("trained")
            shown = trained or plain
            cells = [
                name,
                _percent(plain["accuracy"]),
                _percent(trained and trained["accuracy"]),
                f"{100 * (start - shown['accuracy']):+.2f}" if trained else "",
                f"{plain['negative_log_likelihood']:.4f}",
                f"{trained['negative_log_likelihood']:.4f}" if trained else "",
                f"{shown['megabytes']:.2f}",
                _percent(shown["simulation_agreement"]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        with atomic_file(self.out / "quantization.md") as stream:
            stream.write("\n".join(lines) + "\n")


def _file_name(row: str) -> str:
    return row.replace(", ", "_").replace(",", "").replace(" ", "_")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


if __name__ == "__main__":
    main()
