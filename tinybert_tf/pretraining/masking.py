"""Masked language modelling's inputs and targets."""

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.vocabulary import SPECIAL_TOKENS
from tinybert_tf.text.wordpiece import WordPiece


class Masking:
    """Chooses tokens to predict and hides most of them (Devlin et al. 2019, section 3.1).

    Of the real tokens, special ones aside, `share` are chosen; 80 % of them become [MASK], 10 % a
    random token, 10 % stay. Every application draws anew: masking is dynamic.

    Args:
        wordpiece: `WordPiece`.
        share: float. Defaults to `0.15`.
        whole_words: bool. Whether all pieces of a chosen word are chosen. Defaults to `False`.
    """

    def __init__(self, wordpiece: WordPiece, share: float = 0.15, whole_words: bool = False):
        if not 0 < share < 1:
            raise TinyBertError(f"Expected a share between 0 and 1. Received: share={share}")
        self.share = share
        self.whole_words = whole_words
        self._mask_id = wordpiece.token_to_id("[MASK]")
        vocabulary = wordpiece.vocabulary
        self._special = np.isin(vocabulary, SPECIAL_TOKENS)
        self._ordinary = np.flatnonzero(~self._special)
        self._continues = np.char.startswith(np.array(vocabulary), "##")

    def apply(self, features: dict, generator: np.random.Generator) -> tuple[dict, ...]:
        """Masks a batch.

        Args:
            features: dict of int32 arrays `(batch, length)`: token_ids, segment_ids and
                padding_mask.
            generator: numpy Generator.

        Returns:
            The features with hidden tokens and `mask_positions` `(batch, predictions)`, the
            labels `(batch, predictions)` and their weights, 0 for filled places.
        """
        token_ids = features["token_ids"].copy()
        candidates = (features["padding_mask"] > 0) & ~self._special[token_ids]
        width = max(int(np.ceil(self.share * token_ids.shape[1])), 1)
        positions = np.zeros((len(token_ids), width), "int32")
        labels = np.zeros_like(positions)
        weights = np.zeros(positions.shape, "float32")
        for row, ids in enumerate(token_ids):
            chosen = self._choose(ids, np.flatnonzero(candidates[row]), width, generator)
            count = len(chosen)
            positions[row, :count], labels[row, :count], weights[row, :count] = (
                chosen,
                ids[chosen],
                1,
            )
            fate = generator.random(count)
            ids[chosen[fate < 0.8]] = self._mask_id
            random = chosen[fate >= 0.9]
            ids[random] = generator.choice(self._ordinary, len(random))
        return {**features, "token_ids": token_ids, "mask_positions": positions}, labels, weights

    def _choose(self, ids, places, width: int, generator) -> np.ndarray:
        """Sorted places of the tokens to predict: `share` of them, at least one."""
        if not len(places):
            return places
        wanted = min(max(round(self.share * len(places)), 1), width)
        if not self.whole_words:
            return np.sort(generator.choice(places, wanted, replace=False))
        starts = ~self._continues[ids[places]]
        starts[0] = True
        words = np.split(places, np.flatnonzero(starts)[1:])
        chosen: list[int] = []
        for index in generator.permutation(len(words)):
            if len(chosen) + len(words[index]) <= wanted:
                chosen += words[index].tolist()
            if len(chosen) == wanted:
                break
        # A text of one long word: a part of it.
        chosen = chosen or words[0][:wanted].tolist()
        return np.sort(np.array(chosen))
