"""Decoding with a sequence-to-sequence model: the encoder once, the decoder step by step."""

import tensorflow as tf
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.beam_search import beam_search
from tinybert_tf.models.decoding import greedy_search


class CachedSearch:
    """Greedy and beam search over the cached decoder of a `TinyBertSeq2Seq`.

    Args:
        model: `TinyBertSeq2Seq`. Its weights may change between calls.
        start_id: int. The token before the first.
        end_id: int. The token after the last.
    """

    def __init__(self, model, start_id: int, end_id: int):
        self.decoder = model.decoder
        self.start_id = start_id
        self.end_id = end_id

        def encode(features):
            states = model.backbone(features, training=False)["sequence_output"]
            return model.decoder.cross_caches(states)

        self._encode = tf.function(encode, reduce_retracing=True, autograph=False)
        self._step = tf.function(model.decoder.step, reduce_retracing=True, autograph=False)

    def __call__(
        self, features: dict, max_length: int, beams: int = 1, length_penalty: float = 0.6
    ) -> list[list[int]]:
        """Returns the best target of each row as ids, without start and end.

        Args:
            features: dict of int arrays `(batch, source length)`: the encoder's inputs.
            max_length: int. Most target tokens, the end token included.
            beams: int. 1 is greedy. Defaults to `1`.
            length_penalty: float. See `beam_search`. Defaults to `0.6`.

        Raises:
            TinyBertError: If `max_length` exceeds the decoder's position table, or `beams` is
                below 1.
        """
        if not 1 <= max_length <= self.decoder.max_length:
            raise TinyBertError(
                f"Expected a max_length from 1 to {self.decoder.max_length}, the rows of the "
                f"decoder's position table. Received: max_length={max_length}"
            )
        if beams < 1:
            raise TinyBertError(f"Expected at least one beam. Received: beams={beams}")
        features = {name: tf.convert_to_tensor(value) for name, value in features.items()}
        rows = features["token_ids"].shape[0]
        mask = ops.repeat(features["padding_mask"], beams, axis=0)
        cross_caches = [
            tuple(ops.repeat(x, beams, axis=0) for x in pair) for pair in self._encode(features)
        ]

        def step(token_ids, position, caches):
            token_ids = tf.convert_to_tensor(token_ids, tf.int32)
            position = tf.convert_to_tensor(position, tf.int32)
            return self._step(token_ids, position, caches, cross_caches, mask)

        caches = self.decoder.empty_caches(rows * beams, max_length)
        common = (step, caches, rows, self.start_id, self.end_id, max_length)
        if beams == 1:
            return greedy_search(*common)
        found = beam_search(*common, beams, length_penalty, reorder=_take_rows)
        return [hypotheses[0].token_ids for hypotheses in found]


def _take_rows(caches, rows):
    return [tuple(ops.take(x, rows, axis=0) for x in pair) for pair in caches]
