"""Pruning and distillation in turns, so that a student heals from each cut."""

import json
import os
import shutil
from pathlib import Path

import keras

from tinybert_tf.atomic import atomic_file, atomic_folder
from tinybert_tf.compress.importance import check_prunable, measure_importance
from tinybert_tf.compress.schedules import counts_by_step
from tinybert_tf.compress.structured import prune_structure
from tinybert_tf.distillation.recipe import distill
from tinybert_tf.distillation.views import as_teacher
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertTextClassifier
from tinybert_tf.runs import digest, weights_digest

PLAN = "plan.json"


def prune_during_distillation(
    teacher,
    student: TinyBertTextClassifier,
    texts,
    labels=None,
    validation_data: tuple | None = None,
    num_heads: int | None = None,
    intermediate_dim: int | None = None,
    steps: int = 3,
    stages="prediction",
    epochs_per_step: int = 1,
    last_epochs: int = 3,
    learning_rate: dict[str, float] | float | None = None,
    batch_size: int = 32,
    max_examples: int | None = 1024,
    seed: int = 0,
    run_dir: str | os.PathLike | None = None,
    **options,
) -> TinyBertTextClassifier:
    """Prunes heads and neurons in a few steps, and distils after each.

    A step measures the importance by the soft cross-entropy to the teacher on the training
    texts, removes the least important heads and neurons, and distils what is left. How many go
    follows tfmot's `PolynomialDecay`: of three steps, the first removes 70 % of what has to go,
    the second 26 %.

    Args:
        teacher: what `as_teacher` accepts.
        student: `TinyBertTextClassifier`. It is left as it is.
        texts: list of strings, or a tuple of two such lists. Training texts.
        labels: label names or numbers; see `distill`. Defaults to `None`.
        validation_data: a pair (texts, labels); see `distill`. It has no say in what is pruned.
            Defaults to `None`.
        num_heads: int. Heads that each block keeps in the end. Defaults to `None`: all.
        intermediate_dim: int. Neurons that each block keeps. Defaults to `None`: all.
        steps: int. Prunings. Defaults to `3`.
        stages: which stages of `distill` follow a pruning. Attention scores are compared head by
            head, which pruned heads upset. Defaults to `"prediction"`.
        epochs_per_step: int. Epochs of each stage after each pruning but the last. Defaults to
            `1`.
        last_epochs: int. Epochs of each stage after the last pruning. Defaults to `3`.
        learning_rate: float, or dict of stage to float; see `distill`. Defaults to `None`.
        batch_size: int. Defaults to `32`.
        max_examples: int. Texts that the importance is measured on; see `measure_importance`.
            Defaults to `1024`.
        seed: int. Of each step's batches, dropout and choice of texts. Defaults to `0`.
        run_dir: folder that holds a preset for each finished step, `step_1` and on, and
            the checkpoints of the present one. An interrupted run goes on from there. Defaults to
            `None`: not resumable.
        **options: further arguments of `distill`, such as `temperature` or `verbose`.

    Returns:
        A smaller `TinyBertTextClassifier` without any masks.

    Raises:
        TinyBertError: If nothing would be kept or more than there is, nothing is asked for, or
            `run_dir` belongs to another run.
    """
    check_prunable(student)
    teacher = as_teacher(teacher)
    plan = _plan(student.backbone, num_heads, intermediate_dim, steps)
    _at_least_one(epochs_per_step=epochs_per_step, last_epochs=last_epochs)
    folder = None if run_dir is None else Path(run_dir)
    first = 0
    if folder is not None:
        parts = texts if isinstance(texts, tuple) else (texts,)
        targets = None if labels is None else student.encode_labels(labels).tolist()
        settings = {
            "plan": plan,
            "stages": [stages] if isinstance(stages, str) else list(stages),
            "epochs": [epochs_per_step, last_epochs],
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "max_examples": max_examples,
            "seed": seed,
            "texts": digest([list(part) for part in parts], targets),
            "teacher": weights_digest(teacher),
            "student": weights_digest(student),
            "options": {
                name: value
                for name, value in options.items()
                if name not in ("callbacks", "verbose", "sample_weight")
            },
        }
        _claim(folder, settings)
        first = _finished_steps(folder, steps)
        if first:
            # With its dtype: keras-hub cannot read that of mixed precision from the preset.
            student = TinyBertTextClassifier.from_preset(
                str(folder / f"step_{first}"), dtype=student.backbone.dtype_policy.name
            )
    for step in range(first, steps):
        keras.utils.set_random_seed(seed)  # the same whether resumed or not
        importance = measure_importance(
            student,
            texts,
            teacher=teacher,
            batch_size=batch_size,
            max_examples=max_examples,
            seed=seed,
        )
        student = prune_structure(student, importance, *plan[step])
        checkpoints = None if folder is None else folder / f"step_{step + 1}_checkpoints"
        distill(
            teacher,
            student,
            texts,
            labels,
            validation_data,
            stages=stages,
            epochs=last_epochs if step + 1 == steps else epochs_per_step,
            learning_rate=learning_rate,
            batch_size=batch_size,
            seed=seed,
            run_dir=checkpoints,
            **options,
        )
        if folder is not None:
            with atomic_folder(folder / f"step_{step + 1}") as temporary:
                student.save_to_preset(str(temporary))
            shutil.rmtree(checkpoints, ignore_errors=True)
    return student


def _plan(backbone, num_heads, intermediate_dim, steps: int) -> list[list[int]]:
    """Heads and neurons that are left after each step."""
    _at_least_one(steps=steps)
    if num_heads is None and intermediate_dim is None:
        raise TinyBertError(
            "Expected num_heads or intermediate_dim, what is to be left. Received: neither"
        )
    columns = []
    for name, kept, total in (
        ("num_heads", num_heads, backbone.num_heads),
        ("intermediate_dim", intermediate_dim, backbone.intermediate_dim),
    ):
        kept = total if kept is None else kept
        if not 1 <= kept <= total:
            raise TinyBertError(f"Expected {name} from 1 to {total}. Received: {name}={kept}")
        columns.append(counts_by_step(total, kept, steps))
    return [list(counts) for counts in zip(*columns, strict=True)]


def _at_least_one(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise TinyBertError(f"Expected {name} of at least 1. Received: {name}={value}")


def _claim(folder: Path, settings: dict) -> None:
    """Writes the plan of a new run, or checks that an old one is the same.

    Raises:
        TinyBertError: If it is another one; names what differs.
    """
    settings = json.loads(json.dumps(settings, default=str))
    path = folder / PLAN
    if not path.exists():
        with atomic_file(path) as stream:
            json.dump(settings, stream, indent=2)
        return
    try:
        stored = json.loads(path.read_text("utf-8"))
        differing = sorted(
            name
            for name in stored.keys() | settings.keys()
            if stored.get(name) != settings.get(name)
        )
    except (AttributeError, ValueError) as error:
        raise TinyBertError(
            f"Expected a complete {PLAN}; delete the folder to start anew. Received: {str(path)!r}"
        ) from error
    if differing:
        raise TinyBertError(
            "Expected the folder of the same run; choose another run_dir, or delete it to start "
            f"anew. Received: {str(folder)!r}, which differs in {', '.join(differing)}"
        )


def _finished_steps(folder: Path, steps: int) -> int:
    """The number of the last step whose preset is there, 0 for none."""
    return max(
        (step for step in range(1, steps + 1) if (folder / f"step_{step}").is_dir()), default=0
    )
