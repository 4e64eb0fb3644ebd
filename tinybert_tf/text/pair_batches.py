"""Teacher-forced batches of sources and targets."""

import math
from collections.abc import Sequence

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.batches import LengthBucketedBatches

# The label of padding: losses and metrics leave it out.
IGNORED = -1


class PairBatches(LengthBucketedBatches):
    """Source rows beside target rows, in batches of pairs of similar length.

    The order is that of `LengthBucketedBatches`, by the tokens of both sides. The decoder reads a
    target without its last token and is to predict it without its first (teacher forcing).

    Args:
        sources: list of integer arrays of shape `(source length,)`.
        targets: list of integer arrays of shape `(target length,)`, at least two tokens each:
            `[CLS]` first, `[SEP]` last.
        target_pad_id: int. The id of `[PAD]` among target tokens. Defaults to `0`.
        max_source_length: int. No batch of sources is padded beyond it. Defaults to `None`.
        max_target_length: int. Nor of targets, `[CLS]` not counted. Defaults to `None`.
        **kwargs: `batch_size`, `shuffle`, `seed`, `pad_id` and more of `LengthBucketedBatches`,
            and `sample_weight`, one number a pair.

    Raises:
        TinyBertError: If the numbers of rows differ or a target has fewer than two tokens.
    """

    def __init__(
        self,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        target_pad_id: int = 0,
        max_source_length: int | None = None,
        max_target_length: int | None = None,
        sample_weight: Sequence[float] | None = None,
        **kwargs,
    ):
        if len(sources) != len(targets):
            raise TinyBertError(
                "Expected as many targets as sources. "
                f"Received: {len(sources)} sources, {len(targets)} targets"
            )
        short = [row for row, target in enumerate(targets) if len(target) < 2]
        if short:
            raise TinyBertError(
                "Expected targets of at least two tokens, [CLS] and [SEP]. "
                f"Received: row {short[0]} has {len(targets[short[0]])}"
            )
        self.sources, self.targets = list(sources), list(targets)
        self.max_source_length, self.max_target_length = max_source_length, max_target_length
        joined = [np.concatenate(pair) for pair in zip(sources, targets, strict=True)]
        # The labels are the targets; here they only allow weights.
        labels = None if sample_weight is None else np.zeros(len(joined), "int32")
        super().__init__(joined, labels=labels, sample_weight=sample_weight, **kwargs)
        self.target_pad_id = int(target_pad_id)

    def batch(self, epoch: int, step: int) -> tuple:
        """Returns one batch as numpy arrays.

        Args:
            epoch: int. From 0.
            step: int. From 0 to `len(self) - 1`.

        Returns:
            `(x, y)` or `(x, y, sample_weight)`. `x` is a dict of int32 arrays: `token_ids`,
            `segment_ids` and `padding_mask`, `(batch, source length)`, and `decoder_token_ids` and
            `decoder_padding_mask`, `(batch, target length)`. `y` holds the next target tokens,
            int32 `(batch, target length)`, -1 for padding; `sample_weight` is `(batch, 1)`.
        """
        self._check_step(epoch, step)
        rows = self.rows(epoch, step)
        sources = [self.sources[row] for row in rows]
        targets = [self.targets[row] for row in rows]
        token_ids, padding_mask = self._pad(sources, self.pad_id, self.max_source_length)
        read, predicted = ([row[:-1] for row in targets], [row[1:] for row in targets])
        longest = self.max_target_length
        decoder_ids, decoder_mask = self._pad(read, self.target_pad_id, longest)
        labels, _ = self._pad(predicted, IGNORED, longest)
        features = {
            "token_ids": token_ids,
            "segment_ids": np.zeros_like(token_ids),
            "padding_mask": padding_mask,
            "decoder_token_ids": decoder_ids,
            "decoder_padding_mask": decoder_mask,
        }
        if self.sample_weight is None:
            return features, labels
        return features, labels, self.sample_weight[rows, None]

    def _check_step(self, epoch: int, step: int) -> None:
        if epoch < 0 or not 0 <= step < len(self):
            raise TinyBertError(
                f"Expected an epoch from 0 and a step from 0 to {len(self) - 1}. "
                f"Received: epoch={epoch}, step={step}"
            )

    def _pad(
        self, rows: list[np.ndarray], fill: int, longest: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of different lengths as one int32 array, and which of it is real."""
        lengths = np.array([len(row) for row in rows])
        length = math.ceil(lengths.max() / self.pad_to_multiple) * self.pad_to_multiple
        if longest is not None:
            length = max(min(length, longest), int(lengths.max()))
        padded = np.full((len(rows), length), fill, "int32")
        for target, row in zip(padded, rows, strict=True):
            target[: len(row)] = row
        return padded, (np.arange(length) < lengths[:, None]).astype("int32")

    def _signature(self) -> tuple:
        import tensorflow as tf

        ids = tf.TensorSpec((None, None), tf.int32)
        names = ("token_ids", "segment_ids", "padding_mask")
        names += ("decoder_token_ids", "decoder_padding_mask")
        signature = (dict.fromkeys(names, ids), ids)
        if self.sample_weight is not None:
            signature += (tf.TensorSpec((None, 1), tf.float32),)
        return signature
