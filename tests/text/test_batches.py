import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.readers import read_examples
from tinybert_tf.text.wordpiece import WordPiece


def rows_of(lengths) -> list[np.ndarray]:
    """Rows that name themselves: row r of length l is r + 1, l times."""
    return [np.full(length, row + 1, "int32") for row, length in enumerate(lengths)]


def sentence_lengths(number: int, seed: int = 0) -> np.ndarray:
    """Lengths like those of SST-2's sentences: mean 25, 3 to 64 tokens."""
    generator = np.random.default_rng(seed)
    return np.clip(generator.gamma(5.5, 4.5, number).round() + 1, 3, 64).astype(int)


def row_numbers(x) -> list[int]:
    return (np.asarray(x["token_ids"])[:, 0] - 1).tolist()


def assert_same_batches(left, right):
    left, right = list(left), list(right)
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert len(a) == len(b)
        assert a[0].keys() == b[0].keys()
        for name in a[0]:
            np.testing.assert_array_equal(a[0][name], b[0][name])
        for one, other in zip(a[1:], b[1:], strict=True):
            np.testing.assert_array_equal(one, other)


# === Content ===


def test_a_batch_by_hand():
    batches = LengthBucketedBatches(
        token_ids=[[5, 6, 7], [8], [9, 10]],
        segment_ids=[[0, 0, 1], [0], [0, 1]],
        labels=[2, 0, 1],
        sample_weight=[0.5, 1, 2],
        batch_size=2,
        shuffle=False,
        pad_to_multiple=4,
        pad_id=3,
    )
    assert len(batches) == 2
    x, y, weight = batches.batch(0, 0)
    assert x["token_ids"].tolist() == [[8, 3, 3, 3], [9, 10, 3, 3]]
    assert x["segment_ids"].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert x["padding_mask"].tolist() == [[1, 0, 0, 0], [1, 1, 0, 0]]
    assert {array.dtype for array in x.values()} == {np.dtype("int32")}
    assert (y.tolist(), y.dtype) == ([0, 1], np.dtype("int32"))
    assert (weight.tolist(), weight.dtype) == ([1, 2], np.dtype("float32"))
    x, y, weight = batches.batch(0, 1)
    assert x["token_ids"].tolist() == [[5, 6, 7, 3]]
    assert (y.tolist(), weight.tolist()) == ([2], [0.5])


@pytest.mark.parametrize(
    "longest, multiple, max_length, length",
    [
        (8, 8, None, 8),
        (9, 8, None, 16),
        (9, 8, 12, 12),
        (9, 8, 9, 9),
        (9, 8, 99, 16),
        (9, 1, 99, 9),
    ],
)
def test_padded_length(longest, multiple, max_length, length):
    batches = LengthBucketedBatches(
        rows_of([1, longest]), pad_to_multiple=multiple, max_length=max_length
    )
    assert batches.batch(0, 0)[0]["token_ids"].shape == (2, length)


def test_two_dimensional_token_ids():
    batches = LengthBucketedBatches(np.arange(6).reshape(3, 2), shuffle=False, pad_to_multiple=1)
    assert batches.batch(0, 0)[0]["token_ids"].tolist() == [[0, 1], [2, 3], [4, 5]]


# === Order ===


@pytest.mark.parametrize("number", [1, 31, 32, 33, 320, 1000])
@pytest.mark.parametrize("bucket_batches", [1, 3, 50])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_once_an_epoch(number, bucket_batches, shuffle):
    batches = LengthBucketedBatches(
        rows_of(sentence_lengths(number)),
        labels=np.arange(number),
        shuffle=shuffle,
        bucket_batches=bucket_batches,
    )
    assert len(batches) == -(-number // 32)
    for epoch in range(3):
        seen = []
        for step in range(len(batches)):
            x, y = batches.batch(epoch, step)
            assert row_numbers(x) == y.tolist()
            assert x["padding_mask"].sum(axis=1).tolist() == batches.lengths[y].tolist()
            assert len(y) == 32 or len(y) == number % 32
            seen += y.tolist()
        assert sorted(seen) == list(range(number))
        assert seen == batches.indices(epoch).tolist()


def test_epochs_and_seeds_differ():
    rows = rows_of(sentence_lengths(500))
    orders = {
        tuple(LengthBucketedBatches(rows, seed=seed).indices(epoch))
        for seed, epoch in itertools.product(range(3), range(3))
    }
    assert len(orders) == 9
    again = LengthBucketedBatches(rows, seed=2)
    assert tuple(again.indices(1)) in orders


def test_batches_do_not_come_sorted_by_length():
    batches = LengthBucketedBatches(rows_of(sentence_lengths(3200)))
    lengths = [batches.batch(0, step)[0]["token_ids"].shape[1] for step in range(len(batches))]
    assert np.abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.3


def test_order_is_the_same_in_another_process():
    program = (
        "import sys, numpy as np\n"
        "from tinybert_tf.text.batches import LengthBucketedBatches\n"
        "rows = [np.ones(1 + row * 7 % 31, int) for row in range(300)]\n"
        "batches = LengthBucketedBatches(rows, seed=3, bucket_batches=2)\n"
        "print(batches.indices(5).tolist())\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    rows = [np.ones(1 + row * 7 % 31, int) for row in range(300)]
    here = LengthBucketedBatches(rows, seed=3, bucket_batches=2).indices(5).tolist()
    assert printed == {f"{here}\n"}


def test_indices_undo_the_order():
    lengths = sentence_lengths(100)
    batches = LengthBucketedBatches(rows_of(lengths), shuffle=False, batch_size=7)
    predictions = np.concatenate(
        [batches.batch(0, step)[0]["padding_mask"].sum(axis=1) for step in range(len(batches))]
    )
    ordered = np.empty(100, int)
    ordered[batches.indices()] = predictions
    np.testing.assert_array_equal(ordered, lengths)
    np.testing.assert_array_equal(batches.indices(0), batches.indices(4))


def padding_share(batches) -> float:
    masks = [batches.batch(0, step)[0]["padding_mask"] for step in range(len(batches))]
    return 1 - sum(mask.sum() for mask in masks) / sum(mask.size for mask in masks)


@pytest.mark.parametrize("shuffle", [True, False])
def test_padding_waste(shuffle):
    lengths = sentence_lengths(6920)
    rows = rows_of(lengths)
    to_maximum = 1 - lengths.sum() / (64 * len(lengths))
    assert to_maximum > 0.55
    assert padding_share(LengthBucketedBatches(rows, shuffle=shuffle)) < 0.15
    assert padding_share(LengthBucketedBatches(rows, shuffle=shuffle, pad_to_multiple=1)) < 0.05


def test_padding_waste_on_sst2(data_folder, minilm_folder):
    texts = read_examples(data_folder / "sst2" / "train_sentences.tsv").texts
    encoded = WordPiece.from_folder(minilm_folder).encode(texts, max_length=64)
    batches = LengthBucketedBatches(encoded.token_ids, encoded.segment_ids, max_length=64)
    assert padding_share(batches) < 0.15


# === tf.data ===


@pytest.fixture(scope="module")
def resumable():
    return LengthBucketedBatches(
        rows_of(sentence_lengths(75)), labels=np.arange(75) % 3, batch_size=8, seed=5
    )


def test_dataset_is_an_epoch(resumable):
    dataset = resumable.dataset(epoch=2)
    assert len(dataset) == len(resumable) == 10
    expected = [resumable.batch(2, step) for step in range(10)]
    assert_same_batches(dataset.as_numpy_iterator(), expected)


@pytest.mark.parametrize("start_step", [0, 1, 9, 10])
def test_dataset_from_any_step(resumable, start_step):
    rest = resumable.dataset(epoch=1, start_step=start_step)
    assert len(rest) == 10 - start_step
    whole = list(resumable.dataset(epoch=1).as_numpy_iterator())
    assert_same_batches(rest.as_numpy_iterator(), whole[start_step:])


@pytest.mark.parametrize("epoch, start_step", [(0, 0), (0, 4), (1, 9), (1, 10), (2, 3)])
def test_stream_from_any_step(resumable, epoch, start_step):
    import tensorflow as tf

    whole = [resumable.batch(number, step) for number in range(5) for step in range(10)]
    stream = resumable.stream(epoch, start_step)
    assert stream.cardinality() == tf.data.INFINITE_CARDINALITY
    begin = 10 * epoch + start_step
    assert_same_batches(stream.take(15).as_numpy_iterator(), whole[begin : begin + 15])


@pytest.mark.parametrize(
    "labels, weight, shapes, types",
    [
        (None, None, [], []),
        (np.zeros(9, "int64"), None, [(None,)], ["int32"]),
        (np.zeros(9, bool), None, [(None,)], ["int32"]),
        (np.zeros((9, 4), "float64"), None, [(None, 4)], ["float32"]),
        ([0] * 9, [1.0] * 9, [(None,), (None,)], ["int32", "float32"]),
    ],
)
def test_signatures(labels, weight, shapes, types):
    rows = rows_of(range(1, 10))
    batches = LengthBucketedBatches(rows, labels=labels, sample_weight=weight, batch_size=4)
    for dataset in (batches.dataset(), batches.stream()):
        inputs, *rest = dataset.element_spec
        assert sorted(inputs) == ["padding_mask", "segment_ids", "token_ids"]
        assert {spec.shape.rank for spec in inputs.values()} == {2}
        assert [tuple(spec.shape) for spec in rest] == shapes
        assert [spec.dtype.name for spec in rest] == types
        for batch in dataset.take(2):
            assert len(batch) == 1 + len(rest)


# === Bad input ===


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"token_ids": []}, "At least one example"),
        ({"token_ids": [[1], []]}, "row 1 is empty"),
        ({"segment_ids": [[0]]}, "`segment_ids` .* 2. Received: 1 rows"),
        ({"segment_ids": [[0], [0]]}, "row 1 has 2 token ids, 1 segment ids"),
        ({"labels": [1]}, "`labels` .* 2. Received: 1 rows"),
        ({"labels": ["a", "b"]}, "`labels` are expected to be numbers"),
        ({"labels": 3}, "`labels` are expected to be numbers"),
        ({"labels": [0, 1], "sample_weight": [1.0]}, "`sample_weight` .* 2. Received: 1 rows"),
        ({"sample_weight": [1.0, 1.0]}, "`sample_weight` is expected to come with `labels`"),
        ({"max_length": 1}, "at most max_length=1 .* row 1 has 2"),
        ({"batch_size": 0}, "`batch_size` .* at least 1. Received: batch_size=0"),
        ({"pad_to_multiple": 0}, "pad_to_multiple=0"),
        ({"bucket_batches": 1.5}, "bucket_batches=1.5"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(TinyBertError, match=message):
        LengthBucketedBatches(**{"token_ids": [[1], [1, 2]], **arguments})


def test_bad_steps(resumable):
    for step in (-1, 10):
        with pytest.raises(TinyBertError, match=f"between 0 and 9. Received: step={step}"):
            resumable.batch(0, step)
    with pytest.raises(TinyBertError, match="epoch=-1"):
        resumable.batch(-1, 0)
    for method in (resumable.dataset, resumable.stream):
        with pytest.raises(TinyBertError, match=r"at most 10. Received: start_step=11"):
            method(0, 11)


def test_extra_inputs_travel_with_their_rows():
    values = np.arange(12, dtype="float64").reshape(6, 2)
    batches = LengthBucketedBatches(
        rows_of([3, 9, 4, 5, 8, 3]), batch_size=2, extra={"scores": values}
    )
    for step, (x,) in enumerate(batches.dataset()):
        assert row_numbers(x) == batches.rows(0, step).tolist()
        np.testing.assert_array_equal(x["scores"], values[row_numbers(x)])
        assert x["scores"].dtype == "float32"
    with pytest.raises(TinyBertError, match="`scores`.*5 rows"):
        LengthBucketedBatches(rows_of([3, 3]), extra={"scores": np.zeros((5, 1))})


def test_checksum_tells_data_apart():
    def checksum(rows, labels=None):
        return LengthBucketedBatches(rows_of(rows), labels=labels).checksum()

    assert checksum([3, 4]) == checksum([3, 4])
    assert len({checksum([3, 4]), checksum([4, 3]), checksum([3, 4], [0, 1])}) == 3
