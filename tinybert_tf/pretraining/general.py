"""General distillation: a student of the pre-trained teacher, from raw text alone."""

import os
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.distillation.alignment import align_projections
from tinybert_tf.distillation.distiller import Distiller
from tinybert_tf.distillation.losses import intermediate_losses
from tinybert_tf.distillation.recipe import first_batches, start_terms
from tinybert_tf.pretraining.batches import CorpusBatches
from tinybert_tf.pretraining.corpus import Corpus
from tinybert_tf.pretraining.throughput import Throughput
from tinybert_tf.runs import weights_digest
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.resumable import fit_resumable, seed_dropout


def general_distill(
    teacher,
    student,
    corpus: Corpus,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float = 5e-5,
    warmup: float = 0.1,
    layer_map: str | Sequence[int] = "uniform",
    reduction: str = "masked",
    projection: str = "auto",
    losses: list | None = None,
    align: bool = True,
    balance: bool = False,
    steps: int | None = None,
    seed: int = 0,
    run_dir: str | os.PathLike | None = None,
    callbacks: list | None = None,
    verbose: int | str = "auto",
) -> dict[str, list[float]]:
    """Fits embeddings, hidden states and attention scores on raw text (Jiao et al. 2020, 3.1).

    The teacher is not fine-tuned, no label is seen, and tokens are not masked, as in the
    released code. The result is the encoder that task students start from: `student_of(teacher,
    init=general_student)`.

    Args:
        teacher: `TinyBertBackbone` or a task model, pre-trained; see `as_teacher`.
        student: `TinyBertBackbone` or a task model. Trained in place.
        corpus: `Corpus`.
        epochs: int. Defaults to `3`.
        batch_size: int. The paper's is 256. Defaults to `32`.
        learning_rate: float. Defaults to `5e-5`.
        warmup: float. Share of the steps that warm up. Defaults to `0.1`.
        layer_map: see `resolve_layer_map`. Defaults to `"uniform"`.
        reduction: string. See `intermediate_losses`. Defaults to `"masked"`.
        projection: string. See `HiddenLoss`. Defaults to `"auto"`.
        losses: list of `LossTerm` in place of `intermediate_losses`. Defaults to `None`.
        align: bool. Whether projections start from least squares; see `align_projections`.
            Defaults to `True`.
        balance: bool. Whether the terms start with equal values; see `balance_terms`. Defaults to
            `False`.
        steps: int. Ends after so many steps, a part of an epoch. Defaults to `None`: all.
        seed: int. Order of the batches and dropout. Defaults to `0`.
        run_dir: folder of the checkpoint; an interrupted run resumes to the same result.
            Defaults to `None`: not resumable.
        callbacks: list of Keras callbacks. Defaults to `None`.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Metric name to one value an epoch.

    Raises:
        TinyBertError: If corpus and models have different vocabularies.
    """
    for model in (teacher, student):
        preprocessor = getattr(model, "preprocessor", None)
        if preprocessor is not None:
            corpus.check_vocabulary(preprocessor.tokenizer.wordpiece)
    # A task model's head is not in these losses: the encoder alone is distilled.
    own, other = (getattr(model, "backbone", model) for model in (student, teacher))
    batches = CorpusBatches(corpus, batch_size, seed=seed, steps=steps)
    losses = intermediate_losses(layer_map, reduction, projection) if losses is None else losses
    described = [term.describe() for term in losses]
    distiller = Distiller(own, other, losses)
    distiller.compile(optimizer=bert_optimizer(learning_rate, epochs * len(batches), warmup))
    seed_dropout(own, seed)
    start_terms(distiller, batches, align, balance)
    return fit_resumable(
        distiller,
        batches,
        epochs,
        checkpoint=None if run_dir is None else Path(run_dir, "general.npz"),
        callbacks=[*(callbacks or []), Throughput(batches)],
        settings={
            "learning_rate": learning_rate,
            "warmup": warmup,
            "teacher": weights_digest(other),
            "align": align,
            "balance": balance,
            "terms": described,
        },
        verbose=verbose,
    )


def general_losses(teacher, student, corpus: Corpus, batch_size: int = 32) -> dict[str, float]:
    """The intermediate losses on a corpus, with projections fitted to its first batches.

    Args:
        teacher, student: as in `general_distill`.
        corpus: `Corpus` of texts that were not trained on.
        batch_size: int. Defaults to `32`.

    Returns:
        Name of each loss to its mean over the corpus, `"loss"` to their sum.
    """
    batches = CorpusBatches(corpus, batch_size)
    own, other = (getattr(model, "backbone", model) for model in (student, teacher))
    distiller = Distiller(own, other)
    align_projections(distiller, [x[0] for x in first_batches(batches)])
    distiller.compile()
    return distiller.evaluate(batches.dataset(), verbose=0, return_dict=True)
