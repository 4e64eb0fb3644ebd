"""The smallest weights become zero on schedule and stay it."""

import keras
import numpy as np
import pytest
from pruning_models import LABELS, TEXTS, shake

import tinybert_tf as tb
from tinybert_tf.compress import MagnitudePruning, sparsity
from tinybert_tf.compress.magnitude import encoder_kernels, magnitude_mask


@pytest.fixture
def classifier(build_tiny):
    return shake(build_tiny(num_layers=1), scale=0.1)


class Record(keras.callbacks.Callback):
    """The kernels after every batch."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier
        self.kernels = []

    def on_train_batch_end(self, batch, logs=None):
        self.kernels.append([k.numpy() for k in encoder_kernels(self.classifier)])

    def zeros(self):
        return [sum((k == 0).sum() for k in kernels) for kernels in self.kernels]


def train(classifier, *callbacks, epochs=5, rate=1e-2):
    """Two steps an epoch."""
    classifier.compile(optimizer=keras.optimizers.Adam(rate))
    classifier.fit(TEXTS, LABELS, batch_size=4, epochs=epochs, callbacks=list(callbacks), verbose=0)


def test_the_mask_by_hand():
    values = np.array([[0.1, -3.0, 0.2], [-0.05, 0.0, 2.0]], "float32")
    expected = {0.0: [[1, 1, 1], [1, 1, 1]], 0.5: [[0, 1, 1], [0, 0, 1]], 1.0: [[0] * 3] * 2}
    for share, mask in expected.items():
        np.testing.assert_array_equal(magnitude_mask(values, share), mask)
    ties = magnitude_mask(np.ones((2, 2)), 0.25)
    np.testing.assert_array_equal(ties, [[0, 1], [1, 1]])


def test_follows_the_schedule(classifier):
    record = Record(classifier)
    train(classifier, MagnitudePruning(0.5, begin_step=2, end_step=8, frequency=3), record)
    total = sum(k.size for k in encoder_kernels_values(classifier))
    assert total == 4 * 16 * 16 + 2 * 16 * 32
    halfway = 0.5 - 0.5 * (1 - 3 / 6) ** 3  # at step 5
    shares = np.array(record.zeros()) / total
    np.testing.assert_allclose(shares, [0] * 4 + [halfway] * 3 + [0.5] * 3, atol=1e-3)
    report = sparsity(classifier)
    assert len(report) == 7
    assert report["total"] == pytest.approx(0.5)
    for share in report.values():  # each kernel on its own
        assert share == pytest.approx(0.5)


def encoder_kernels_values(classifier):
    return [kernel.numpy() for kernel in encoder_kernels(classifier)]


def test_the_smallest_of_each_kernel_go_and_the_rest_trains(classifier):
    """One step from frozen weights: what is pruned is a function of the weights alone."""
    before = encoder_kernels_values(classifier)
    train(classifier, MagnitudePruning(0.25, 0, 1, 1), epochs=1, rate=0.0)
    for old, new in zip(before, encoder_kernels_values(classifier), strict=True):
        cut = np.sort(np.abs(old).ravel())[old.size // 4]
        np.testing.assert_array_equal(new, np.where(np.abs(old) < cut, 0, old))


def test_zeros_stay_while_the_others_train(classifier):
    record = Record(classifier)
    train(classifier, MagnitudePruning(0.5, 0, 4, 2), record)
    for early, late in zip(record.kernels[3], record.kernels[-1], strict=True):
        np.testing.assert_array_equal(early == 0, late == 0)
        assert np.abs(early - late).max() > 1e-3
    untouched = classifier.backbone.embeddings.token_embedding.embeddings.numpy()
    assert (untouched != 0).all()


def test_an_end_between_two_turns_is_reached(classifier):
    train(classifier, MagnitudePruning(0.5, 0, 5, 4))
    assert sparsity(classifier)["total"] == pytest.approx(0.5)


@pytest.mark.slow
def test_another_fit_keeps_the_zeros(classifier):
    """Its schedule starts again from none."""
    train(classifier, MagnitudePruning(0.5, 0, 4, 1), epochs=2)
    zeros = [kernel == 0 for kernel in encoder_kernels_values(classifier)]
    record = Record(classifier)
    train(classifier, MagnitudePruning(0.6, 0, 8, 1), record, epochs=4)
    for kernels in record.kernels:
        for old, new in zip(zeros, kernels, strict=True):
            assert (new[old] == 0).all()
    assert sparsity(classifier)["total"] == pytest.approx(0.6, abs=1e-3)


def test_with_distillation(classifier, build_tiny):
    pruning = MagnitudePruning(0.5, 0, 4, 1)
    tb.distill(
        shake(build_tiny(num_layers=1), seed=1),
        classifier,
        TEXTS,
        stages="prediction",
        epochs=3,
        batch_size=4,
        callbacks=[pruning],
        verbose=0,
    )
    assert sparsity(classifier)["total"] == pytest.approx(0.5)
    assert sparsity(classifier.backbone) == sparsity(classifier)


@pytest.mark.parametrize("settings", [{"dtype": "mixed_bfloat16"}, {"quantization": "static_int8"}])
@pytest.mark.slow
def test_other_kinds_of_weights(build_tiny, settings):
    classifier = shake(build_tiny(num_layers=1, **settings), scale=0.1)
    train(classifier, MagnitudePruning(0.5, 0, 2, 1), epochs=2)
    assert sparsity(classifier)["total"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "arguments", [(1.0, 0, 9), (-0.5, 0, 9), (0.5, 9, 9), (0.5, -1, 9), (0.5, 0, 9, 0)]
)
def test_wrong_arguments(arguments):
    with pytest.raises(tb.TinyBertError, match="Received: (target_sparsity|begin_step)="):
        MagnitudePruning(*arguments)


def test_another_model():
    model = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(tb.TinyBertError, match="Received: Sequential"):
        sparsity(model)
