"""Teacher, students and exported files on a public classification task: RESULTS.md's table.

    python benchmarks/classification.py --task sst2 --out DIR [--data ../shared/data] [--seed 0]

Trains, in this order and each only if its folder is not there yet: the teacher (MiniLM-L6-H384
fine-tuned), the student fine-tuned without distillation, the student after the intermediate
stage, and the same student after the prediction stage that follows; then exports it for targets
float32 and universal (int8 without quantization-aware training; see quantization.py) and runs the
files with LiteRT. A killed run resumes. Writes results.json and results.md to the output folder.
"""

import argparse
import json
from pathlib import Path

import command_line

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.atomic import atomic_file

STUDENT = "minilm_3l_384"

# Epochs and learning rates per task; clinc150 has 150 classes of 100 short texts each and needs
# a higher rate for its new head.
TASKS = {
    "sst2": {
        "train": "sst2/train_sentences.tsv",
        "dev": "sst2/dev.tsv",
        "max_length": 64,
        "teacher": {"epochs": 3, "learning_rate": 5e-5},
        "baseline": {"epochs": 3, "learning_rate": 5e-5},
        "epochs": {"intermediate": 4, "prediction": 3},
        "learning_rate": {"intermediate": 5e-5, "prediction": 3e-5},
    },
    "clinc150": {
        "train": "clinc150/train.tsv",
        "dev": "clinc150/val.tsv",
        "max_length": 48,
        "teacher": {"epochs": 3, "learning_rate": 2e-4},
        "baseline": {"epochs": 3, "learning_rate": 2e-4},
        "epochs": {"intermediate": 3, "prediction": 3},
        "learning_rate": {"intermediate": 1e-4, "prediction": 1e-4},
    },
}


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True)
    parser.add_argument("--task", choices=TASKS, required=True)
    Benchmark(parser.parse_args()).run()


class Benchmark:
    """The rows of one task's table, each trained once and kept on disk."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.settings = TASKS[arguments.task]
        self.out = arguments.out
        train = tb.read_examples(arguments.data / self.settings["train"])
        dev = tb.read_examples(arguments.data / self.settings["dev"])
        self.train, self.dev = (train.texts, train.labels), (dev.texts, dev.labels)
        self.labels = sorted(set(train.labels))
        self.rows: list[dict] = []

    def run(self) -> None:
        teacher = self.model("teacher", self.new_teacher, self.fine_tune("teacher"))
        self.model("fine-tuned", lambda: self.new_student(teacher), self.fine_tune("baseline"))
        middle = self.model(
            "intermediate stage",
            lambda: self.new_student(teacher),
            self.distill(teacher, "intermediate"),
        )
        student = self.model(
            "intermediate, then prediction stage",
            lambda: middle,
            self.distill(teacher, "prediction"),
        )
        self.export(student)
        self.write()

    # === Models ===
    def new_teacher(self) -> tb.TinyBertTextClassifier:
        return tb.TinyBertTextClassifier.from_hf(
            str(tb.default_teacher()),
            labels=self.labels,
            sequence_length=self.settings["max_length"],
        )

    def new_student(self, teacher) -> tb.TinyBertTextClassifier:
        return tb.student_of(teacher, STUDENT, seed=self.arguments.seed)

    def model(self, name: str, create, train) -> tb.TinyBertTextClassifier:
        """Loads a finished row, or trains it."""
        folder = self.out / name.replace(",", "").replace(" ", "_")
        if (folder / "preset" / "task.json").exists():
            model = tb.TinyBertTextClassifier.from_preset(str(folder / "preset"))
        else:
            print(f"=== {self.arguments.task}: {name}", flush=True)
            model = create()
            train(model, folder)
            model.save_to_preset(str(folder / "preset"))
        report = tb.evaluate_classifier(model, *self.dev)
        self.add(
            name,
            accuracy=report.accuracy,
            macro_f1=report.macro_f1,
            blocks=model.backbone.num_layers,
            parameters=model.count_params(),
        )
        return model

    def fine_tune(self, role: str):
        def train(model, folder: Path) -> None:
            tb.finetune(
                model,
                *self.train,
                validation_data=self.dev,
                seed=self.arguments.seed,
                run_dir=folder,
                verbose=self.arguments.verbose,
                **self.settings[role],
            )

        return train

    def distill(self, teacher, stage: str):
        def train(model, folder: Path) -> None:
            tb.distill(
                teacher,
                model,
                self.train[0],
                validation_data=self.dev,
                stages=stage,
                epochs=self.settings["epochs"],
                learning_rate=self.settings["learning_rate"],
                seed=self.arguments.seed,
                run_dir=folder,
                verbose=self.arguments.verbose,
            )

        return train

    # === Files ===
    def export(self, student) -> None:
        for target in ("float32", "universal"):
            path = self.out / f"{target}.tflite"
            result = export.to_tflite(student, path, target=target)
            checked = export.verify(path, *self.dev, classifier=student)
            self.add(
                f"exported {target}",
                accuracy=checked.accuracy,
                megabytes=result.size_bytes / 1e6,
                largest_difference=checked.max_probability_difference,
            )

    # === Table ===
    def add(self, name: str, **values) -> None:
        row = {"name": name, **values}
        row["keeps"] = values["accuracy"] / (
            self.rows[0]["accuracy"] if self.rows else row["accuracy"]
        )
        self.rows.append(row)
        print(row, flush=True)
        self.write()

    def write(self) -> None:
        with atomic_file(self.out / "results.json") as stream:
            json.dump({"settings": self.settings, "rows": self.rows}, stream, indent=2)
        lines = [
            "| model | blocks | dev accuracy | of the teacher | macro F1 | MB |",
            "|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            megabytes = row.get("megabytes") or row["parameters"] * 4 / 1e6
            lines.append(
                f"| {row['name']} | {row.get('blocks', '')} | {100 * row['accuracy']:.2f} "
                f"| {100 * row['keeps']:.2f} % | {_percent(row.get('macro_f1'))} "
                f"| {megabytes:.1f} |"
            )
        with atomic_file(self.out / "results.md") as stream:
            stream.write("\n".join(lines) + "\n")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


if __name__ == "__main__":
    main()
