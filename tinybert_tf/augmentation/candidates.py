"""Words that could stand in the place of a word."""

import os
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.atomic import atomic_path
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertMaskedLM
from tinybert_tf.runs import weights_digest
from tinybert_tf.text.vocabulary import SPECIAL_TOKENS
from tinybert_tf.text.wordpiece import WordPiece

NONE = -1


class Candidates:
    """Finds replacements: a masked language model's guesses, or neighbors in the word table.

    A word of one piece gets the model's best tokens for its masked place; a word of several
    pieces the tokens nearest to the mean of its pieces in the model's own word table (cosine).
    Only whole words are offered, never the word itself.

    Args:
        model: `TinyBertMaskedLM`, pre-trained.
        count: int. Candidates a word, K. Defaults to `15`.
        mask_share: float. Share of a text's words that one pass hides. The paper's code hides one
            at a time; masked language models are trained to fill 15 %. Defaults to `0.15`.
        batch_size: int. Masked texts a forward pass. Defaults to `64`.
        cache: folder for results, which are kept by texts and model. Defaults to `None`: none.
    """

    def __init__(
        self,
        model: TinyBertMaskedLM,
        count: int = 15,
        mask_share: float = 0.15,
        batch_size: int = 64,
        cache: str | os.PathLike | None = None,
    ):
        if count < 1:
            raise TinyBertError(f"Expected at least one candidate. Received: count={count}")
        if not 0 < mask_share <= 1:
            raise TinyBertError(
                f"Expected mask_share above 0, at most 1. Received: mask_share={mask_share}"
            )
        self.model = model
        self.count = count
        self.mask_share = mask_share
        self.batch_size = batch_size
        self.cache = None if cache is None else Path(cache)
        self.wordpiece = model.wordpiece
        self._whole_words = whole_words(self.wordpiece)
        self._table: np.ndarray | None = None
        self._neighbors_of: dict[str, np.ndarray] = {}

    def find(self, rows: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Finds the candidates of every word of every row.

        Args:
            rows: list of lists of words, as `split_words` cuts them.

        Returns:
            One int32 array `(words, count)` of token ids a row; -1 where there are fewer, or
            where a word lies beyond the model's length.
        """
        path = None
        if self.cache is not None:
            path = self.cache / f"candidates_{self._checksum(rows)}.npz"
            if path.is_file():
                with np.load(path) as stored:
                    return np.split(stored["candidates"], np.cumsum(stored["sizes"])[:-1])
        found = self._find(rows)
        if path is not None:
            self.cache.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary, open(temporary, "wb") as stream:
                np.savez_compressed(
                    stream, candidates=np.concatenate(found), sizes=[len(part) for part in found]
                )
        return found

    def _find(self, rows) -> list[np.ndarray]:
        found = [np.full((len(words), self.count), NONE, "int32") for words in rows]
        pieces = [self._pieces(words) for words in rows]
        neighbors = self._neighbors_of
        for words, own, candidates in zip(rows, pieces, found, strict=True):
            for place, (word, ids) in enumerate(zip(words, own, strict=True)):
                if len(ids) > 1:
                    if word not in neighbors:
                        neighbors[word] = self._neighbors(ids)
                    candidates[place] = neighbors[word]
        passes = sorted(self._passes(pieces), key=lambda job: len(job[1]))
        for start in range(0, len(passes), self.batch_size):
            self._fill(passes[start : start + self.batch_size], found)
        return found

    def _pieces(self, words: Sequence[str]) -> list[list[int]]:
        encoded = self.wordpiece.encode(list(words), max_length=1 << 16).token_ids if words else []
        return [row[1:-1].tolist() for row in encoded]

    def _passes(self, pieces):
        """Jobs (row, masked token ids, [(position, word, own id), ...])."""
        special = [self.wordpiece.token_to_id(t) for t in ("[CLS]", "[SEP]", "[MASK]", "[UNK]")]
        cls, sep, mask, unknown = special
        room = self.model.preprocessor.sequence_length - 1
        for row, own in enumerate(pieces):
            ids, places = [cls], []
            for word, tokens in enumerate(own):
                if len(ids) + len(tokens) > room:
                    break
                if len(tokens) == 1 and tokens[0] != unknown:
                    places.append((len(ids), word, tokens[0]))
                ids += tokens
            ids.append(sep)
            # Every stride-th word at a time: neighbors stay visible.
            stride = max(round(1 / self.mask_share), 1)
            for start in range(min(stride, len(places))):
                chosen = places[start::stride]
                masked = list(ids)
                for position, _, _ in chosen:
                    masked[position] = mask
                yield row, masked, chosen

    def _fill(self, jobs, found: list[np.ndarray]) -> None:
        """Runs one batch of masked texts and stores the best whole words."""
        length = -(-max(len(ids) for _, ids, _ in jobs) // 8) * 8
        length = min(length, self.model.preprocessor.sequence_length)
        width = max(len(places) for *_, places in jobs)
        width = -(-width // 4) * 4  # few shapes: each is traced once
        token_ids = np.full((len(jobs), length), self.wordpiece.pad_id, "int32")
        padding_mask, segments = np.zeros_like(token_ids), np.zeros_like(token_ids)
        positions = np.zeros((len(jobs), width), "int32")
        for index, (_, ids, places) in enumerate(jobs):
            token_ids[index, : len(ids)] = ids
            padding_mask[index, : len(ids)] = 1
            positions[index, : len(places)] = [position for position, _, _ in places]
        outputs = self.model.predict_on_batch(
            {
                "token_ids": token_ids,
                "segment_ids": segments,
                "padding_mask": padding_mask,
                "mask_positions": positions,
            }
        )
        for index, (row, _, places) in enumerate(jobs):
            logits = outputs["masked_lm"][index, : len(places), self._whole_words]
            for scores, (_, word, own) in zip(logits.T, places, strict=True):
                found[row][word] = self._best(scores, own)

    def _neighbors(self, ids: list[int]) -> np.ndarray:
        if self._table is None:
            table = self.model.backbone.embeddings.token_embedding.embeddings.numpy()
            norms = np.linalg.norm(table, axis=1, keepdims=True)
            self._table = table / np.maximum(norms, 1e-9)
            self._word_vectors = self._table[self._whole_words]
        mean = self._table[ids].mean(axis=0)
        return self._best(self._word_vectors @ mean, NONE)

    def _best(self, scores: np.ndarray, own: int) -> np.ndarray:
        """The ids with the highest scores, the word itself left out."""
        wanted = min(self.count + 1, len(scores))
        best = np.argpartition(-scores, wanted - 1)[:wanted]
        ids = self._whole_words[best[np.argsort(-scores[best], kind="stable")]]
        ids = ids[ids != own][: self.count]
        return np.pad(ids, (0, self.count - len(ids)), constant_values=NONE).astype("int32")

    def _checksum(self, rows) -> str:
        length = self.model.preprocessor.sequence_length
        key = (self.count, self.mask_share, length, weights_digest(self.model))
        checksum = zlib.crc32(repr(key).encode())
        for words in [self.wordpiece.vocabulary, *rows]:
            checksum = zlib.crc32("\0".join([*words, "\n"]).encode(), checksum)
        return f"{checksum:08x}"


def whole_words(wordpiece: WordPiece) -> np.ndarray:
    """Ids of the tokens that are words: no pieces, special or unused tokens, and with a letter."""
    return np.array(
        [
            index
            for index, token in enumerate(wordpiece.vocabulary)
            if not token.startswith("##")
            and token not in SPECIAL_TOKENS
            and not (token.startswith("[unused") and token.endswith("]"))
            and any(character.isalpha() for character in token)
        ],
        "int32",
    )


def frequent_words(rows: Sequence[Sequence[str]], count: int) -> set[str]:
    """The most frequent words of a corpus, at most a tenth of its different words.

    In any language these are mostly function words.
    """
    counts = Counter(word for words in rows for word in words)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return set(ordered[: min(count, len(ordered) // 10)])
