"""The two task stages as one call: intermediate layers first, then predictions."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import keras

from tinybert_tf.distillation.alignment import BATCHES, align_projections
from tinybert_tf.distillation.balance import balance_terms
from tinybert_tf.distillation.checks import check_on_dev
from tinybert_tf.distillation.distiller import Distiller
from tinybert_tf.distillation.kept_states import MEMORY, with_states
from tinybert_tf.distillation.losses import intermediate_losses, prediction_losses
from tinybert_tf.distillation.teachers import (
    as_teachers,
    attach_logits,
    check_weights,
    detach_logits,
)
from tinybert_tf.distillation.terms import LossTerm
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.runs import weights_digest
from tinybert_tf.training.dev_score import dev_score
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.resumable import fit_resumable, seed_dropout

STAGES = ("intermediate", "prediction")
DEFAULT_EPOCHS = {"intermediate": 4, "prediction": 3}
DEFAULT_LEARNING_RATE = {"intermediate": 5e-5, "prediction": 3e-5}


def distill(
    teacher,
    student: TinyBertTask,
    texts,
    labels=None,
    validation_data: tuple | None = None,
    stages: Sequence[str] | str = STAGES,
    epochs: dict[str, int] | int | None = None,
    learning_rate: dict[str, float] | float | None = None,
    batch_size: int = 32,
    warmup: float = 0.1,
    layer_map: str | Sequence[int] = "uniform",
    reduction: str = "masked",
    projection: str = "auto",
    temperature: float | tuple[float, float] = 1.0,
    hard_label_weight: float = 0.0,
    losses: dict[str, list[LossTerm]] | None = None,
    balance: bool = False,
    teacher_weights: Sequence[float] | None = None,
    keep_logits: bool = True,
    keep_states: bool | None = None,
    unlabelled=None,
    sample_weight=None,
    seed: int = 0,
    align: bool = True,
    keep_best: bool = False,
    run_dir: str | os.PathLike | None = None,
    callbacks: list | None = None,
    verbose: int | str = "auto",
) -> dict[str, dict[str, list[float]]]:
    """Distils a fine-tuned teacher into a student (Jiao et al. 2020, section 3.2, task stages).

    Stage "intermediate" fits embeddings, hidden states and raw attention scores; stage
    "prediction" fits the teacher's logits. Gold labels are not needed: without them the texts
    may be unlabelled.

    Args:
        teacher: a model of ours, a keras-hub BERT classifier or a Hugging Face name; or a list
            of them, see `Distiller`.
        student: `TinyBertTextClassifier`, or another task model of ours, of the teacher's task.
            Trained in place; see `student_of`.
        texts: list of strings, or a tuple of two lists for sentence pairs; of another task what
            its `batches` takes.
        labels: label names or numbers (its tags, its answers), for the accuracy shown and for
            `hard_label_weight`. A sequence-to-sequence model needs them, the targets: word-level
            distillation (Kim and Rush 2016) compares logits along them. Defaults to `None`.
        validation_data: a pair (texts, labels). The teacher must beat chance on it, and it is
            evaluated after each epoch. Defaults to `None`.
        stages: which stages, in order. Defaults to both.
        epochs: int, or dict of stage to int. Defaults to `None`: 4 and 3.
        learning_rate: float, or dict of stage to float. Defaults to `None`: 5e-5 and 3e-5.
        batch_size: int. Defaults to `32`.
        warmup: float. Share of a stage's steps that warm up. Defaults to `0.1`.
        layer_map: see `resolve_layer_map`. Defaults to `"uniform"`.
        reduction: string. `"masked"`, or `"paper"` for the released code's. Defaults to `"masked"`.
        projection: string. See `HiddenLoss`. Defaults to `"auto"`.
        temperature: float, or a pair: the first and the last value of a linear schedule over the
            prediction stage. Defaults to `1.0`.
        hard_label_weight: float. Weight of the gold labels in the prediction stage. Defaults to
            `0.0`, as in the paper.
        losses: dict of stage to list of `LossTerm`, in place of the stage's own, such as
            `{"intermediate": relation_losses()}`. Defaults to `None`.
        balance: bool. Whether the terms of the intermediate stage start with equal values; see
            `balance_terms`. Defaults to `False`, as in the paper.
        teacher_weights: list of floats. Weights of several teachers. Defaults to `None`: equal.
        keep_logits: bool. Whether the prediction stage computes the teacher's logits once instead
            of in each epoch; not a decoder's. Defaults to `True`.
        keep_states: bool. Whether the intermediate stage computes the teacher's hidden states and
            attention scores once, and keeps them in memory, instead of in each epoch; not with
            `reduction="paper"` or relations. Defaults to `None`: where there are several epochs and
            3 GiB hold them.
        unlabelled: texts like `texts`, added to them. Without labels no training accuracy is
            shown, and `hard_label_weight` must be 0. Defaults to `None`.
        sample_weight: float array `(n,)`, needs labels. Defaults to `None`.
        seed: int. Order of the batches and dropout. Defaults to `0`.
        align: bool. Whether projections start from least squares on a few batches, where widths
            differ; see `align_projections`. The paper's start at random. Defaults to `True`.
        keep_best: bool. Whether the last stage ends with its best epoch by the validation data,
            its start included, instead of its last; see `fit_resumable`. Defaults to `False`.
        run_dir: folder for checkpoints; a run that was interrupted resumes from it. Defaults to
            `None`: not resumable.
        callbacks: list of Keras callbacks. Defaults to `None`.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Stage to metric name to one value an epoch; with `keep_best` also `"best_epoch"`.

    Raises:
        TinyBertError: If a stage is unknown, student and teacher do not fit, or the teacher is
            no better than chance.
    """
    stages = (stages,) if isinstance(stages, str) else tuple(stages)
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown or not stages:
        raise TinyBertError(f"Expected stages out of {STAGES}. Received: stages={stages}")
    teachers = as_teachers(teacher)
    weights = check_weights(teacher_weights, len(teachers))
    if unlabelled is not None:
        texts, labels = _joined(texts, unlabelled, hard_label_weight, sample_weight), None
    if keep_best and validation_data is None:
        raise TinyBertError(
            "Expected validation data to choose the best epoch by. "
            "Received: keep_best=True, validation_data=None"
        )
    dev = None
    if validation_data is not None:
        dev = student.distillation_batches(*validation_data, batch_size=batch_size, shuffle=False)
        for one in teachers:
            check_on_dev(one, student, validation_data[0], dev)
    batches = student.distillation_batches(
        texts, labels, sample_weight=sample_weight, batch_size=batch_size, seed=seed
    )
    counts = {stage: _of_stage(epochs, stage, DEFAULT_EPOCHS) for stage in stages}
    # All stages' terms before the first stage: a bad argument must not be found after hours.
    all_terms = {}
    for stage in stages:
        terms = (losses or {}).get(stage)
        if terms is None and stage == "intermediate":
            terms = intermediate_losses(layer_map, reduction, projection)
        elif terms is None:
            schedule = _temperature(temperature, counts[stage] * len(batches))
            terms = prediction_losses(schedule, hard_label_weight, reduction)
        all_terms[stage] = terms
    described = {stage: [term.describe() for term in terms] for stage, terms in all_terms.items()}
    histories = {}
    for stage in stages:
        count = counts[stage]
        rate = _of_stage(learning_rate, stage, DEFAULT_LEARNING_RATE)
        distiller = Distiller(student, teachers, all_terms[stage], teacher_weights=weights)
        detach_logits(batches)
        if keep_logits and count > 1 and not distiller.reads_states:
            attach_logits(distiller, batches)
        distiller.compile(optimizer=bert_optimizer(rate, count * len(batches), warmup))
        seed_dropout(student, seed)
        start_terms(distiller, batches, align, balance and stage == "intermediate")
        data, validation = batches, dev
        if keep_states or (keep_states is None and count > 1):
            memory = MEMORY if keep_states is None else math.inf
            data, validation = with_states([batches, dev], distiller, memory, verbose)
        histories[stage] = fit_resumable(
            distiller,
            data,
            count,
            checkpoint=None if run_dir is None else Path(run_dir, f"{stage}.npz"),
            validation_data=None if validation is None else validation.dataset(),
            callbacks=callbacks,
            settings={
                "stage": stage,
                "learning_rate": rate,
                "warmup": warmup,
                "teachers": [weights_digest(one) for one in teachers],
                "teacher_weights": weights,
                "terms": described[stage],
                "align": align,
                "balance": balance and stage == "intermediate",
                "dev": dev.checksum() if keep_best else None,
            },
            keep_best=keep_best and stage == stages[-1],
            dev_score=dev_score(student, validation_data) if keep_best else None,
            verbose=verbose,
        )
    return histories


def _temperature(value, steps: int):
    """A number as it is, a pair as a linear schedule."""
    if not isinstance(value, (tuple, list)):
        return value
    if len(value) != 2 or min(value) <= 0:
        raise TinyBertError(
            "Expected a temperature above 0, or a pair of them: first and last. "
            f"Received: temperature={value}"
        )
    return keras.optimizers.schedules.PolynomialDecay(float(value[0]), steps, float(value[1]))


def _joined(texts, unlabelled, hard_label_weight: float, sample_weight):
    """Training texts and unlabelled ones after each other."""
    if hard_label_weight or sample_weight is not None:
        raise TinyBertError(
            "Expected no unlabelled texts where labels or sample weights are used. Received: "
            f"unlabelled=..., hard_label_weight={hard_label_weight}, "
            f"sample_weight={'given' if sample_weight is not None else None}"
        )
    if isinstance(texts, tuple) != isinstance(unlabelled, tuple):
        raise TinyBertError(
            "Expected unlabelled texts of the same kind as the others, single or pairs. "
            f"Received: texts={type(texts).__name__}, unlabelled={type(unlabelled).__name__}"
        )
    if isinstance(texts, tuple):
        return tuple([*a, *b] for a, b in zip(texts, unlabelled, strict=True))
    return [*texts, *unlabelled]


def start_terms(distiller: Distiller, batches, align: bool, balance: bool) -> None:
    """Fits projections and weighs terms on the first batches, as asked for."""
    sample = first_batches(batches)
    if align:
        align_projections(distiller, [data[0] for data in sample])
    if balance:
        balance_terms(distiller, sample)


def first_batches(batches, count: int = BATCHES) -> list[tuple]:
    """Some batches, spread over an epoch."""
    steps = range(0, len(batches), max(len(batches) // count, 1))[:count]
    return [batches.batch(0, step) for step in steps]


def _of_stage(value, stage: str, default: dict):
    if isinstance(value, dict):
        return value.get(stage, default[stage])
    return default[stage] if value is None else value
