"""From text files to shards and batches."""

import json

import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.pretraining import Corpus, prepare_corpus
from tinybert_tf.pretraining.batches import CorpusBatches
from tinybert_tf.pretraining.documents import find_files, read_documents
from tinybert_tf.pretraining.pairs import sentence_pairs, single_segments, truncate


def test_documents_end_at_blank_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("One. Two.\nThree. E.g.  this.\n\n \n\nFour.", "utf-8")
    assert list(read_documents(path)) == [["One.", "Two.", "Three.", "E.g.  this."], ["Four."]]


def test_folders_are_searched(tmp_path):
    (tmp_path / "deep").mkdir()
    empty = tmp_path / "deep" / "empty"
    empty.mkdir()
    for name in ("b.txt", "deep/a.TXT", "notes.md"):
        (tmp_path / name).write_text("a b", "utf-8")
    assert [p.name for p in find_files([tmp_path])] == ["b.txt", "a.TXT"]
    with pytest.raises(tb.TinyBertError, match="no-such"):
        find_files([tmp_path / "no-such"])
    with pytest.raises(tb.TinyBertError, match="text files"):
        find_files([empty])


# === Pairs ===
def _documents(count=6, sentences=5, seed=0):
    """Every token is unique: its document and place can be read off it."""
    generator = np.random.default_rng(seed)
    return [
        np.split(
            np.arange(1000 * d, 1000 * d + 40, dtype="int32"),
            np.sort(generator.choice(np.arange(1, 40), sentences - 1, replace=False)),
        )
        for d in range(count)
    ]


def test_pairs_cover_the_document_in_order():
    documents = _documents()
    for index in range(len(documents)):
        seen = []
        pairs = list(sentence_pairs(documents, index, 24, np.random.default_rng(index)))
        for pair in pairs:
            assert len(pair.first) + len(pair.second) <= 21 and len(pair.first)
            own = pair.first[pair.first // 1000 == index]
            np.testing.assert_array_equal(own, pair.first)  # the first segment is the document's
            if pair.is_next:
                assert (pair.second // 1000 == index).all()
                assert not len(pair.second) or pair.second[0] > pair.first[-1]
            else:
                assert (pair.second // 1000 != index).all()
            seen.append(pair.first[0])
        assert seen == sorted(seen)
    shares = [
        pair.is_next
        for index in range(len(documents))
        for seed in range(30)
        for pair in sentence_pairs(documents, index, 24, np.random.default_rng(seed))
    ]
    assert 0.3 < np.mean(shares) < 0.7


def test_displaced_sentences_are_used_again():
    """Without truncation, every token of the document is in some segment."""
    documents = _documents()
    for seed in range(10):
        tokens = set()
        generator = np.random.default_rng(seed)
        for pair in sentence_pairs(documents, 0, 200, generator, short_share=0.0):
            tokens |= {t for part in pair[:2] for t in part.tolist() if t < 1000}
        assert tokens == set(range(40))


def test_truncation_takes_from_the_longer_segment():
    generator = np.random.default_rng(0)
    first, second = truncate(np.arange(10), np.arange(3), 8, generator)
    assert len(first) == 5 and len(second) == 3
    assert (np.diff(first) == 1).all()


def test_single_segments():
    segments = list(single_segments([np.arange(4), np.arange(4), np.arange(30)], 12))
    assert [len(s) for s in segments] == [8, 10]


# === Shards ===
def test_the_corpus_describes_itself(corpus):
    stored = json.loads((corpus.folder / "corpus.json").read_text())
    assert stored["documents"] == 24 and len(corpus) == sum(n for _, n in stored["shards"])
    assert len(stored["shards"]) > 1
    tokens = sum(len(row) for i in range(len(corpus.shards)) for row in corpus.shard(i).token_ids)
    assert tokens == stored["tokens"]


def test_rows_are_pairs_with_their_special_tokens(corpus, wordpiece):
    shard = corpus.shard(0)
    assert len(shard) == 10 and set(shard.is_next) <= {0, 1}
    for ids, segments in zip(shard.token_ids, shard.segment_ids, strict=True):
        places = np.flatnonzero(ids == wordpiece.sep_id)
        assert ids[0] == wordpiece.cls_id and len(places) == 2 and places[1] == len(ids) - 1
        assert segments.sum() == len(ids) - places[0] - 1 and segments[places[0]] == 0
        assert len(ids) <= 16


def test_same_seed_same_corpus(text_file, wordpiece, tmp_path, corpus):
    again = prepare_corpus(text_file, tmp_path / "x", wordpiece, max_length=16, shard_size=10)
    other = prepare_corpus(
        text_file, tmp_path / "y", wordpiece, max_length=16, shard_size=10, seed=1
    )
    rows = [
        [ids.tolist() for i in range(len(c.shards)) for ids in c.shard(i).token_ids]
        for c in (corpus, again, other)
    ]
    assert rows[0] == rows[1] != rows[2]


def test_single_segment_corpus(text_file, wordpiece, tmp_path):
    corpus = prepare_corpus(text_file, tmp_path / "x", wordpiece, max_length=16, pairs=False)
    assert not any(segments.any() for segments in corpus.shard(0).segment_ids)


@pytest.mark.parametrize("text", ["", "\n\n", "a b c.\n"])
def test_too_few_documents(tmp_path, wordpiece, text):
    path = tmp_path / "one.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(tb.TinyBertError, match="two documents"):
        prepare_corpus(path, tmp_path / "out", wordpiece)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def damaged(text_file, wordpiece, tmp_path):
    """A corpus whose second shard lost its end, and the third has a flipped bit."""
    folder = tmp_path / "damaged"
    prepare_corpus(text_file, folder, wordpiece, max_length=16, shard_size=10)
    path = folder / "shard_00001.tfrecord"
    path.write_bytes(path.read_bytes()[:-20])
    path = folder / "shard_00002.tfrecord"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(bytes(data))
    return folder


def test_a_damaged_shard_is_named(damaged):
    with pytest.raises(tb.TinyBertError, match="shard_00001"):
        Corpus(damaged)


def test_damaged_shards_can_be_skipped(damaged):
    corpus = Corpus(damaged, on_damage="skip")
    assert corpus.skipped == ["shard_00001.tfrecord", "shard_00002.tfrecord"]
    whole = sum(n for _, n in corpus.info.shards)
    assert len(corpus) == whole - 20
    batches = CorpusBatches(corpus, 4)
    rows = [len(batches.batch(0, step)[0]["token_ids"]) for step in range(len(batches))]
    assert sum(rows) == len(corpus)


def test_missing_shard_and_index(damaged, tmp_path):
    (damaged / "shard_00000.tfrecord").unlink()
    with pytest.raises(tb.TinyBertError, match="shard_00000"):
        Corpus(damaged)
    with pytest.raises(tb.TinyBertError, match=r"corpus\.json"):
        Corpus(tmp_path)
    with pytest.raises(tb.TinyBertError, match="on_damage"):
        Corpus(damaged, on_damage="ignore")


# === Batches ===
def test_an_epoch_holds_each_row_once(corpus):
    batches = CorpusBatches(corpus, 4, seed=3)
    seen = [
        row[: int(mask.sum())].tolist()
        for step in range(len(batches))
        for row, mask in zip(
            *(batches.batch(1, step)[0][k] for k in ("token_ids", "padding_mask")), strict=True
        )
    ]
    rows = [ids.tolist() for i in range(len(corpus.shards)) for ids in corpus.shard(i).token_ids]
    assert sorted(seen) == sorted(rows)


def test_order_depends_on_seed_and_epoch_only(corpus):
    def ids(seed, epoch):
        batches = CorpusBatches(corpus, 4, seed=seed)
        return [batches.batch(epoch, s)[0]["token_ids"].tolist() for s in range(len(batches))]

    assert ids(0, 0) == ids(0, 0)
    assert ids(0, 0) != ids(0, 1) and ids(0, 0) != ids(1, 0)


def test_a_stream_goes_on_in_the_middle(corpus):
    batches = CorpusBatches(corpus, 4)
    whole = [x[0]["token_ids"].numpy().tolist() for x in batches.dataset()]
    rest = [x[0]["token_ids"].numpy().tolist() for x in batches.dataset(0, 3)]
    assert rest == whole[3:] and len(batches.dataset(0, 3)) == len(rest)
    twice = batches.dataset()
    for _ in range(2):  # validation data is read after every epoch
        assert [x[0]["token_ids"].numpy().tolist() for x in twice] == whole
    stream = batches.stream(0, len(batches) - 1)
    following = [x[0]["token_ids"].numpy().tolist() for x in stream.take(2)]
    assert following[0] == whole[-1]
    assert following[1] == batches.batch(1, 0)[0]["token_ids"].tolist()


def test_fewer_steps(corpus):
    assert len(CorpusBatches(corpus, 4, steps=2)) == 2
    with pytest.raises(tb.TinyBertError, match="steps=0"):
        CorpusBatches(corpus, 4, steps=0)


def test_long_sentences_come_in_pieces(wordpiece, tmp_path):
    """Text without full stops is not thrown away."""
    words = [*"abcdefgh"] * 30
    path = tmp_path / "one.txt"
    path.write_text(" ".join(words) + "\n\na b c\n", "utf-8")
    corpus = prepare_corpus(path, tmp_path / "c", wordpiece, max_length=12, pairs=False)
    found = [corpus.shard(0).token_ids[row] for row in range(len(corpus))]
    assert sum(len(row) - 2 for row in found) == len(words) + 3
    assert max(len(row) for row in found) == 12


def test_truncation_takes_from_both_ends(wordpiece):
    first, second = truncate(np.arange(20), np.arange(100, 108), 12, np.random.default_rng(0))
    assert len(first) + len(second) == 12 and abs(len(first) - len(second)) <= 1
    assert np.all(np.diff(first) == 1) and np.all(np.diff(second) == 1)
    assert first[0] > 0 and first[-1] < 19
