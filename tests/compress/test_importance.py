"""The importance of heads and neurons, against derivatives by finite differences."""

from functools import partial

import numpy as np
import pytest
from pruning_models import LABELS, TEXTS, shake

import tinybert_tf as tb
from tinybert_tf.compress import measure_importance


@pytest.fixture
def classifier(build_tiny):
    return shake(build_tiny(num_heads=4, intermediate_dim=8, dropout=0.5))


def cross_entropy(classifier, texts, labels):
    """Mean over texts; labels are class numbers or rows of soft targets.

    Eager, since `predict` takes longer to start.
    """
    batches = classifier.batches(texts, shuffle=False, batch_size=len(texts))
    values = np.empty((len(texts), 2))
    values[batches.indices()] = classifier(batches.batch(0, 0)[0], training=False)
    log_probabilities = values - np.log(np.exp(values).sum(-1, keepdims=True))
    targets = np.eye(2)[labels] if np.ndim(labels) == 1 else labels
    return -np.mean(np.sum(targets * log_probabilities, -1))


def slope(kernel, rows, loss, step=1e-2):
    """dL/dmask by central differences: a mask on what enters a kernel scales its rows."""
    original = kernel.numpy()
    losses = []
    for mask in (1 + step, 1 - step):
        scaled = original.copy()
        scaled[rows] *= mask
        kernel.assign(scaled)
        losses.append(loss())
    kernel.assign(original)
    return (losses[0] - losses[1]) / (2 * step)


def by_hand(classifier, parts, loss):
    """Mean of |dL/dmask| over equal parts of the texts, each given to `loss`."""
    backbone = classifier.backbone
    heads = np.zeros((backbone.num_layers, backbone.num_heads))
    neurons = np.zeros((backbone.num_layers, backbone.intermediate_dim))
    for part in parts:
        for layer, block in enumerate(backbone.encoder_blocks):
            size = block.attention.head_dim
            for head in range(backbone.num_heads):
                rows = slice(head * size, (head + 1) * size)
                kernel = block.attention.output_dense.kernel
                heads[layer, head] += abs(slope(kernel, rows, partial(loss, *part)))
            for neuron in range(backbone.intermediate_dim):
                kernel = block.feed_forward.output_dense.kernel
                neurons[layer, neuron] += abs(slope(kernel, neuron, partial(loss, *part)))
    return heads / len(parts), neurons / len(parts)


def assert_close(importance, heads, neurons):
    assert heads.max() > 1e-2 and neurons.max() > 5e-3
    np.testing.assert_allclose(importance.heads, heads, rtol=1e-2, atol=2e-5)
    np.testing.assert_allclose(importance.neurons, neurons, rtol=1e-2, atol=2e-5)


def test_one_batch_of_labels(classifier):
    """Dropout of 0.5 would show: it is off."""
    before = classifier.get_weights()
    importance = measure_importance(classifier, TEXTS, LABELS)
    for a, b in zip(before, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    numbers = classifier.encode_labels(LABELS)
    heads, neurons = by_hand(
        classifier, [(TEXTS, numbers)], lambda *part: cross_entropy(classifier, *part)
    )
    assert_close(importance, heads, neurons)


@pytest.mark.slow
def test_batches_of_one_are_a_mean_of_absolute_values(classifier):
    texts, labels = TEXTS[:3], LABELS[:3]
    importance = measure_importance(classifier, texts, labels, batch_size=1)
    numbers = classifier.encode_labels(labels)
    parts = [([text], [number]) for text, number in zip(texts, numbers, strict=True)]
    heads, neurons = by_hand(classifier, parts, lambda *part: cross_entropy(classifier, *part))
    assert_close(importance, heads, neurons)
    together = measure_importance(classifier, texts, labels)
    assert (importance.heads >= together.heads - 1e-6).all()  # |a| + |b| >= |a + b|
    assert importance.heads.sum() > 1.01 * together.heads.sum()


def test_soft_targets_of_a_teacher(classifier, build_tiny):
    teacher = shake(build_tiny(num_layers=1), seed=3)
    importance = measure_importance(classifier, TEXTS, teacher=teacher)
    targets = teacher.predict_proba(TEXTS)
    heads, neurons = by_hand(
        classifier, [(TEXTS, targets)], lambda *part: cross_entropy(classifier, *part)
    )
    assert_close(importance, heads, neurons)


def test_multi_label_and_pairs(tiny_vocabulary, build_tiny):
    backbone = build_tiny().backbone
    classifier = shake(
        tb.TinyBertTextClassifier(
            backbone,
            labels=["short", "good", "old"],
            multi_label=True,
            preprocessor=tb.TinyBertTextClassifierPreprocessor(
                tb.TinyBertTokenizer(tiny_vocabulary), 20
            ),
        )
    )
    labels = [["short"], [], ["good", "old"]]
    importance = measure_importance(classifier, (TEXTS[:3], TEXTS[3:6]), labels, batch_size=2)
    assert importance.heads.shape == (2, 2)
    assert importance.neurons.shape == (2, 32)
    assert importance.heads.min() > 0


def test_a_silent_head_and_neuron_have_none(classifier):
    block = classifier.backbone.encoder_blocks[1]
    kernel = block.attention.output_dense.kernel
    kernel.assign(kernel.numpy() * np.repeat([1, 1, 0, 1], 4)[:, None])
    dense = block.feed_forward.intermediate_dense
    # gelu(0) = 0: the neuron never fires, whatever its outgoing weights are.
    dense.kernel.assign(dense.kernel.numpy() * (np.arange(8) != 5))
    dense.bias.assign(dense.bias.numpy() * (np.arange(8) != 5))
    importance = measure_importance(classifier, TEXTS, LABELS)
    assert importance.heads[1, 2] == 0
    assert importance.neurons[1, 5] < 1e-7
    assert np.delete(importance.heads[1], 2).min() > 1e-5


def test_draws_examples_by_seed(classifier):
    def heads(seed, **kwargs):
        return measure_importance(
            classifier, TEXTS, LABELS, max_examples=3, seed=seed, **kwargs
        ).heads

    np.testing.assert_array_equal(heads(1), heads(1))
    assert np.abs(heads(1) - heads(2)).max() > 1e-4
    everything = measure_importance(classifier, TEXTS, LABELS, max_examples=None).heads
    np.testing.assert_allclose(
        everything, measure_importance(classifier, TEXTS, LABELS).heads, rtol=1e-5
    )


def test_labels_are_drawn_with_their_texts(classifier):
    rows = np.sort(np.random.default_rng(4).choice(len(TEXTS), 3, replace=False))
    expected = measure_importance(
        classifier, [TEXTS[row] for row in rows], [LABELS[row] for row in rows]
    )
    drawn = measure_importance(classifier, TEXTS, LABELS, max_examples=3, seed=4)
    np.testing.assert_allclose(drawn.neurons, expected.neurons, rtol=1e-4, atol=1e-7)


# === Errors ===


def test_errors(classifier, build_tiny):
    with pytest.raises(tb.TinyBertError, match="labels or a teacher"):
        measure_importance(classifier, TEXTS)
    with pytest.raises(tb.TinyBertError, match="max_examples=0"):
        measure_importance(classifier, TEXTS, LABELS, max_examples=0)
    with pytest.raises(tb.TinyBertError, match="a backbone"):
        measure_importance(classifier, TEXTS, teacher=build_tiny().backbone)
    with pytest.raises(tb.TinyBertError, match="dynamic_int8"):
        measure_importance(build_tiny(quantization="dynamic_int8"), TEXTS, LABELS)
    with pytest.raises(tb.TinyBertError, match="TinyBertBackbone"):
        measure_importance(classifier.backbone, TEXTS, LABELS)
