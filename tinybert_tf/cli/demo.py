"""`tinybert-tf demo`: the main job from end to end, on data that comes with the package."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tinybert_tf.cli import options
from tinybert_tf.cli.console import duration, out, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import TASKS

TARGETS = ("float32", "universal")


@dataclass(frozen=True)
class Plan:
    """What the demo trains.

    Attributes:
        per_intent: int. Training sentences an intent.
        student: string. Name of the student's architecture.
        teacher_epochs: int.
        epochs: int, or dict of distillation stage to int.
        quantization_epochs: int. Of quantization-aware training.
        learning_rate: float. Of the teacher; a new head for 22 classes and few sentences need a
            high one.
        student_learning_rate: float. Of both stages.
        sequence_length: int. Tokens of every input, the exported files' too.
        seed: int.
    """

    per_intent: int = 200
    student: str = "minilm_3l_384"
    teacher_epochs: int = 4
    epochs: dict | int | None = 3
    quantization_epochs: int = 1
    learning_rate: float = 2e-4
    student_learning_rate: float = 1e-4
    sequence_length: int = 32
    seed: int = 0


Teacher = Annotated[
    str | None,
    typer.Option(
        help="Pretrained encoder: hub name or Hugging Face folder.", show_default="MiniLM-L6-H384"
    ),
]


@guarded
def demo(
    out_folder: Annotated[Path, typer.Option("--out", help="Run folder to write.")] = Path(
        "runs/demo"
    ),
    teacher: Teacher = None,
    seed: options.Seed = 0,
    resume: options.Resume = True,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Teacher, student and .tflite files from embedded phone-assistant intents.

    Fine-tunes MiniLM-L6-H384 on 22 intents, distils it into half its blocks,
    trains that on in int8, exports and verifies, and ends with a table of
    accuracy, size and latency.
    """
    run_demo(Plan(seed=seed), out_folder, teacher, resume, overwrite)


def run_demo(
    plan: Plan,
    folder: Path,
    teacher: str | None = None,
    resume: bool = True,
    overwrite: bool = False,
) -> dict:
    """Runs the demo and returns its results.

    Args:
        plan: `Plan`.
        folder: path. The run folder.
        teacher: string. Pretrained encoder. Defaults to `None`: MiniLM-L6-H384.
        resume: bool. Whether an interrupted demo goes on. Defaults to `True`.
        overwrite: bool. Whether what stands at `folder` is replaced. Defaults to `False`.
    """
    from tinybert_tf.cli.models import identify
    from tinybert_tf.runs import Run

    settings = {**asdict(plan), "teacher": identify(teacher)}
    run = Run.open(folder, "demo", settings, resume, overwrite)
    if not run.is_finished:
        with run.recording():
            _work(run, plan, teacher)
    else:
        say("the demo has run already; --overwrite runs it again")
    results = run.metrics()
    out.print(_table(results["rows"]))
    for row in results["rows"]:
        out.print(f"  {run.folder / row['file']}", markup=False, soft_wrap=True)
    out.print(f"done in {duration(results['seconds'])}")
    return results


def _work(run, plan: Plan, teacher: str | None) -> None:
    from tinybert_tf.text.intents import load_intents

    started = time.monotonic()
    with working("making the data, loading TensorFlow and the encoder"):
        data = load_intents(seed=plan.seed, per_intent=plan.per_intent)
        from tinybert_tf.cli.models import load_pretrained, set_seed

        set_seed(plan.seed)
        expert = load_pretrained(
            teacher, TASKS["classification"], {"labels": data.labels}, plan.sequence_length
        )
    say(
        f"{len(data.labels)} intents; {len(data.train[0]):,} sentences for training and "
        f"{len(data.dev[0]):,} for dev, from a grammar; {len(data.test[0]):,} for test, by hand"
    )
    pupil = _train(run, plan, data, expert)
    quantized = _quantize(run, plan, data, expert, pupil)
    rows = [
        _export(run, data, "teacher", expert, "float32"),
        _export(run, data, "teacher", expert, "universal"),
        _export(run, data, "student", pupil, "float32"),
        _export(run, data, "student", quantized, "universal"),
    ]
    seconds = round(time.monotonic() - started, 1)
    metrics = {"rows": rows, "labels": pupil.labels, "parameters": pupil.count_params()}
    run.finish(quantized, {**metrics, "dev": None, "seconds": seconds})


def _train(run, plan: Plan, data, expert):
    """Fine-tunes the teacher and distils it; returns the student."""
    from tinybert_tf.cli.callbacks import stage_callbacks, verbosity
    from tinybert_tf.distillation import distill, student_of
    from tinybert_tf.training import finetune

    say(f"\nteacher: {expert.count_params():,} parameters, {plan.teacher_epochs} epochs")
    finetune(
        expert,
        *data.train,
        validation_data=data.dev,
        epochs=plan.teacher_epochs,
        learning_rate=plan.learning_rate,
        seed=plan.seed,
        run_dir=run.checkpoints,
        callbacks=stage_callbacks(run, "teacher"),
        verbose=verbosity(),
    )
    pupil = student_of(expert, plan.student, texts=data.train[0], seed=plan.seed)
    for stage in ("intermediate", "prediction"):
        say(f"\nstudent, stage {stage}: {pupil.count_params():,} parameters")
        distill(
            expert,
            pupil,
            *data.train,
            validation_data=data.dev,
            stages=stage,
            epochs=plan.epochs,
            learning_rate=plan.student_learning_rate,
            seed=plan.seed,
            run_dir=run.checkpoints,
            callbacks=stage_callbacks(run, stage),
            verbose=verbosity(),
        )
    return pupil


def _quantize(run, plan: Plan, data, expert, pupil):
    """Trains the student on in the numbers of target `universal`."""
    from tinybert_tf.cli.callbacks import stage_callbacks, verbosity
    from tinybert_tf.export import quantize

    say("\nstudent, quantization-aware training for target universal")
    return quantize(
        pupil,
        *data.train,
        validation_data=data.dev,
        teacher=expert,
        epochs=plan.quantization_epochs,
        learning_rate=plan.student_learning_rate / 2,
        seed=plan.seed,
        run_dir=run.checkpoints / "quantize",
        callbacks=stage_callbacks(run, "quantize"),
        verbose=verbosity(),
    ).classifier


def _export(run, data, name: str, classifier, target: str) -> dict:
    """Writes and verifies one file; returns its row of the table."""
    with working(f"exporting and verifying the {name}, {target}"):
        from tinybert_tf import export

        path = run.folder / f"{name}_{target}.tflite"
        result = export.to_tflite(classifier, path, target=target)
        dev, test = (
            export.verify(path, *split, classifier=classifier, progress=False)
            for split in (data.dev, data.test)
        )
        latency = export.time_file(path, threads=2)
    return {
        "model": name,
        "target": target,
        "trained": classifier.backbone.quantization is not None,
        "dev_accuracy": dev.accuracy,
        "test_accuracy": test.accuracy,
        "parameters": classifier.count_params(),
        "size_mb": result.size_bytes / 1e6,
        "latency_ms": latency.median_ms,
        "largest_difference": max(dev.max_probability_difference, test.max_probability_difference),
        "file": path.name,
    }


def _table(rows: list[dict]) -> Table:
    table = Table(
        title="Phone-assistant intents: teacher and student as .tflite files",
        caption="universal: int8 for CPU and GPU, the student trained for it; dev: same grammar as "
        "training; test: written by hand; ms: median latency, 2 threads, this machine; "
        "differs: largest of any probability to the Keras model that was exported",
    )
    table.add_column("model", no_wrap=True)
    table.add_column("target", no_wrap=True)
    headings = ("dev %", "test %", "MB", "ms", "differs")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["model"],
            f"{row['target']}, trained" if row["trained"] else row["target"],
            f"{100 * row['dev_accuracy']:.1f}",
            f"{100 * row['test_accuracy']:.1f}",
            f"{row['size_mb']:.1f}",
            f"{row['latency_ms']:.2f}",
            f"{row['largest_difference']:.1g}",
            end_section=row["model"] == "teacher" and row["target"] == TARGETS[-1],
        )
    return table
