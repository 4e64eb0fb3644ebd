"""Plain supervised fine-tuning: the teacher's training, and the baseline without distillation."""

import os
from pathlib import Path

import keras

from tinybert_tf.models.task import TinyBertTask, check_class_weight
from tinybert_tf.text.weights import class_weights
from tinybert_tf.training.dev_score import dev_score
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.resumable import fit_resumable, seed_dropout


def finetune(
    classifier: TinyBertTask,
    texts,
    labels,
    validation_data: tuple | None = None,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float = 5e-5,
    warmup: float = 0.1,
    class_weight: dict | str | None = None,
    loss: keras.losses.Loss | None = None,
    seed: int = 0,
    keep_best: bool = False,
    run_dir: str | os.PathLike | None = None,
    callbacks: list | None = None,
    verbose: int | str = "auto",
) -> dict[str, list[float]]:
    """Fine-tunes a model with BERT's recipe; an interrupted run resumes from `run_dir`.

    Args:
        classifier: `TinyBertTextClassifier`. Trained in place.
        texts: list of strings, or a tuple of two lists for sentence pairs.
        labels: label names or numbers; of a sequence-to-sequence model the targets.
        validation_data: a pair (texts, labels), evaluated after each epoch. Defaults to `None`.
        epochs: int. Defaults to `3`.
        batch_size: int. Defaults to `32`.
        learning_rate: float. The peak. Defaults to `5e-5`.
        warmup: float. Share of the steps that warm up. Defaults to `0.1`.
        class_weight: dict, or `"balanced"` for unbalanced labels. Defaults to `None`.
        loss: a Keras loss on logits, such as `FocalLoss`. Defaults to `None`: the task's own.
        seed: int. Order of the batches and dropout. Defaults to `0`.
        keep_best: bool. Whether to end with the best epoch by the validation data, the start
            included, instead of the last; see `fit_resumable`. Defaults to `False`.
        run_dir: folder for the checkpoint. Defaults to `None`: not resumable.
        callbacks: list of Keras callbacks. Defaults to `None`.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Metric name to one value an epoch; with `keep_best` also `"best_epoch"`.
    """
    check_class_weight(classifier, class_weight)
    batches = classifier.batches(texts, labels, batch_size=batch_size, seed=seed)
    validation = None
    if validation_data is not None:
        validation = classifier.batches(
            validation_data[0], validation_data[1], batch_size=batch_size, shuffle=False
        )
    if isinstance(class_weight, str):
        class_weight = class_weights(batches.labels, classifier.num_classes, scheme=class_weight)
    classifier.compile(
        optimizer=bert_optimizer(learning_rate, epochs * len(batches), warmup),
        loss="auto" if loss is None else loss,
    )
    seed_dropout(classifier, seed)
    return fit_resumable(
        classifier,
        batches,
        epochs,
        checkpoint=None if run_dir is None else Path(run_dir, "finetune.npz"),
        validation_data=None if validation is None else validation.dataset(),
        callbacks=callbacks,
        class_weight=class_weight,
        settings={
            "learning_rate": learning_rate,
            "warmup": warmup,
            "loss": None if loss is None else [type(loss).__name__, loss.get_config()],
            "dev": validation.checksum() if keep_best and validation is not None else None,
        },
        keep_best=keep_best,
        dev_score=dev_score(classifier, validation_data) if keep_best else None,
        verbose=verbose,
    )
