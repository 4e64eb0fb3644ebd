"""DynaBERT's recipe: first adaptive width, then adaptive width and depth."""

import os
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.adaptive.distiller import AdaptiveDistiller
from tinybert_tf.adaptive.guides import teacher_guide, width_guide
from tinybert_tf.adaptive.student import AdaptiveStudent
from tinybert_tf.distillation.checks import check_teacher
from tinybert_tf.distillation.distiller import check_pair
from tinybert_tf.distillation.views import as_teacher
from tinybert_tf.errors import TinyBertError
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.resumable import fit_resumable, seed_dropout

PHASES = ("width", "depth")
DEFAULT_EPOCHS = {"width": 3, "depth": 3}
# DynaBERT's lambda_2 beside a soft cross-entropy of weight 1.
HIDDEN_WEIGHT = {"width": 0.1, "depth": 1.0}


def distill_adaptive(
    teacher,
    student: AdaptiveStudent,
    texts,
    labels=None,
    validation_data: tuple | None = None,
    epochs: dict[str, int] | int | None = None,
    learning_rate: dict[str, float] | float = 2e-5,
    batch_size: int = 32,
    warmup: float = 0.1,
    layer_map: str | Sequence[int] = "uniform",
    hidden_weight: dict[str, float] | float | None = None,
    temperature: float = 1.0,
    sandwich: bool = True,
    seed: int = 0,
    keep_best: bool = False,
    run_dir: str | os.PathLike | None = None,
    callbacks: list | None = None,
    verbose: int | str = "auto",
) -> dict[str, dict[str, list[float]]]:
    """Trains all sub-networks of an adaptive student (Hou et al. 2020, algorithm 1).

    Phase "width" trains all widths at full depth to imitate the teacher: its logits and, through
    the layer map, its hidden states. Phase "depth" trains all widths and depths; each imitates
    the full-depth sub-network of its own width as the width phase left it, which is the paper's
    choice. Gold labels are not needed.

    Args:
        teacher: a classifier of ours, a keras-hub BERT classifier or a Hugging Face name.
        student: `AdaptiveStudent`. Trained in place.
        texts: list of strings, or a tuple of two lists for sentence pairs.
        labels: label names or numbers, for the accuracy shown only. Defaults to `None`.
        validation_data: a pair (texts, labels). The teacher must beat chance on it, and all
            sub-networks of the phase are evaluated on it after each epoch: `val_accuracy` is
            their mean. Defaults to `None`.
        epochs: int, or dict of phase to int; 0 leaves a phase out. Defaults to `None`: 3 and 3.
        learning_rate: float, or dict of phase to float. Defaults to `2e-5`.
        batch_size: int. Defaults to `32`.
        warmup: float. Share of a phase's steps that warm up. Defaults to `0.1`.
        layer_map: see `resolve_layer_map`. Defaults to `"uniform"`.
        hidden_weight: float, or dict of phase to float. Defaults to `None`: 0.1 and 1.
        temperature: float. Defaults to `1.0`.
        sandwich: bool. Whether a step of the depth phase trains the largest, the smallest and
            one random sub-network. `False` trains all twelve, as in the paper, which takes a
            multiple of the time. Defaults to `True`.
        seed: int. Order of the batches, dropout and random sub-networks. Defaults to `0`.
        keep_best: bool. Whether the last phase ends with its best epoch by `val_accuracy`, its
            start included; see `fit_resumable`. Defaults to `False`.
        run_dir: folder for checkpoints; a run that was interrupted resumes from it. Defaults to
            `None`: not resumable.
        callbacks: list of Keras callbacks. Defaults to `None`.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Phase to metric name to one value an epoch. Losses are means over sub-networks.

    Raises:
        TinyBertError: If a phase is unknown, student and teacher do not fit, or the teacher is
            no better than chance.
    """
    counts = _of_phases("epochs", DEFAULT_EPOCHS if epochs is None else epochs, DEFAULT_EPOCHS)
    rates = _of_phases("learning_rate", learning_rate, dict.fromkeys(PHASES, 2e-5))
    weights = _of_phases(
        "hidden_weight", HIDDEN_WEIGHT if hidden_weight is None else hidden_weight, HIDDEN_WEIGHT
    )
    phases = [phase for phase in PHASES if counts[phase]]
    teacher, classifier = as_teacher(teacher), student.classifier
    check_pair(classifier, teacher)
    validation = None
    if validation_data is not None:
        dev = classifier.batches(*validation_data, batch_size=batch_size, shuffle=False)
        validation = dev.dataset()
        check_teacher(
            teacher.predict_proba(validation_data[0]),
            dev.labels,
            classifier.labels,
            classifier.multi_label,
        )
    batches = classifier.batches(texts, labels, batch_size=batch_size, seed=seed)
    histories = {}
    for phase in phases:
        distiller = _distiller(
            phase, student, teacher, layer_map, weights[phase], temperature, sandwich, seed
        )
        steps = counts[phase] * len(batches)
        distiller.compile(optimizer=bert_optimizer(rates[phase], steps, warmup))
        seed_dropout(classifier, seed)
        histories[phase] = fit_resumable(
            distiller,
            batches,
            counts[phase],
            checkpoint=None if run_dir is None else Path(run_dir, f"{phase}.npz"),
            validation_data=validation,
            callbacks=callbacks,
            settings={
                "phase": phase,
                "widths": student.widths,
                "depths": student.depths,
                "learning_rate": rates[phase],
                "warmup": warmup,
                "layer_map": layer_map if isinstance(layer_map, str) else list(layer_map),
                "hidden_weight": weights[phase],
                "temperature": temperature,
                "sandwich": sandwich,
            },
            keep_best=keep_best and phase == phases[-1],
            verbose=verbose,
        )
    return histories


def _distiller(
    phase, student, teacher, layer_map, hidden_weight, temperature, sandwich, seed
) -> AdaptiveDistiller:
    common = {"hidden_weight": hidden_weight, "temperature": temperature, "seed": seed}
    if phase == "depth":
        return AdaptiveDistiller(
            student, width_guide(student), student.subnetworks, sandwich=sandwich, **common
        )
    return AdaptiveDistiller(
        student,
        teacher_guide(student, teacher, layer_map),
        [found for found in student.subnetworks if found.depth == 1],
        guide_dim=teacher.backbone.hidden_dim,
        **common,
    )


def _of_phases(name: str, value, default: dict) -> dict:
    """One value for each phase."""
    if not isinstance(value, dict):
        return dict.fromkeys(PHASES, value)
    unknown = sorted(set(value) - set(PHASES))
    if unknown:
        raise TinyBertError(f"Expected phases out of {PHASES}. Received: {name} for {unknown}")
    return {**default, **value}
