"""Sequences of token ids in TFRecord shards."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tinybert_tf.atomic import atomic_path
from tinybert_tf.errors import TinyBertError


@dataclass
class Shard:
    """Some sequences in memory.

    Attributes:
        token_ids: list of int32 arrays, `[CLS] first [SEP] second [SEP]`, or one segment.
        segment_ids: list of int32 arrays of the same lengths.
        is_next: int32 `(n,)`. 1 where the second segment follows the first in its document.
    """

    token_ids: list[np.ndarray]
    segment_ids: list[np.ndarray]
    is_next: np.ndarray

    def __len__(self) -> int:
        return len(self.token_ids)


def write_shard(path: str | os.PathLike, rows: Sequence[tuple[np.ndarray, int, bool]]) -> None:
    """Writes rows (token ids, length of the first segment, is next) as TFRecord, atomically."""
    with atomic_path(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for token_ids, first_length, is_next in rows:
            features = {
                "token_ids": _ints(token_ids),
                "first_length": _ints([first_length]),
                "is_next": _ints([int(is_next)]),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def read_shard(path: str | os.PathLike, expected: int) -> Shard:
    """Reads a shard.

    Args:
        path: path of the TFRecord file.
        expected: int. How many sequences it must hold.

    Raises:
        TinyBertError: If it is absent, damaged (TFRecord's checksums) or incomplete.
    """
    features = {
        "token_ids": tf.io.RaggedFeature(tf.int64),
        "first_length": tf.io.FixedLenFeature((), tf.int64),
        "is_next": tf.io.FixedLenFeature((), tf.int64),
    }
    token_ids: list[np.ndarray] = []
    first_lengths: list[np.ndarray] = []
    is_next: list[np.ndarray] = []
    try:
        records = tf.data.TFRecordDataset(str(path), buffer_size=1 << 20)
        for batch in records.batch(1024):
            parsed = tf.io.parse_example(batch, features)
            values = parsed["token_ids"].values.numpy().astype("int32")
            token_ids += np.split(values, parsed["token_ids"].row_splits.numpy()[1:-1])
            first_lengths.append(parsed["first_length"].numpy())
            is_next.append(parsed["is_next"].numpy())
    except tf.errors.OpError as error:
        raise TinyBertError(
            f"Expected a whole shard. Received: {Path(path).name!r} "
            f"({error.message.splitlines()[0]})"
        ) from error
    if len(token_ids) != expected:
        raise TinyBertError(
            f"Expected a shard of {expected} sequences. Received: {Path(path).name!r} "
            f"with {len(token_ids)}"
        )
    segments = [
        (np.arange(len(ids)) >= length).astype("int32")
        for ids, length in zip(token_ids, np.concatenate(first_lengths), strict=True)
    ]
    return Shard(token_ids, segments, np.concatenate(is_next).astype("int32"))


def _ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
