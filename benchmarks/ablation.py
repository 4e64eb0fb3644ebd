"""What each ingredient of distillation adds, task by task: the tables of RESULTS.md.

    python benchmarks/ablation.py --task sst2 --out DIR                          # all rows
    python benchmarks/ablation.py --task sst2 --out DIR --student tinybert_4l_312 --rows int8
    python benchmarks/ablation.py --table --out DIR                              # the tables

Rows: `fine_tuned` (no distillation), `prediction` (soft targets only), `intermediate` (then
prediction), `labels` (the same with gold labels in the prediction stage, at half the weight),
`unlabelled` (the same with as many texts of the domain besides), `random` (the same from random
weights instead of the teacher's), `augmented` (the same on augmented texts; needs --masked-lm),
`general` (the same from a general student; needs --general), `int8` (the best of these, trained
on in int8; the exported file), `pruned` (the best of these without a quarter of its feed-forward
neurons), `pruned_int8`. Each row is trained once,
in DIR/TASK/STUDENT/ROW/SEED; a killed one resumes. The teacher is MiniLM-L6-H384 (or
--teacher), fine-tuned, DIR/TASK/teacher.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import command_line
from tasks import TASKS, load, score

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.atomic import atomic_file
from tinybert_tf.compress import prune_during_distillation

TRAINED = (
    *("fine_tuned", "prediction", "intermediate", "labels", "unlabelled"),
    *("random", "augmented", "general"),
)
ROWS = (*TRAINED, "int8", "pruned", "pruned_int8")
# Copies of each text; half the epochs.
COPIES = 4
# Weight of the gold labels in the row `labels`.
LABELS = 0.5
# Neurons of each feed-forward part that pruning leaves.
KEPT = 3 / 4


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True, precision=True)
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--student", default="tinybert_4l_312", choices=tb.ARCHITECTURES)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--teacher", type=Path, help="Hugging Face folder; default MiniLM")
    parser.add_argument("--masked-lm", type=Path, help="preset of a TinyBertMaskedLM")
    parser.add_argument("--general", type=Path, help="preset of a general student's encoder")
    parser.add_argument("--dropout", type=float, help="of the students; default: the teacher's")
    parser.add_argument("--examples", type=int, help="only so many of either part")
    parser.add_argument("--table", action="store_true", help="print the tables, train nothing")
    arguments = parser.parse_args()
    if arguments.table:
        print(tables(arguments.out))
        return
    if arguments.task is None:
        parser.error("Expected --task. Received: none")
    Ablation(arguments).run()


class Ablation:
    """The rows of one student on one task."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.task = TASKS[arguments.task]
        self.data = load(arguments.task, arguments.data, arguments.examples)
        self.model = getattr(tb, self.task.model)
        self.folder = arguments.out / arguments.task
        self.common = {"seed": arguments.seed, "verbose": arguments.verbose}

    def run(self) -> None:
        teacher = self.teacher()
        for name in self.arguments.rows:
            missing = {
                "augmented": self.arguments.masked_lm,
                "general": self.arguments.general,
                "unlabelled": self.data.unlabelled,
            }
            if missing.get(name, True) is None:
                print(f"{name}: left out, its model or its texts are not given", flush=True)
                continue
            self.row(name, teacher)

    def teacher(self):
        def train(folder: Path):
            size = {"labels": self.data.labels} if self.data.labels else {"num_classes": 1}
            model = self.model.from_hf(
                str(self.arguments.teacher or tb.default_teacher()),
                sequence_length=self.task.max_length,
                **({} if self.task.measure == "f1" and not self.data.labels else size),
            )
            self.finetune(model, folder, self.task.teacher)
            return model

        return self.trained(self.folder / "teacher", train)

    def row(self, name: str, teacher) -> None:
        folder = self.place(name)
        if name == "int8":
            self.int8(folder, teacher, self.best())
            return
        if name == "pruned_int8":
            self.int8(folder, teacher, "pruned")
            return

        def train(path: Path):
            texts = self.data.train[0]
            if name == "pruned":
                return self.prune(teacher, path)
            if name == "general":
                student = tb.student_of(teacher, init=self.arguments.general, texts=texts)
            else:
                student = tb.student_of(
                    teacher,
                    self.arguments.student,
                    init="random" if name == "random" else "teacher",
                    texts=texts,
                    seed=self.arguments.seed,
                    **self.dropout(),
                )
            if name == "fine_tuned":
                self.finetune(student, path, self.task.student)
            else:
                self.distill(name, teacher, student, path)
            return student

        self.trained(folder, train)

    def dropout(self) -> dict:
        """Arguments of students that do not start from a general one, which has its own."""
        rate = self.arguments.dropout
        return {} if rate is None else {"dropout": rate, "attention_dropout": rate}

    def finetune(self, model, folder: Path, recipe: dict) -> None:
        tb.finetune(
            model,
            *self.data.train,
            validation_data=self.data.dev,
            run_dir=folder,
            **recipe,
            **self.common,
        )

    def distill(self, name: str, teacher, student, folder: Path) -> None:
        (texts, labels), epochs = self.data.train, self.task.epochs
        options: dict = {}
        if name == "labels":
            options = {"labels": labels, "hard_label_weight": LABELS}
            self.reuse_first_stage(folder)
        elif name == "unlabelled":
            options = {"unlabelled": self.data.unlabelled}
        elif name == "augmented":
            model = tb.TinyBertMaskedLM.from_preset(str(self.arguments.masked_lm))
            candidates = tb.Candidates(model, cache=self.folder / "candidates")
            texts = tb.augment(texts, candidates, copies=COPIES, seed=self.arguments.seed).texts
            epochs = {stage: max(count // 2, 1) for stage, count in epochs.items()}
        tb.distill(
            teacher,
            student,
            texts,
            validation_data=self.data.dev,
            stages="prediction" if name == "prediction" else ("intermediate", "prediction"),
            epochs=epochs,
            learning_rate=self.task.learning_rate,
            balance=True,
            run_dir=folder,
            **options,
            **self.common,
        )

    def reuse_first_stage(self, folder: Path) -> None:
        """Takes over what the row `intermediate` trained in the same stage."""
        done = self.place("intermediate") / "intermediate.npz"
        if done.exists() and not (folder / done.name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(done, folder / done.name)

    def prune(self, teacher, folder: Path):
        """Neurons go in two steps, with the prediction stage after each."""
        student = self.student(self.best())
        rate = self.task.learning_rate["prediction"]
        return prune_during_distillation(
            teacher,
            student,
            self.data.train[0],
            validation_data=self.data.dev,
            intermediate_dim=round(KEPT * student.backbone.intermediate_dim),
            steps=2,
            last_epochs=2,
            learning_rate=rate,
            run_dir=folder,
            **self.common,
        )

    def place(self, row: str) -> Path:
        return self.folder / self.arguments.student / row / str(self.arguments.seed)

    def student(self, row: str):
        return self.model.from_preset(str(self.place(row) / "preset"))

    def best(self) -> str:
        """The row of this student and seed with the highest score before pruning and int8."""
        paths = {name: self.place(name) / "result.json" for name in TRAINED}
        found = {name: _read(path)["score"] for name, path in paths.items() if path.exists()}
        if not found:
            raise SystemExit("Expected another row of this student first. Received: none")
        return max(found, key=found.get)

    def int8(self, folder: Path, teacher, source: str) -> None:
        """A row's student, trained on in int8; scores the file."""
        student = self.student(source)

        def train(path: Path):
            return export.quantize(
                student,
                *self.data.train,
                validation_data=self.data.dev,
                teacher=teacher,
                run_dir=path,
                **self.task.quantization,
                **self.common,
            ).classifier

        model = self.trained(folder, train, write=False)
        file = folder / "universal.tflite"
        size = export.to_tflite(model, file).size_bytes
        value = score(self.task, export.open_file(file, num_threads=2), self.data.dev)
        self.write(folder, {"score": value, "from": source, "megabytes": size / 1e6})

    def trained(self, folder: Path, train, write: bool = True):
        """Loads a finished row, or trains and scores it."""
        preset = folder / "preset"
        if (preset / "task.json").exists():
            return self.model.from_preset(str(preset))
        print(f"=== {folder.relative_to(self.arguments.out)}", flush=True)
        started = time.monotonic()
        with tb.matmul_precision(self.arguments.matmul_precision):
            model = train(folder)
        seconds = round(time.monotonic() - started)
        model.save_to_preset(str(preset))
        if write:
            value = score(self.task, model, self.data.dev)
            parameters = model.count_params()
            self.write(folder, {"score": value, "seconds": seconds, "parameters": parameters})
        return model

    def write(self, folder: Path, result: dict) -> None:
        result = {"measure": self.task.measure, **result}
        print(folder.relative_to(self.arguments.out), result, flush=True)
        with atomic_file(folder / "result.json") as stream:
            json.dump(result, stream, indent=2)


def tables(out: Path) -> str:
    """One table a student: tasks across, rows down; scores, and shares of the teacher's."""
    lines: list[str] = []
    names = [name for name in TASKS if (out / name / "teacher" / "result.json").exists()]
    teachers = {name: _read(out / name / "teacher" / "result.json")["score"] for name in names}
    students = sorted({p.parent.parent.parent.name for p in out.glob("*/*/*/*/result.json")})
    for student in students:
        lines += [f"\n{student}:\n", f"| | {' | '.join(names)} | of the teacher |"]
        lines.append("|---" * (len(names) + 2) + "|")
        shown = [f"{100 * teachers[name]:.2f}" for name in names]
        lines.append(f"| teacher | {' | '.join(shown)} | |")
        for row in ROWS:
            cells, shares = [], []
            for name in names:
                scores = [
                    _read(path)["score"]
                    for path in sorted((out / name / student / row).glob("*/result.json"))
                ]
                if not scores:
                    cells.append("")
                    continue
                mean = sum(scores) / len(scores)
                seeds = f" ({len(scores)} seeds)" if len(scores) > 1 else ""
                cells.append(f"{100 * mean:.2f}{seeds}")
                shares.append(mean / teachers[name])
            if shares:
                whole = f"{100 * sum(shares) / len(shares):.2f} %"
                note = "" if len(shares) == len(names) else f" ({len(shares)} tasks)"
                lines.append(f"| {row} | {' | '.join(cells)} | {whole}{note} |")
    return "\n".join(lines)


def _read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


if __name__ == "__main__":
    main()
