"""What is removed counts as zero, and what is reordered changes nothing."""

import keras
import numpy as np
import pytest
from pruning_models import LABELS, TEXTS, logits, shake, silence

import tinybert_tf as tb
from tinybert_tf.compress import (
    Importance,
    measure_importance,
    prune_structure,
    reorder_by_importance,
)

HEADS = np.array([[0.1, 0.9, 0.3, 0.2], [0.7, 0.0, 0.6, 0.8]])
NEURONS = np.array([[5, 1, 4, 0, 3, 2], [0, 0, 7, 0, 7, 9]], float)
IMPORTANCE = Importance(HEADS, NEURONS)


@pytest.fixture
def classifier(build_tiny):
    return shake(build_tiny(num_heads=4, intermediate_dim=6))


# === Removal ===


def test_removal_equals_zeros(classifier):
    pruned = prune_structure(classifier, IMPORTANCE, num_heads=2, intermediate_dim=3)
    untouched = logits(classifier)
    silence(classifier, 0, heads=[0, 3], neurons=[1, 3, 5])  # kept: 1, 2 and 0, 2, 4
    silence(classifier, 1, heads=[1, 2], neurons=[0, 1, 3])  # kept: 0, 3 and 2, 4, 5
    np.testing.assert_allclose(logits(pruned), logits(classifier), atol=1e-5)
    assert np.abs(logits(pruned) - untouched).max() > 1e-2


def test_the_matrices_are_smaller(classifier):
    before = [weight.numpy() for weight in classifier.weights]
    pruned = prune_structure(classifier, IMPORTANCE, num_heads=3, intermediate_dim=2)
    config = pruned.backbone.get_config()
    assert (config["num_heads"], config["attention_dim"], config["intermediate_dim"]) == (3, 12, 2)
    block = pruned.backbone.encoder_blocks[1]
    old = classifier.backbone.encoder_blocks[1]
    columns = [*range(4), *range(8, 16)]  # heads 0, 2 and 3 of width 4
    for name in ("query_dense", "key_dense", "value_dense"):
        kernel, bias = getattr(block.attention, name).get_weights()
        old_kernel, old_bias = getattr(old.attention, name).get_weights()
        np.testing.assert_array_equal(kernel, old_kernel[:, columns])
        np.testing.assert_array_equal(bias, old_bias[columns])
    kernel, bias = block.attention.output_dense.get_weights()
    np.testing.assert_array_equal(kernel, old.attention.output_dense.get_weights()[0][columns])
    np.testing.assert_array_equal(bias, old.attention.output_dense.get_weights()[1])
    neurons = [2, 5]  # of equal ones, the first
    kernel, bias = block.feed_forward.intermediate_dense.get_weights()
    old_kernel, old_bias = old.feed_forward.intermediate_dense.get_weights()
    np.testing.assert_array_equal(kernel, old_kernel[:, neurons])
    np.testing.assert_array_equal(bias, old_bias[neurons])
    kernel = block.feed_forward.output_dense.get_weights()[0]
    np.testing.assert_array_equal(kernel, old.feed_forward.output_dense.get_weights()[0][neurons])
    # a block: 4 x 16 a head in q, k, v, o, 3 x 4 biases, and 16 + 16 + 1 a neuron
    assert classifier.count_params() - pruned.count_params() == 2 * (4 * 64 + 12 + 4 * 33)
    for value, weight in zip(before, classifier.weights, strict=True):
        np.testing.assert_array_equal(value, weight.numpy())


def test_only_heads_or_only_neurons(classifier):
    heads = prune_structure(classifier, IMPORTANCE, num_heads=1).backbone
    assert (heads.num_heads, heads.attention_dim, heads.intermediate_dim) == (1, 4, 6)
    neurons = prune_structure(classifier, IMPORTANCE, intermediate_dim=1).backbone
    assert (neurons.num_heads, neurons.attention_dim, neurons.intermediate_dim) == (4, None, 1)
    same = prune_structure(classifier, IMPORTANCE)
    np.testing.assert_array_equal(logits(same), logits(classifier))


def test_pruned_twice(classifier):
    """The heads' width no longer follows from the hidden width."""
    once = prune_structure(classifier, IMPORTANCE, num_heads=3, intermediate_dim=4)
    twice = prune_structure(once, Importance(HEADS[:, 1:], NEURONS[:, 2:]), 2, 3)
    assert twice.backbone.attention_dim == 8
    silence(once, 0, heads=[2], neurons=[1])
    silence(once, 1, heads=[0], neurons=[1])
    np.testing.assert_allclose(logits(twice), logits(once), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_everything_else_is_kept(tiny_vocabulary, dtype, tmp_path):
    backbone = tb.TinyBertBackbone(
        len(tiny_vocabulary), 2, 4, 16, 6, max_sequence_length=20, reduced_dim=8, dtype=dtype
    )
    classifier = shake(
        tb.TinyBertTextClassifier(
            backbone,
            labels=["b", "a", "c"],
            preprocessor=tb.TinyBertTextClassifierPreprocessor(
                tb.TinyBertTokenizer(tiny_vocabulary, lowercase=False), 17
            ),
            head="tinybert",
            multi_label=True,
            dropout=0.3,
        )
    )
    pruned = prune_structure(classifier, IMPORTANCE, num_heads=2, intermediate_dim=3)
    for name in ("labels", "head", "multi_label", "dropout", "sequence_length", "name"):
        assert getattr(pruned, name) == getattr(classifier, name)
    assert pruned.backbone.get_config() == {
        **backbone.get_config(),
        "num_heads": 2,
        "attention_dim": 8,
        "intermediate_dim": 3,
    }
    assert pruned.wordpiece == classifier.wordpiece
    pruned.save_to_preset(str(tmp_path / "preset"))
    pruned.save(tmp_path / "model.keras")
    for copy in (
        tb.TinyBertTextClassifier.from_preset(str(tmp_path / "preset"), dtype=dtype),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        np.testing.assert_allclose(logits(copy), logits(pruned), atol=1e-6)


def test_what_hardly_speaks_is_found_and_goes(classifier):
    """Two heads and three neurons of each block whisper; measuring finds them all."""
    for block in classifier.backbone.encoder_blocks:
        for layer, quiet, size in (
            (block.attention.output_dense, [1, 2], 4),
            (block.feed_forward.output_dense, [0, 3, 4], 1),
        ):
            kernel = layer.kernel.numpy()
            for part in quiet:
                kernel[part * size : (part + 1) * size] *= 1e-3
            layer.kernel.assign(kernel)
    before = logits(classifier)
    importance = measure_importance(classifier, TEXTS, LABELS)
    pruned = prune_structure(classifier, importance, num_heads=2, intermediate_dim=3)
    np.testing.assert_allclose(logits(pruned), before, atol=5e-3)
    loud = Importance(-importance.heads, -importance.neurons)
    assert np.abs(logits(prune_structure(classifier, loud, 2, 3)) - before).max() > 5e-2


# === Order ===


def test_reordering_changes_no_output(classifier):
    ordered = reorder_by_importance(classifier, IMPORTANCE)
    np.testing.assert_allclose(logits(ordered), logits(classifier), atol=1e-5)
    assert ordered.backbone.get_config() == classifier.backbone.get_config()
    new = ordered.backbone.encoder_blocks[0]
    old = classifier.backbone.encoder_blocks[0]
    key, old_key = new.attention.key_dense.kernel.numpy(), old.attention.key_dense.kernel.numpy()
    for position, head in enumerate([1, 2, 3, 0]):
        np.testing.assert_array_equal(
            key[:, 4 * position : 4 * position + 4], old_key[:, 4 * head : 4 * head + 4]
        )
    np.testing.assert_array_equal(
        new.feed_forward.output_dense.kernel.numpy(),
        old.feed_forward.output_dense.kernel.numpy()[[0, 2, 4, 5, 1, 3]],
    )


def test_a_prefix_of_the_ordered_model_is_the_pruned_one(classifier):
    ordered = reorder_by_importance(classifier, IMPORTANCE)
    falling = Importance(-np.sort(-HEADS), -np.sort(-NEURONS))
    np.testing.assert_allclose(
        logits(prune_structure(ordered, falling, 2, 3)),
        logits(prune_structure(classifier, IMPORTANCE, 2, 3)),
        atol=1e-5,
    )
    measured = measure_importance(classifier, TEXTS, LABELS)
    again = measure_importance(reorder_by_importance(classifier, measured), TEXTS, LABELS)
    np.testing.assert_allclose(again.heads, -np.sort(-measured.heads), rtol=1e-3, atol=1e-6)
    assert (np.diff(again.neurons) <= 1e-6).all()


# === Errors ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "num_heads=0"),
        ({"num_heads": -1}, "from 1 to 4 .*num_heads=-1"),
        ({"num_heads": 5}, "from 1 to 4 .*num_heads=5"),
        ({"intermediate_dim": 0}, "intermediate_dim=0"),
        ({"intermediate_dim": 7}, "from 1 to 6 .*intermediate_dim=7"),
    ],
)
def test_wrong_counts(classifier, arguments, message):
    with pytest.raises(tb.TinyBertError, match=message):
        prune_structure(classifier, IMPORTANCE, **arguments)


@pytest.mark.parametrize(
    ("heads", "neurons", "message"),
    [
        (HEADS[:, :3], NEURONS, r"shape \(2, 4\).*shape \(2, 3\)"),
        (HEADS, NEURONS[:1], r"shape \(2, 6\).*shape \(1, 6\)"),
        (HEADS * np.nan, NEURONS, "infinity in heads"),
    ],
)
def test_wrong_importance(classifier, heads, neurons, message):
    for function in (prune_structure, reorder_by_importance):
        with pytest.raises(tb.TinyBertError, match=message):
            function(classifier, Importance(heads, neurons))


def test_a_quantization_aware_model(build_tiny):
    quantized = build_tiny(num_heads=4, intermediate_dim=6, quantization="dynamic_int8")
    for function in (prune_structure, reorder_by_importance):
        with pytest.raises(tb.TinyBertError, match="prune first"):
            function(quantized, IMPORTANCE)
