"""`tinybert-tf quantize`: quantization-aware training of a student for an export target."""

import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import hint, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import refuse_generation, task_of
from tinybert_tf.export.targets import TARGETS

# Those with numbers to train for.
Target = Enum("Target", {name: name for name, entry in TARGETS.items() if entry.scheme}, type=str)

TargetOption = Annotated[
    Target,
    typer.Option(
        "--target",
        help="What the file is for: universal (CPU and GPU), small, weight_only (the same "
        "answer everywhere), nnapi or npu_int8.",
    ),
]
Student = Annotated[
    Path,
    typer.Option(
        help="The trained student: run folder, preset or Hugging Face folder.",
        show_default=False,
    ),
]
Teacher = Annotated[
    Path | None,
    typer.Option(
        "--teacher",
        help="Fine-tuned model to imitate: run folder, preset or Hugging Face folder.",
        show_default="the student in float",
    ),
]
Epochs = Annotated[int, typer.Option(help="Passes over TRAIN.", min=1, rich_help_panel="Training")]
LearningRate = Annotated[float, typer.Option(help="The peak.", rich_help_panel="Training")]
MaxVocabulary = Annotated[
    int | None,
    typer.Option(
        help="Most tokens that target small keeps.",
        show_default="all that the texts need",
        min=16,
    ),
]


@guarded
def quantize(
    train: options.TrainData,
    student: Student,
    out: options.OutRun,
    task: options.Task = None,
    target: TargetOption = Target.universal,
    teacher: Teacher = None,
    max_vocabulary: MaxVocabulary = None,
    dev: options.Dev = None,
    dev_share: options.DevShare = 0.1,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    epochs: Epochs = 1,
    batch_size: options.BatchSize = 32,
    learning_rate: LearningRate = 5e-5,
    keep_best: options.KeepBest = True,
    seed: options.Seed = 0,
    resume: options.Resume = True,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Train a student on in the numbers of its file (quantization-aware training).

    The student goes on imitating its teacher while weights, and for npu_int8
    activations, are rounded as in the exported file.

    Examples:

        tinybert-tf quantize train.csv --student runs/student --teacher runs/teacher \\
            --out runs/quantized
        tinybert-tf quantize train.csv --student runs/student --teacher runs/teacher \\
            --target npu_int8 --out runs/npu
    """
    recipe = {
        "target": target.value,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "max_vocabulary": max_vocabulary,
        "keep_best": keep_best,
        "seed": seed,
    }
    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    data = {"train": train, "dev": dev, "dev_share": dev_share, "columns": columns}
    name = None if task is None else task.value
    _quantize(student, teacher, name, recipe, data, out, resume, overwrite)


def _quantize(student: Path, teacher, name, recipe, data, out, resume, overwrite) -> None:
    from tinybert_tf.cli.data import read_split
    from tinybert_tf.cli.models import identify, load_model, set_seed
    from tinybert_tf.cli.results import show_finished, show_results
    from tinybert_tf.runs import Run

    with working("loading TensorFlow and the student"):
        set_seed(recipe["seed"])
        pupil = load_model(student, task=name)
        expert = pupil if teacher is None else load_model(teacher, task=name)
    refuse_generation(pupil, "quantize")
    task = task_of(pupil)
    split = read_split(
        task,
        data["train"],
        data["dev"],
        data["dev_share"],
        recipe["seed"],
        data["columns"],
        pupil.kind == "labels",
        require_labels=False,
    )
    for part in (split.train, split.dev):
        if part is not None:
            task.check_known(part, pupil)
    settings = {
        **split.describe(),
        "student": identify(str(student)),
        "teacher": identify(str(teacher or student)),
        **recipe,
    }
    notes = {"paths": {**data, "student": str(student), "teacher": str(teacher or student)}}
    run = Run.open(out, "quantize", settings, resume, overwrite, notes=notes)
    if not run.is_finished:
        with run.recording():
            _train(run, pupil, expert, recipe, split)
        show_results(run)
        hint(f"next: tinybert-tf export {out} --target {recipe['target']} --out model.tflite")
    else:
        show_finished(run)


def _train(run, pupil, expert, recipe: dict, split) -> None:
    from tinybert_tf.cli.callbacks import stage_callbacks, verbosity
    from tinybert_tf.cli.results import dev_results, draw_history
    from tinybert_tf.export.recipe import quantize as train_quantized

    say(
        f"target {recipe['target']}: {len(split.train):,} {split.task.rows} for training, "
        f"{len(split.dev or ()):,} for development, {recipe['epochs']} epochs"
    )
    started = time.monotonic()
    trained = train_quantized(
        pupil,
        split.train.inputs,
        split.train.labels,
        validation_data=split.validation_data,
        teacher=expert,
        run_dir=run.checkpoints,
        callbacks=stage_callbacks(run, "quantize"),
        verbose=verbosity(),
        **recipe,
    )
    seconds = time.monotonic() - started
    if trained.coverage is not None:
        say(trained.coverage.to_text())
    with working("scoring and saving"):
        draw_history(run, trained.history)
        metrics = {
            "dev": dev_results(trained.classifier, split),
            "teacher_dev": None if expert is pupil else dev_results(expert, split),
            "float_dev": dev_results(pupil, split),
            "kind": pupil.kind,
            "labels": getattr(pupil, "labels", None),
            "parameters": trained.classifier.count_params(),
            "teacher_parameters": expert.count_params(),
            "seconds": round(seconds, 1),
            "history": trained.history,
            "coverage": None if trained.coverage is None else trained.coverage.to_dict(),
        }
        run.finish(trained.classifier, metrics)
