"""Batches from a sharded corpus, in an order that depends on seed and epoch only."""

import math
from functools import lru_cache

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.pretraining.corpus import Corpus
from tinybert_tf.pretraining.masking import Masking
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.resumable_batches import ResumableBatches

# Odd multipliers that keep the seeds of epochs and shards apart.
_EPOCH, _SHARD = 1_000_003, 10_007


class CorpusBatches(ResumableBatches):
    """Length-bucketed batches of a corpus, shard after shard in a new order each epoch.

    Only two shards are in memory.

    Args:
        corpus: `Corpus`.
        batch_size: int. Defaults to `32`.
        masking: `Masking`, or `None` for unmasked inputs without targets. Defaults to `None`.
        next_sentence: bool. Whether targets hold the next-sentence labels. Defaults to `False`.
        seed: int. Defaults to `0`.
        steps: int. Batches of an epoch, where that is fewer than the corpus has. Defaults to
            `None`: all.

    Raises:
        TinyBertError: If `batch_size` or `steps` is less than 1.
    """

    def __init__(
        self,
        corpus: Corpus,
        batch_size: int = 32,
        masking: Masking | None = None,
        next_sentence: bool = False,
        seed: int = 0,
        steps: int | None = None,
    ):
        for name, value in (("batch_size", batch_size), ("steps", steps)):
            if value is not None and value < 1:
                raise TinyBertError(f"Expected {name} of at least 1. Received: {name}={value}")
        self.corpus = corpus
        self.batch_size = batch_size
        self.masking = masking
        self.next_sentence = next_sentence
        self.seed = int(seed)
        self.steps = steps
        self._counts = [math.ceil(count / batch_size) for _, count in corpus.shards]
        self._batches = lru_cache(maxsize=2)(self._shard_batches)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return min(sum(self._counts), self.steps or sum(self._counts))

    def checksum(self) -> str:
        """Stands for the data in a run's fingerprint."""
        info = self.corpus.info
        masking = None if self.masking is None else self.masking.share
        parts = (info.vocabulary_checksum, info.tokens, info.seed, len(self.corpus), masking)
        parts += (info.checksum,)
        return "-".join(map(str, parts))

    def batch(self, epoch: int, step: int) -> tuple:
        """Returns one batch as numpy arrays: `(x,)`, or `(x, y, sample_weight)` when masked."""
        shard, local = self._place(epoch, step)
        batches, is_next = self._batches(epoch, shard)
        features = batches.batch(0, local)[0]
        if self.masking is None:
            return (features,)
        generator = np.random.default_rng([self.seed, epoch, step])
        features, labels, weights = self.masking.apply(features, generator)
        targets, sample_weights = {"masked_lm": labels}, {"masked_lm": weights}
        if self.next_sentence:
            rows = batches.rows(0, local)
            targets["next_sentence"] = is_next[rows]
            sample_weights["next_sentence"] = np.ones(len(rows), "float32")
        return features, targets, sample_weights

    def _place(self, epoch: int, step: int) -> tuple[int, int]:
        """The shard of a step, and its batch there."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self._counts))
        ends = np.cumsum([self._counts[shard] for shard in order])
        position = int(np.searchsorted(ends, step, side="right"))
        start = ends[position - 1] if position else 0
        return int(order[position]), int(step - start)

    def _shard_batches(self, epoch: int, shard: int):
        found = self.corpus.shard(shard)
        batches = LengthBucketedBatches(
            found.token_ids,
            segment_ids=found.segment_ids,
            batch_size=self.batch_size,
            seed=self.seed + _EPOCH * epoch + _SHARD * shard,
            max_length=self.corpus.info.max_length,
        )
        return batches, found.is_next

    def _signature(self) -> tuple:
        import tensorflow as tf

        ids = tf.TensorSpec((None, None), tf.int32)
        features = {"token_ids": ids, "segment_ids": ids, "padding_mask": ids}
        if self.masking is None:
            return (features,)
        features["mask_positions"] = ids
        targets = {"masked_lm": ids}
        weights = {"masked_lm": tf.TensorSpec((None, None), tf.float32)}
        if self.next_sentence:
            targets["next_sentence"] = tf.TensorSpec((None,), tf.int32)
            weights["next_sentence"] = tf.TensorSpec((None,), tf.float32)
        return features, targets, weights
