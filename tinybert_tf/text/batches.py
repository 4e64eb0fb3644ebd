"""Batches of examples of similar length, in an order that can be resumed anywhere."""

import functools
import math
import zlib
from collections.abc import Sequence

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.resumable_batches import ResumableBatches, at_least

# The input under which a task says which positions its losses count.
POSITION_MASK = "position_mask"
# What floats of a token are at padding: logits that no softmax sees.
FAR_BELOW = -1e9


class LengthBucketedBatches(ResumableBatches):
    """Cuts a data set into batches of similar length and pads each batch to its own longest row.

    The order of an epoch is a pure function of `(seed, epoch)`: a permutation of all rows is cut
    in chunks of `bucket_batches` batches, each chunk is sorted by length and cut into batches, and
    all batches are shuffled. Training that stopped at any `(epoch, step)` therefore continues with
    exactly the batches that it would have seen. Every epoch has the same number of steps and holds
    each row once.

    Args:
        token_ids: list of integer arrays of shape `(length,)`. The rows, not padded.
        segment_ids: list of integer arrays of the same shapes, or None for zeros. Defaults to
            `None`.
        labels: array or None. Class ids `(n,)`, multi-hot labels `(n, classes)` or any other
            targets with `n` rows; integers become int32 and floats float32. Defaults to `None`.
        sample_weight: array of shape `(n,)` or None. Defaults to `None`.
        batch_size: int. Rows in a batch; one batch of an epoch may be smaller. Defaults to `32`.
        shuffle: bool. `False` sorts all rows by length instead, the same every epoch, for
            prediction. Defaults to `True`.
        seed: int. Not negative. Defaults to `0`.
        pad_to_multiple: int. Batch lengths are rounded up to a multiple of it. Defaults to `8`.
        pad_id: int. The id of `[PAD]`. Defaults to `0`.
        bucket_batches: int. Batches that are sorted by length together: more waste less padding,
            fewer mix better. Defaults to `50`.
        max_length: int or None. No batch is padded beyond it. Defaults to `None`.
        extra: dict of float arrays of `n` rows. More inputs, such as a teacher's kept logits.
            Defaults to `None`.
        token_extra: dict of lists of arrays `(length, ...)`. More inputs: integers, such as which
            pieces begin a word, padded with 0, or floats, logits, padded with -1e9. Defaults to
            `None`.
        token_labels: bool. Whether `labels` is a list of integer arrays, one id a token, which is
            padded as the rows are, with -1. Defaults to `False`.

    Raises:
        TinyBertError: If there are no rows, numbers of rows differ, a row is empty or longer than
            `max_length`, or an integer argument is out of range.
    """

    def __init__(
        self,
        token_ids: Sequence[np.ndarray],
        segment_ids: Sequence[np.ndarray] | None = None,
        labels: np.ndarray | Sequence | None = None,
        sample_weight: np.ndarray | Sequence[float] | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        pad_to_multiple: int = 8,
        pad_id: int = 0,
        bucket_batches: int = 50,
        max_length: int | None = None,
        extra: dict[str, np.ndarray] | None = None,
        token_extra: dict[str, list[np.ndarray]] | None = None,
        token_labels: bool = False,
    ):
        at_least(1, batch_size=batch_size, pad_to_multiple=pad_to_multiple)
        at_least(1, bucket_batches=bucket_batches)
        at_least(0, seed=seed, pad_id=pad_id)
        self.token_ids = list(token_ids)
        self.segment_ids = None if segment_ids is None else list(segment_ids)
        self.token_labels = token_labels and labels is not None
        self.labels = labels if labels is None or self.token_labels else _as_targets(labels)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight, "float32")
        self.extra = {name: np.asarray(value, "float32") for name, value in (extra or {}).items()}
        self.token_extra = dict(token_extra or {})
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.seed = int(seed)
        self.pad_to_multiple = int(pad_to_multiple)
        self.pad_id = int(pad_id)
        self.bucket_batches = int(bucket_batches)
        self.max_length = max_length
        self.lengths = np.array([len(row) for row in self.token_ids], "int64")
        self._check_rows()
        self._order = functools.lru_cache(maxsize=4)(self._epoch_order)

    def _check_rows(self) -> None:
        rows = len(self.token_ids)
        if not rows:
            raise TinyBertError("At least one example is expected. Received: none.")
        for name in ("segment_ids", "labels", "sample_weight"):
            value = getattr(self, name)
            if value is not None and len(value) != rows:
                raise TinyBertError(
                    f"`{name}` is expected to have as many rows as `token_ids`, {rows}. "
                    f"Received: {len(value)} rows"
                )
        for name, value in self.extra.items():
            if len(value) != rows:
                raise TinyBertError(
                    f"`{name}` is expected to have as many rows as `token_ids`, {rows}. "
                    f"Received: {len(value)} rows"
                )
        if self.sample_weight is not None and self.labels is None:
            raise TinyBertError("`sample_weight` is expected to come with `labels`.")
        by_token = {"segment_ids": self.segment_ids, **self.token_extra}
        if self.token_labels:
            by_token["labels"] = self.labels
        for name, values in by_token.items():
            self._check_by_token(name, values)
        if not self.lengths.min():
            raise TinyBertError(
                "Rows with at least one token are expected. "
                f"Received: row {int(self.lengths.argmin())} is empty"
            )
        if self.max_length is not None and self.lengths.max() > self.max_length:
            raise TinyBertError(
                f"Rows of at most max_length={self.max_length} tokens are expected. "
                f"Received: row {int(self.lengths.argmax())} has {int(self.lengths.max())}"
            )

    def _check_by_token(self, name: str, values) -> None:
        for row, own in enumerate(values or []):
            if len(own) != self.lengths[row]:
                raise TinyBertError(
                    f"`{name}` are expected to be as long as `token_ids`. Received: row {row} has "
                    f"{self.lengths[row]} token ids, {len(own)} {name.replace('_', ' ')}"
                )

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.token_ids) / self.batch_size)

    def checksum(self) -> str:
        """CRC-32 of token ids, segments, labels and weights: tells one data set from another."""
        checksum = 0
        for row in self.token_ids:
            checksum = zlib.crc32(np.ascontiguousarray(row).tobytes(), checksum)
        labels = np.concatenate(self.labels) if self.token_labels else self.labels
        segments = None if self.segment_ids is None else np.concatenate(self.segment_ids)
        for values in (labels, segments, self.sample_weight):
            if values is not None:
                checksum = zlib.crc32(np.ascontiguousarray(values).tobytes(), checksum)
        return f"{checksum:08x}"

    # === Order ===

    def _epoch_order(self, epoch: int) -> list[np.ndarray]:
        """Returns the row numbers of each batch of an epoch."""
        rows = len(self.token_ids)
        if not self.shuffle:
            return self._cut(np.argsort(self.lengths, kind="stable"))
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        permutation = generator.permutation(rows)
        chunk_rows = self.bucket_batches * self.batch_size
        batches = []
        for start in range(0, rows, chunk_rows):
            chunk = permutation[start : start + chunk_rows]
            batches += self._cut(chunk[np.argsort(self.lengths[chunk], kind="stable")])
        return [batches[index] for index in generator.permutation(len(batches))]

    def _cut(self, rows: np.ndarray) -> list[np.ndarray]:
        return [
            rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)
        ]

    def indices(self, epoch: int = 0) -> np.ndarray:
        """Returns the row numbers in the order of an epoch, int64 of shape `(n,)`.

        `ordered[batches.indices(epoch)] = predictions` undoes the reordering.
        """
        return np.concatenate(self._order(epoch if self.shuffle else 0))

    def in_length_order(self) -> "LengthBucketedBatches":
        """The inputs of the same rows from the shortest to the longest, without labels."""
        return LengthBucketedBatches(
            self.token_ids,
            self.segment_ids,
            batch_size=self.batch_size,
            shuffle=False,
            pad_to_multiple=self.pad_to_multiple,
            pad_id=self.pad_id,
            max_length=self.max_length,
        )

    def rows(self, epoch: int, step: int) -> np.ndarray:
        """Returns the row numbers of one batch, int64 `(batch,)`."""
        return self._order(epoch if self.shuffle else 0)[step]

    # === Batches ===

    def batch(self, epoch: int, step: int) -> tuple:
        """Returns one batch as numpy arrays.

        Args:
            epoch: int. From 0.
            step: int. From 0 to `len(self) - 1`.

        Returns:
            `(x,)`, `(x, y)` or `(x, y, sample_weight)`; `x` is a dict of the int32 arrays
            `token_ids`, `segment_ids` and `padding_mask`, each `(batch, length)`.
        """
        at_least(0, epoch=epoch)
        if not 0 <= step < len(self):
            raise TinyBertError(
                f"`step` is expected to lie between 0 and {len(self) - 1}. Received: step={step}"
            )
        rows = self.rows(epoch, step)
        features = self._features(rows)
        batch = (features,)
        if self.token_labels:
            length = features["token_ids"].shape[1]
            batch += (_padded([self.labels[row] for row in rows], length, -1),)
        elif self.labels is not None:
            batch += (self.labels[rows],)
        if self.sample_weight is not None:
            batch += (self.sample_weight[rows],)
        return batch

    def _features(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        longest = int(self.lengths[rows].max())
        length = math.ceil(longest / self.pad_to_multiple) * self.pad_to_multiple
        if self.max_length is not None:
            length = min(length, self.max_length)
        padding_mask = (np.arange(length) < self.lengths[rows, None]).astype("int32")
        segment_ids = np.zeros_like(padding_mask)
        if self.segment_ids is not None:
            segment_ids = _padded([self.segment_ids[row] for row in rows], length)
        return {
            "token_ids": _padded([self.token_ids[row] for row in rows], length, self.pad_id),
            "segment_ids": segment_ids,
            "padding_mask": padding_mask,
            **{name: value[rows] for name, value in self.extra.items()},
            **{
                name: _padded([values[row] for row in rows], length)
                for name, values in self.token_extra.items()
            },
        }

    def _signature(self) -> tuple:
        import tensorflow as tf

        ids = tf.TensorSpec((None, None), tf.int32)
        features = {"token_ids": ids, "segment_ids": ids, "padding_mask": ids}
        for name, value in self.extra.items():
            features[name] = tf.TensorSpec((None, *value.shape[1:]), tf.float32)
        for name, values in self.token_extra.items():
            kind = tf.float32 if _are_floats(values[0]) else tf.int32
            features[name] = tf.TensorSpec((None, None, *np.shape(values[0])[1:]), kind)
        signature = (features, ids) if self.token_labels else (features,)
        for targets in (None if self.token_labels else self.labels, self.sample_weight):
            if targets is not None:
                shape = (None, *targets.shape[1:])
                signature += (tf.TensorSpec(shape, tf.as_dtype(targets.dtype)),)
        return signature


def _are_floats(row) -> bool:
    return np.asarray(row).dtype.kind == "f"


def _padded(rows: list[np.ndarray], length: int, fill: int = 0) -> np.ndarray:
    """Rows `(length, ...)` of different lengths as one int32 or float32 array."""
    shape = (len(rows), length, *np.shape(rows[0])[1:])
    floats = _are_floats(rows[0])
    padded = np.full(shape, FAR_BELOW if floats else fill, "float32" if floats else "int32")
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded


def _as_targets(labels: np.ndarray | Sequence) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim and labels.dtype.kind in "biu":
        return labels.astype("int32")
    if labels.ndim and labels.dtype.kind == "f":
        return labels.astype("float32")
    raise TinyBertError(
        "`labels` are expected to be numbers, one row an example (class ids, multi-hot or float "
        f"targets). Received: an array of shape {labels.shape} and type {labels.dtype}"
    )
