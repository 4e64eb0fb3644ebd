"""Pre-training with masked tokens and next sentences, and its measure."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertMaskedLM
from tinybert_tf.pretraining.batches import CorpusBatches
from tinybert_tf.pretraining.corpus import Corpus
from tinybert_tf.pretraining.masking import Masking
from tinybert_tf.pretraining.throughput import Throughput
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.resumable import fit_resumable, seed_dropout


def pretrain(
    model: TinyBertMaskedLM,
    corpus: Corpus,
    epochs: int = 1,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    warmup: float = 0.1,
    share: float = 0.15,
    whole_words: bool = False,
    freeze_encoder: bool = False,
    steps: int | None = None,
    seed: int = 0,
    run_dir: str | os.PathLike | None = None,
    callbacks: list | None = None,
    verbose: int | str = "auto",
) -> dict[str, list[float]]:
    """Pre-trains, or goes on pre-training, a BERT (Devlin et al. 2019, section 3.1).

    Args:
        model: `TinyBertMaskedLM`. Trained in place, its backbone too.
        corpus: `Corpus`; of pairs, if the model has a next-sentence head.
        epochs: int. Defaults to `1`.
        batch_size: int. Defaults to `32`.
        learning_rate: float. The peak. Defaults to `1e-4`.
        warmup: float. Share of the steps that warm up. Defaults to `0.1`.
        share: float. Share of the tokens to predict. Defaults to `0.15`.
        whole_words: bool. See `Masking`. Defaults to `False`.
        freeze_encoder: bool. Whether only the heads learn: gives an encoder that was published
            without them a head that suits it as it is. Defaults to `False`.
        steps: int. Ends each epoch after so many steps. Defaults to `None`: all.
        seed: int. Order, masks and dropout. Defaults to `0`.
        run_dir: folder of the checkpoint; an interrupted run resumes. Defaults to `None`.
        callbacks: list of Keras callbacks. Defaults to `None`.
        verbose: as in Keras. Defaults to `"auto"`.

    Returns:
        Metric name to one value an epoch.

    Raises:
        TinyBertError: If corpus and model do not fit.
    """
    corpus.check_vocabulary(model.wordpiece)
    if model.next_sentence and not corpus.info.pairs:
        raise TinyBertError(
            "Expected a corpus of pairs for the next-sentence head, or a model with "
            "next_sentence=False. Received: a corpus of single segments"
        )
    batches = CorpusBatches(
        corpus,
        batch_size,
        masking=Masking(model.wordpiece, share, whole_words),
        next_sentence=model.next_sentence,
        seed=seed,
        steps=steps,
    )
    trainable = model.backbone.trainable
    model.backbone.trainable = trainable and not freeze_encoder
    try:
        model.compile(optimizer=bert_optimizer(learning_rate, epochs * len(batches), warmup))
        seed_dropout(model, seed)
        return fit_resumable(
            model,
            batches,
            epochs,
            checkpoint=None if run_dir is None else Path(run_dir, "pretrain.npz"),
            callbacks=[*(callbacks or []), Throughput(batches)],
            settings={
                "learning_rate": learning_rate,
                "warmup": warmup,
                "whole_words": whole_words,
                "freeze_encoder": freeze_encoder,
            },
            verbose=verbose,
        )
    finally:
        model.backbone.trainable = trainable


@dataclass(frozen=True)
class MaskedLMScore:
    """How well a model fills masks.

    Attributes:
        perplexity: float. exp of the mean negative log-likelihood of the masked tokens.
        accuracy: float. Share of them that the model ranks first.
        predictions: int. How many there were.
    """

    perplexity: float
    accuracy: float
    predictions: int


def evaluate_masked_lm(
    model: TinyBertMaskedLM,
    texts: Sequence[str],
    share: float = 0.15,
    batch_size: int = 32,
    seed: int = 0,
) -> MaskedLMScore:
    """Masks texts once, by seed, and scores the model's guesses.

    Masked-LM perplexities compare models of one vocabulary on one masking; they are no
    perplexities of a left-to-right model.

    Args:
        model: `TinyBertMaskedLM`.
        texts: list of strings.
        share: float. Share of the tokens to predict, masked as in training. Defaults to `0.15`.
        batch_size: int. Defaults to `32`.
        seed: int. Defaults to `0`.
    """
    length = model.preprocessor.sequence_length
    encoded = model.wordpiece.encode(texts, max_length=length)
    batches = LengthBucketedBatches(
        encoded.token_ids,
        segment_ids=encoded.segment_ids,
        batch_size=batch_size,
        shuffle=False,
        max_length=length,
    )
    masking = Masking(model.wordpiece, share)
    generator = np.random.default_rng(seed)
    losses = hits = count = 0.0
    for step in range(len(batches)):
        features, labels, weights = masking.apply(batches.batch(0, step)[0], generator)
        logits = model.predict_on_batch(features)["masked_lm"]
        logits = logits - logits.max(axis=-1, keepdims=True)
        own = np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
        losses += float(((np.log(np.exp(logits).sum(axis=-1)) - own) * weights).sum())
        hits += float(((logits.argmax(axis=-1) == labels) * weights).sum())
        count += float(weights.sum())
    if not count:
        raise TinyBertError("Expected texts with words to mask. Received: none in them")
    return MaskedLMScore(math.exp(losses / count), hits / count, int(count))
