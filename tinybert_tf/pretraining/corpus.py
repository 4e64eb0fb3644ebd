"""Raw text as token ids on disk: prepared once, read by every run."""

import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from tinybert_tf.atomic import atomic_file, atomic_folder
from tinybert_tf.errors import TinyBertError
from tinybert_tf.pretraining.documents import find_files, read_documents
from tinybert_tf.pretraining.pairs import Document, sentence_pairs, single_segments
from tinybert_tf.text.wordpiece import WordPiece

INDEX = "corpus.json"
ON_DAMAGE = ("refuse", "skip")
# Sentences that are tokenized at once.
_CHUNK = 4096


@dataclass(frozen=True)
class CorpusInfo:
    """What corpus.json holds.

    Attributes:
        max_length: int. Longest sequence in tokens.
        pairs: bool. Whether sequences are pairs of segments.
        seed: int.
        documents: int. Documents read.
        tokens: int. Tokens of all sequences.
        vocabulary_size: int.
        vocabulary_checksum: string. CRC-32 of the vocabulary.
        shards: list of (file name, sequences).
        checksum: string. CRC-32 of the sequences; empty in corpora of earlier versions.
    """

    max_length: int
    pairs: bool
    seed: int
    documents: int
    tokens: int
    vocabulary_size: int
    vocabulary_checksum: str
    shards: list
    checksum: str = ""


def prepare_corpus(
    paths: Iterable[str | os.PathLike] | str | os.PathLike,
    out: str | os.PathLike,
    wordpiece: WordPiece,
    max_length: int = 128,
    pairs: bool = True,
    short_share: float = 0.1,
    shard_size: int = 8192,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> "Corpus":
    """Tokenizes raw text into sharded TFRecord files, whole documents in sentence pairs.

    Sentences end at full stops and line ends; longer ones than a sequence holds are cut into
    pieces. The whole corpus is held in memory while pairs are drawn, twice: some 20 bytes a token.

    Args:
        paths: path or list of paths. .txt or .txt.gz files, or folders of them. A blank line
            ends a document.
        out: path of the folder to write; it appears whole or not at all.
        wordpiece: `WordPiece`. The tokenizer of the models that will read it.
        max_length: int. Longest sequence in tokens, special tokens included. Defaults to `128`.
        pairs: bool. Pairs of segments with a next-sentence label, as BERT was pre-trained, or
            single segments. Defaults to `True`.
        short_share: float. Share of shorter pairs. Defaults to `0.1`.
        shard_size: int. Sequences a file. Defaults to `8192`.
        seed: int. Of cuts, random second segments and order. Defaults to `0`.
        progress: function of (files read, files in all). Defaults to `None`.

    Returns:
        A `Corpus`.

    Raises:
        TinyBertError: If there are no texts, or too few documents for pairs.
    """
    from tinybert_tf.pretraining.shards import write_shard

    minimum = 5 if pairs else 3
    if max_length < minimum:
        raise TinyBertError(
            f"Expected max_length of at least {minimum}. Received: max_length={max_length}"
        )
    if shard_size < 1:
        raise TinyBertError(f"Expected shard_size of at least 1. Received: {shard_size}")
    files = find_files([paths] if isinstance(paths, (str, os.PathLike)) else paths)
    documents: list[Document] = []
    for number, path in enumerate(files):
        documents += _tokenized(wordpiece, path, max_length - (3 if pairs else 2))
        if progress is not None:
            progress(number + 1, len(files))
    if len(documents) < (2 if pairs else 1):
        raise TinyBertError(
            "Expected a corpus of at least two documents, parted by blank lines, since half of "
            "the second segments come from another document; or pairs=False. "
            f"Received: {len(documents)} documents in {', '.join(map(str, files[:3]))}"
        )
    generator = np.random.default_rng(seed)
    rows = list(_rows(documents, wordpiece, max_length, pairs, short_share, generator))
    order = generator.permutation(len(rows))
    with atomic_folder(out) as folder:
        shards = []
        for number in range(math.ceil(len(rows) / shard_size)):
            name = f"shard_{number:05d}.tfrecord"
            chosen = order[number * shard_size : (number + 1) * shard_size]
            write_shard(folder / name, [rows[row] for row in chosen])
            shards.append((name, len(chosen)))
        info = CorpusInfo(
            max_length=max_length,
            pairs=pairs,
            seed=seed,
            documents=len(documents),
            tokens=int(sum(len(row[0]) for row in rows)),
            vocabulary_size=wordpiece.vocabulary_size,
            vocabulary_checksum=vocabulary_checksum(wordpiece),
            shards=shards,
            checksum=_checksum(rows),
        )
        with atomic_file(folder / INDEX) as stream:
            json.dump(asdict(info), stream, indent=2)
    return Corpus(out)


class Corpus:
    """A prepared corpus: shards that are read one at a time.

    Args:
        folder: path. What `prepare_corpus` wrote.
        on_damage: string. `"refuse"`: a damaged shard is an error when the corpus is opened for
            training; `"skip"`: it is left out and counted in `.skipped`. Defaults to `"refuse"`.

    Attributes:
        info: `CorpusInfo`.
        skipped: list of strings. Names of damaged shards that were left out.
    """

    def __init__(self, folder: str | os.PathLike, on_damage: str = "refuse"):
        if on_damage not in ON_DAMAGE:
            raise TinyBertError(
                f"Expected on_damage out of {ON_DAMAGE}. Received: on_damage={on_damage!r}"
            )
        self.folder = Path(folder)
        self.on_damage = on_damage
        self.skipped: list[str] = []
        try:
            stored = json.loads((self.folder / INDEX).read_text("utf-8"))
            self.info = CorpusInfo(**stored)
        except (OSError, ValueError, TypeError) as error:
            raise TinyBertError(
                f"Expected a folder that prepare_corpus wrote, with {INDEX}. "
                f"Received: {str(folder)!r} ({error})"
            ) from error
        self._shard = lru_cache(maxsize=2)(self._read)
        self._check_shards()

    def __len__(self) -> int:
        """The number of sequences."""
        return sum(count for _, count in self.shards)

    @property
    def shards(self) -> list[tuple[str, int]]:
        """Name and number of sequences of each shard that is used."""
        return [(name, count) for name, count in self.info.shards if name not in self.skipped]

    def shard(self, index: int):
        """Reads a shard; the last two stay in memory."""
        return self._shard(index)

    def texts(self, wordpiece: WordPiece) -> list[str]:
        """The first shard's sequences as text again, for what reads strings."""
        return [wordpiece.decode(ids[1:-1].tolist()) for ids in self.shard(0).token_ids]

    def check_vocabulary(self, wordpiece: WordPiece) -> None:
        """Checks that a model reads the ids that the corpus holds.

        Raises:
            TinyBertError: If the vocabularies differ.
        """
        if vocabulary_checksum(wordpiece) != self.info.vocabulary_checksum:
            raise TinyBertError(
                "Expected a corpus that was prepared with the model's vocabulary; prepare it "
                f"again. Received: {str(self.folder)!r} with {self.info.vocabulary_size} tokens, "
                f"the model's tokenizer has {wordpiece.vocabulary_size}"
            )

    def _read(self, index: int):
        from tinybert_tf.pretraining.shards import read_shard

        name, count = self.shards[index]
        return read_shard(self.folder / name, count)

    def _check_shards(self) -> None:
        """Reads every shard once: hours of training must not end at a damaged one."""
        from tinybert_tf.pretraining.shards import read_shard

        for name, count in self.info.shards:
            try:
                read_shard(self.folder / name, count)
            except TinyBertError:
                if self.on_damage == "refuse":
                    raise
                self.skipped.append(name)
        if not self.shards:
            raise TinyBertError(
                f"Expected at least one whole shard. Received: {str(self.folder)!r}, all "
                f"{len(self.skipped)} damaged"
            )


def vocabulary_checksum(wordpiece: WordPiece) -> str:
    """CRC-32 over the tokens in order."""
    return f"{zlib.crc32(chr(0).join(wordpiece.vocabulary).encode()):08x}"


def _checksum(rows: list[tuple]) -> str:
    checksum = 0
    for ids, first, _ in rows:
        checksum = zlib.crc32(ids.tobytes(), zlib.crc32(str(first).encode(), checksum))
    return f"{checksum:08x}"


def _tokenized(wordpiece: WordPiece, path: Path, longest: int) -> Iterator[Document]:
    """The documents of a file as token ids, empty sentences and documents left out.

    Sentences of more than `longest` tokens come in pieces.
    """
    documents = list(read_documents(path))
    sentences = [sentence for document in documents for sentence in document]
    ids: list[np.ndarray] = []
    for start in range(0, len(sentences), _CHUNK):
        encoded = wordpiece.encode(sentences[start : start + _CHUNK], max_length=1 << 20)
        ids += [row[1:-1] for row in encoded.token_ids]
    position = 0
    for document in documents:
        found = [
            row[start : start + longest]
            for row in ids[position : position + len(document)]
            for start in range(0, len(row), longest)
        ]
        position += len(document)
        if found:
            yield found


def _rows(documents, wordpiece, max_length, pairs, short_share, generator) -> Iterator[tuple]:
    """Sequences as (token ids, length of the first segment, is next)."""
    cls, sep = [wordpiece.cls_id], [wordpiece.sep_id]
    for index in range(len(documents)):
        if not pairs:
            for segment in single_segments(documents[index], max_length):
                ids = np.concatenate([cls, segment, sep]).astype("int32")
                yield ids, len(ids), True
            continue
        for pair in sentence_pairs(documents, index, max_length, generator, short_share):
            ids = np.concatenate([cls, pair.first, sep, pair.second, sep]).astype("int32")
            yield ids, len(pair.first) + 2, pair.is_next
