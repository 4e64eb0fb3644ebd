"""`tinybert-tf distill`: a student from a fine-tuned teacher, in TinyBERT's two task stages."""

import time
from enum import Enum
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import hint, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.models import check_student, is_architecture
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.errors import TinyBertError

STAGES = ("intermediate", "prediction")
# As in `tinybert_tf.distillation.recipe`, which would load TensorFlow.
EPOCHS, LEARNING_RATES = "4,3", "5e-5,3e-5"


class Init(str, Enum):
    """Where a student's weights start."""

    teacher = "teacher"
    random = "random"


Teacher = Annotated[
    str,
    typer.Option(
        help="The fine-tuned teacher: run folder, saved preset, Hugging Face folder or hub name.",
        show_default=False,
    ),
]
Student = Annotated[
    str,
    typer.Option(
        help="Name of an architecture ('tinybert-tf info' lists them), or a pretrained student: "
        "run folder, Hugging Face folder or hub name."
    ),
]
Initialization = Annotated[
    Init,
    typer.Option(
        "--init", help="Start from the teacher's weights or from noise.", rich_help_panel="Student"
    ),
]
LayerMap = Annotated[
    str,
    typer.Option(
        help="Teacher block of each student block: uniform, top, bottom, or numbers from 0 such "
        "as 1,3,5.",
        rich_help_panel="Student",
    ),
]
Stages = Annotated[
    str,
    typer.Option(help="Stages to run, in this order.", rich_help_panel="Training"),
]
Epochs = Annotated[
    str,
    typer.Option(help="One number a stage, or one for all.", rich_help_panel="Training"),
]
LearningRates = Annotated[
    str,
    typer.Option(
        "--learning-rate", help="One number a stage, or one for all.", rich_help_panel="Training"
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        help="Softens both sides of the prediction loss.", min=0.01, rich_help_panel="Training"
    ),
]
HardLabelWeight = Annotated[
    float,
    typer.Option(
        help="Weight of the gold labels in the prediction stage.",
        min=0.0,
        rich_help_panel="Training",
    ),
]


@guarded
def distill(
    train: options.TrainData,
    teacher: Teacher,
    out: options.OutRun,
    task: options.Task = None,
    student: Student = "tinybert_4l_312",
    init: Initialization = Init.teacher,
    layer_map: LayerMap = "uniform",
    dev: options.Dev = None,
    dev_share: options.DevShare = 0.1,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    stages: Stages = "intermediate,prediction",
    epochs: Epochs = EPOCHS,
    batch_size: options.BatchSize = 32,
    learning_rate: LearningRates = LEARNING_RATES,
    temperature: Temperature = 1.0,
    hard_label_weight: HardLabelWeight = 0.0,
    max_length: options.MaxLength = None,
    keep_best: options.KeepBest = False,
    seed: options.Seed = 0,
    resume: options.Resume = True,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Distil a fine-tuned teacher into a small student.

    The student first imitates embeddings, hidden states and attention scores,
    then predictions. Classes and their order are the teacher's.

    Examples:

        tinybert-tf distill train.csv --teacher runs/teacher --out runs/student
        tinybert-tf distill train.csv --dev dev.csv --teacher runs/teacher \\
            --student minilm_3l_384 --layer-map 1,3,5 --out runs/student
        tinybert-tf distill train.csv --teacher runs/teacher --epochs 10,3 \\
            --hard-label-weight 0.5 --out runs/student
        tinybert-tf distill texts.csv --task embedding \\
            --teacher sentence-transformers/all-MiniLM-L6-v2 --out runs/embedder
    """
    check_student(student)
    names = _split(stages, "stages", str)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise TinyBertError(f"Expected --stages out of {', '.join(STAGES)}. Received: {stages!r}")
    recipe = {
        "stages": names,
        "epochs": _of_stages(names, epochs, "epochs", int, EPOCHS),
        "learning_rate": _of_stages(names, learning_rate, "learning-rate", float, LEARNING_RATES),
        "layer_map": _layer_map(layer_map),
        "batch_size": batch_size,
        "temperature": temperature,
        "hard_label_weight": hard_label_weight,
        "keep_best": keep_best,
        "seed": seed,
    }
    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    data = {"train": train, "dev": dev, "dev_share": dev_share, "columns": columns}
    with working("loading TensorFlow and the teacher"):
        from tinybert_tf.cli.models import load_teacher, set_seed

        set_seed(seed)
        loaded = load_teacher(teacher, max_length, None if task is None else task.value)
    _distill(loaded, teacher, student, init.value, recipe, data, out, resume, overwrite)


def _distill(loaded, teacher, student, init, recipe, data, out, resume, overwrite) -> None:
    from tinybert_tf.cli.data import read_split
    from tinybert_tf.cli.models import identify
    from tinybert_tf.cli.results import show_finished, show_results
    from tinybert_tf.runs import Run

    task = task_of(loaded)
    split = read_split(
        task,
        data["train"],
        data["dev"],
        data["dev_share"],
        recipe["seed"],
        data["columns"],
        loaded.kind == "labels",
        require_labels=recipe["hard_label_weight"] > 0,
    )
    for part in (split.train, split.dev):
        if part is not None:
            task.check_known(part, loaded)
    if recipe["keep_best"] and split.validation_data is None:
        raise TinyBertError(
            "Expected development data with labels to choose the best epoch by. "
            "Received: --keep-best without them"
        )
    settings = {
        **split.describe(),
        "teacher": identify(teacher),
        "student": student if is_architecture(student) else identify(student),
        "init": init,
        "max_length": loaded.sequence_length,
        **recipe,
    }
    notes = {"paths": {**data, "teacher": teacher, "student": student}}
    run = Run.open(out, "distill", settings, resume, overwrite, notes=notes)
    if run.is_finished:
        show_finished(run)
        return
    with run.recording():
        _train(run, loaded, student, init, recipe, split)
    show_results(run)
    hint(f"next: tinybert-tf export {out} --out model.tflite")


def _train(run, teacher, student: str, init: str, recipe: dict, split) -> None:
    from tinybert_tf.cli.callbacks import stage_callbacks, verbosity
    from tinybert_tf.cli.models import build_student
    from tinybert_tf.cli.results import dev_results, draw_history
    from tinybert_tf.distillation import distill as imitate
    from tinybert_tf.evaluate.tasks import kind_of_report

    with working("building the student"):
        pupil = build_student(
            student, teacher, init, recipe["layer_map"], split.train.inputs, recipe["seed"]
        )
    say(
        f"{len(split.train):,} {split.task.rows} for training, {len(split.dev or ()):,} for "
        f"development; "
        f"teacher {teacher.count_params():,} parameters, student {pupil.count_params():,}"
    )
    history, started = {}, time.monotonic()
    for stage in recipe["stages"]:
        say(f"stage: {stage}, epochs: {recipe['epochs'][stage]}")
        history |= imitate(
            teacher,
            pupil,
            split.train.inputs,
            split.train.labels,
            validation_data=split.validation_data,
            stages=stage,
            epochs=recipe["epochs"],
            learning_rate=recipe["learning_rate"],
            batch_size=recipe["batch_size"],
            layer_map=recipe["layer_map"],
            temperature=recipe["temperature"],
            hard_label_weight=recipe["hard_label_weight"],
            seed=recipe["seed"],
            keep_best=recipe["keep_best"] and stage == recipe["stages"][-1],
            run_dir=run.checkpoints,
            callbacks=stage_callbacks(run, stage),
            verbose=verbosity(),
        )
    seconds = time.monotonic() - started
    with working("scoring and saving"):
        draw_history(run, history)
        metrics = {
            "dev": dev_results(pupil, split),
            "teacher_dev": dev_results(teacher, split),
            "kind": kind_of_report(pupil),
            "labels": getattr(pupil, "labels", None),
            "parameters": pupil.count_params(),
            "teacher_parameters": teacher.count_params(),
            "seconds": round(seconds, 1),
            "history": history,
        }
        run.finish(pupil, metrics)


def _split(value: str, option: str, kind: type) -> list:
    try:
        return [kind(part.strip()) for part in value.split(",")]
    except ValueError as error:
        raise TinyBertError(
            f"Expected --{option} to hold numbers separated by commas. Received: {value!r}"
        ) from error


def _of_stages(names: list[str], value: str, option: str, kind: type, default: str) -> dict:
    """Turns "4,3" or "4" into a number for each stage."""
    numbers = _split(value, option, kind)
    if value == default:
        names = STAGES  # the defaults stand for both stages, whichever run
    if len(numbers) == 1:
        numbers = numbers * len(names)
    if len(numbers) != len(names) or min(numbers) <= 0:
        raise TinyBertError(
            f"Expected --{option} to hold one positive number, or one for each of "
            f"{', '.join(names)}. Received: {value!r}"
        )
    return dict(zip(names, numbers, strict=True))


def _layer_map(value: str) -> str | list[int]:
    return value if value.isalpha() else _split(value, "layer-map", int)
