"""How fast a long run reads its corpus."""

import sys
import time

import keras


class Throughput(keras.callbacks.Callback):
    """Prints sequences and tokens a second, and the time left, every so often.

    Args:
        batches: `CorpusBatches`.
        every: float. Seconds between two lines. Defaults to `60`.
        write: function of a line. Defaults to `None`: standard error.
    """

    def __init__(self, batches, every: float = 60.0, write=None):
        super().__init__()
        self.batches = batches
        self.every = every
        self.write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self.tokens_per_second = 0.0

    def on_train_begin(self, logs=None):
        self._started = self._said = time.monotonic()
        self._done = 0

    def on_train_batch_end(self, batch, logs=None):
        self._done += 1
        now = time.monotonic()
        if now - self._said >= self.every:
            self._said = now
            self.write(self._line(now))

    def on_train_end(self, logs=None):
        if self._done:
            self.write(self._line(time.monotonic()))

    def _line(self, now: float) -> str:
        corpus, seconds = self.batches.corpus, now - self._started
        sequences = self._done * self.batches.batch_size / seconds
        self.tokens_per_second = sequences * corpus.info.tokens / max(len(corpus), 1)
        total = (self.params.get("epochs") or 1) * len(self.batches)
        left = max(total - self._done, 0) * seconds / self._done
        return (
            f"{self._done:,} steps in {seconds:,.0f} s: {sequences:,.1f} sequences/s, "
            f"{self.tokens_per_second:,.0f} tokens/s; at most {left / 60:,.0f} min to go"
        )
