"""Batches in an order that can be resumed anywhere."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from tinybert_tf.errors import TinyBertError


class ResumableBatches(ABC):
    """Batches in an order that depends on the epoch only, as `tf.data` from any step on.

    Attributes:
        seed: int. Of the order.
        batch_size: int. Rows of a batch, at most.
    """

    seed: int
    batch_size: int

    @abstractmethod
    def __len__(self) -> int:
        """The number of batches in an epoch."""

    @abstractmethod
    def batch(self, epoch: int, step: int) -> tuple:
        """Returns one batch as numpy arrays."""

    @abstractmethod
    def checksum(self) -> str:
        """Tells one data set from another."""

    @abstractmethod
    def _signature(self) -> tuple:
        """TensorSpecs of a batch."""

    def dataset(self, epoch: int = 0, start_step: int = 0):
        """Returns the rest of one epoch as a `tf.data.Dataset` of known cardinality.

        Args:
            epoch: int. Defaults to `0`.
            start_step: int. The first batch, from 0 to `len(self)`. Defaults to `0`.
        """
        import tensorflow as tf

        self._check_start(epoch, start_step)

        def generate() -> Iterator[tuple]:
            for step in range(start_step, len(self)):
                yield self.batch(epoch, step)

        dataset = tf.data.Dataset.from_generator(generate, output_signature=self._signature())
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self) - start_step))
        return dataset.prefetch(tf.data.AUTOTUNE)

    def stream(self, epoch: int = 0, start_step: int = 0):
        """Returns an endless `tf.data.Dataset`: the rest of `epoch`, then the epochs after it.

        Args:
            epoch: int. Defaults to `0`.
            start_step: int. The first batch, from 0 to `len(self)`. Defaults to `0`.
        """
        import tensorflow as tf

        self._check_start(epoch, start_step)

        def generate() -> Iterator[tuple]:
            current, step = epoch, start_step
            while True:
                while step < len(self):
                    yield self.batch(current, step)
                    step += 1
                current, step = current + 1, 0

        dataset = tf.data.Dataset.from_generator(generate, output_signature=self._signature())
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(tf.data.experimental.INFINITE_CARDINALITY)
        )
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _check_start(self, epoch: int, start_step: int) -> None:
        at_least(0, epoch=epoch, start_step=start_step)
        if start_step > len(self):
            raise TinyBertError(
                f"`start_step` is expected to be at most {len(self)}. "
                f"Received: start_step={start_step}"
            )


def at_least(minimum: int, **arguments: int) -> None:
    """Refuses an argument that is no integer of at least the minimum."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < minimum:
            raise TinyBertError(
                f"`{name}` is expected to be an integer of at least {minimum}. "
                f"Received: {name}={value!r}"
            )
