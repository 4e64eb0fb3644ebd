"""Quantization-aware training as one call: from a student to the classifier that a target wants."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinybert_tf.compress.coverage import VocabularyCoverage
from tinybert_tf.compress.vocabulary import apply_pruning, prune_vocabulary
from tinybert_tf.distillation import distill
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.tasks import MAIN_SCORES, evaluate_model
from tinybert_tf.export.converter import to_tflite
from tinybert_tf.export.qat import quantize_aware
from tinybert_tf.export.runner import open_file
from tinybert_tf.export.targets import find_target, scheme_of
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.quantization.schemes import find_scheme

EPOCHS = 1
LEARNING_RATE = 5e-5


@dataclass(frozen=True)
class Quantized:
    """What `quantize` returns.

    Attributes:
        classifier: TinyBertTask. Quantization-aware and trained, for `to_tflite`.
        history: dict. Stage to metric name to one value an epoch; see `tb.distill`.
        coverage: VocabularyCoverage of target `"small"`, else `None`.
    """

    classifier: TinyBertTask
    history: dict[str, dict[str, list[float]]]
    coverage: VocabularyCoverage | None = None


def quantize(
    student: TinyBertTask,
    texts,
    labels=None,
    validation_data: tuple | None = None,
    target: str = "universal",
    scheme: str | None = None,
    teacher: TinyBertTask | None = None,
    stages: Sequence[str] | str = "prediction",
    epochs: int | dict = EPOCHS,
    learning_rate: float | dict = LEARNING_RATE,
    batch_size: int = 32,
    max_vocabulary: int | None = None,
    seed: int = 0,
    keep_best: bool = True,
    run_dir: str | os.PathLike | None = None,
    callbacks: list | None = None,
    verbose: int | str = "auto",
) -> Quantized:
    """Trains a student in the numbers of an export target, while it goes on being distilled.

    Args:
        student: TinyBertTask in float. Left as it is.
        texts: list of strings, or a tuple of two such lists. Training texts. They also calibrate
            `"npu_int8"` and choose the vocabulary of `"small"`.
        labels: label names or numbers, for the accuracy shown. Defaults to `None`.
        validation_data: a pair (texts, labels). Defaults to `None`.
        target: string. See `to_tflite`. Defaults to `"universal"`.
        scheme: string. A scheme in place of the target's. Defaults to `None`.
        teacher: TinyBertTask that is imitated: give the student's teacher. Defaults to
            `None`: the student itself in float, which teaches little.
        stages: as in `tb.distill`. Defaults to `"prediction"`.
        epochs: int or dict. Defaults to `1`.
        learning_rate: float or dict. Defaults to `5e-5`.
        batch_size: int. Defaults to `32`.
        max_vocabulary: int. Tokens that `"small"` keeps, the most frequent. Defaults to `None`:
            all that the texts need.
        seed: int. Order of the batches. Defaults to `0`.
        keep_best: bool. Whether, given validation data, the best epoch by it is returned, the
            start included: training can then not lose against post-training quantization there.
            For `"npu_int8"` the files of start and best epoch are run and compared too. Defaults
            to `True`.
        run_dir: folder for checkpoints; see `tb.distill`. Defaults to `None`.
        callbacks: list of Keras callbacks. Defaults to `None`.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Quantized.

    Raises:
        TinyBertError: As `quantize_aware` and `tb.distill`; or if the target keeps float32.

    Example:
        >>> small = quantize(student, train_texts, target="small", teacher=teacher)
        >>> to_tflite(small.classifier, "model.tflite", target="small")
    """
    scheme = scheme_of(find_target(target), scheme, None)
    if scheme is None:
        raise TinyBertError(
            "Expected a target with a quantization scheme. "
            f"Received: target={target!r}, which keeps float32"
        )
    teacher = student if teacher is None else teacher
    coverage = None
    if target == "small":
        dev_texts = None if validation_data is None else validation_data[0]
        pruned = prune_vocabulary(
            student,
            texts,
            max_size=max_vocabulary,
            fill=max_vocabulary is not None,
            dev_texts=dev_texts,
        )
        student, coverage = pruned.classifier, pruned.coverage
        teacher = apply_pruning(teacher, pruned.kept_ids)
    copy = quantize_aware(
        student, scheme, calibration_texts=texts, calibration_labels=labels, seed=seed
    )
    start = copy.get_weights()
    keep_best = keep_best and validation_data is not None
    history = distill(
        teacher,
        copy,
        texts,
        labels,
        validation_data=validation_data,
        stages=stages,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        keep_best=keep_best,
        run_dir=run_dir,
        callbacks=callbacks,
        verbose=verbose,
    )
    # Integer kernels round a little otherwise than their simulation: the file has the last word.
    exact = not find_scheme(scheme).integer_activations
    if keep_best and not exact and keep_better_file(copy, start, validation_data, target):
        history[next(reversed(history))]["best_epoch"] = 0
    return Quantized(copy, history, coverage)


def keep_better_file(model: TinyBertTask, start: list, validation_data: tuple, target: str) -> bool:
    """Goes back to the starting weights if their file scores higher on the validation data.

    Args:
        model: TinyBertTask, quantization-aware and trained. Changed in place.
        start: list of arrays. Its weights before training, as `get_weights` returned them.
        validation_data: a pair (examples, labels).
        target: string. The export profile.

    Returns:
        Whether it went back.
    """
    trained = model.get_weights()
    after = _file_score(model, validation_data, target)
    model.set_weights(start)
    if _file_score(model, validation_data, target) > after:
        return True
    model.set_weights(trained)
    return False


def _file_score(model: TinyBertTask, validation_data: tuple, target: str) -> float:
    """The task's main score of the model's file, run by its real runtime."""
    with tempfile.TemporaryDirectory(prefix="tinybert_tf-") as folder:
        path = to_tflite(model, Path(folder, "model.tflite"), target=target).path
        report = evaluate_model(open_file(path), *validation_data)
    return getattr(report, MAIN_SCORES[model.kind][0])
