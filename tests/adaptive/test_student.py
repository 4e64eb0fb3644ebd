"""A sub-network is the masked large one, and what `extract` gives."""

import json

import numpy as np
import pytest
import tensorflow as tf
from adaptive_models import LABELS, TEXTS, batch_of, new_student, noisy_classifier

import tinybert_tf as tb
from tinybert_tf.adaptive import AdaptiveStudent, kept_blocks
from tinybert_tf.distillation.views import observe

# Width and depth; four blocks of four heads and 32 neurons.
SHAPES = {
    (0.25, 0.5): ((0, 2), 1, 8),
    (0.5, 0.75): ((0, 1, 2), 2, 16),
    (0.75, 1.0): ((0, 1, 2, 3), 3, 24),
    (1.0, 0.5): ((0, 2), 4, 32),
    (1.0, 1.0): ((0, 1, 2, 3), 4, 32),
}


def masked_forward(classifier, inputs, blocks, num_heads, neurons):
    """The large model's own blocks, of which heads and neurons beyond a number give zeros."""
    backbone = classifier.backbone
    hidden = backbone.embeddings(inputs["token_ids"], inputs["segment_ids"])
    states = [hidden]
    for index in blocks:
        block = backbone.encoder_blocks[index]
        attention = block.attention
        for dense, rows in (
            (attention.output_dense, num_heads * attention.head_dim),
            (block.feed_forward.output_dense, neurons),
        ):
            kernel = dense.kernel.numpy()
            kernel[rows:] = 0.0
            dense.kernel.assign(kernel)
        hidden, _ = block(hidden, padding_mask=inputs["padding_mask"])
        states.append(hidden)
    pooled = backbone.pooler(hidden[:, 0, :])
    return states, classifier.compute_logits({"pooled_output": pooled}, {})


@pytest.mark.parametrize("shape", SHAPES)
def test_a_subnetwork_is_the_masked_large_one(shape):
    student = new_student()
    inputs, _ = batch_of(student.classifier)
    own = student.forward(inputs, *shape)
    states, logits = masked_forward(noisy_classifier(), inputs, *SHAPES[shape])
    for a, b in zip(own["hidden_states"], states, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(own["logits"], logits, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"reduced_dim": 6}, {"attention_dim": 8}])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_extracted_answers_alike(shape, options):
    student = new_student(**options)
    extracted = student.extract(*shape)
    blocks, heads, neurons = SHAPES[shape]
    backbone = extracted.backbone
    assert (backbone.num_layers, backbone.num_heads) == (len(blocks), heads)
    assert backbone.intermediate_dim == neurons
    inputs, _ = batch_of(student.classifier)
    own, plain = student.forward(inputs, *shape), observe(extracted)(inputs)
    for name in ("hidden_states", "attention_scores"):
        for a, b in zip(own[name], plain[name], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(own["logits"], plain["logits"], atol=1e-5)
    np.testing.assert_allclose(extracted.predict(inputs, verbose=0), own["logits"], atol=1e-5)


def test_the_tinybert_head_and_half_precision():
    plain = noisy_classifier(dtype="mixed_bfloat16")
    classifier = tb.TinyBertTextClassifier(
        plain.backbone, labels=plain.labels, preprocessor=plain.preprocessor, head="tinybert"
    )
    student = AdaptiveStudent(classifier)
    inputs, _ = batch_of(classifier)
    own = student.forward(inputs, 0.5, 0.5)
    assert own["hidden_states"][1].dtype == tf.bfloat16
    extracted = student.extract(0.5, 0.5)
    np.testing.assert_allclose(own["logits"], extracted(inputs), atol=0.02)


def test_extracting_copies():
    student = new_student()
    extracted = student.extract(0.5, 0.5)
    before = student.classifier.get_weights()
    for variable in extracted.weights:
        variable.assign(variable * 0.0)
    for a, b in zip(before, student.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert extracted.classify(TEXTS[:2]) == ["negative", "negative"]


def test_gradients_reach_the_prefix_only():
    student = new_student()
    inputs, _ = batch_of(student.classifier)
    blocks = student.classifier.backbone.encoder_blocks
    query, inner = blocks[2].attention.query_dense, blocks[2].feed_forward.intermediate_dense
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(student.forward(inputs, 0.5, 0.5)["logits"] ** 2)
    gradients = tape.gradient(
        loss, [query.kernel.value, inner.kernel.value, blocks[1].attention.query_dense.kernel.value]
    )
    for gradient, kept in zip(gradients, (8, 16), strict=False):
        assert np.abs(gradient[:, :kept]).min() > 0
        assert np.abs(gradient[:, kept:]).max() == 0
    assert gradients[2] is None


def test_dropout_in_training_only():
    student = new_student(dropout=0.5)
    inputs, _ = batch_of(student.classifier)
    quiet, again, noisy = (student.forward(inputs, training=on)["logits"] for on in (0, 0, 1))
    np.testing.assert_array_equal(quiet, again)
    assert np.abs(quiet - noisy).max() > 0.01


@pytest.mark.parametrize(
    ("layers", "depth", "expected"),
    [
        (12, 0.5, (0, 2, 4, 6, 8, 10)),
        (12, 0.75, (0, 1, 2, 4, 5, 6, 8, 9, 10)),
        (6, 0.75, (0, 1, 2, 4)),
        (3, 0.5, (0, 2)),
        (1, 0.5, (0,)),
        (5, 1.0, (0, 1, 2, 3, 4)),
    ],
)
def test_kept_blocks(layers, depth, expected):
    assert kept_blocks(layers, depth) == expected


def test_subnetworks_count_their_parameters():
    student = new_student(attention_dim=8, reduced_dim=6)
    assert len(student.subnetworks) == 12
    for found in student.subnetworks:
        assert found.parameters == student.extract(found.width, found.depth).count_params()
    assert student.subnetworks[-1].parameters == student.classifier.count_params()


def test_equal_shapes_are_listed_once():
    """Of one head a quarter is one; three quarters of two blocks are two, half is one."""
    student = new_student(num_layers=2, num_heads=1)
    assert [(s.width, s.depth) for s in student.subnetworks] == [
        (width, depth) for depth in (0.5, 1.0) for width in (0.25, 0.5, 0.75, 1.0)
    ]
    assert {s.num_heads for s in student.subnetworks} == {1}


def test_sorting_keeps_the_answers_and_puts_the_important_first(teacher):
    student = AdaptiveStudent.from_classifier(teacher, TEXTS, LABELS, widths=(0.5, 1.0))
    np.testing.assert_allclose(
        student.classifier.predict(TEXTS[:8], verbose=0),
        teacher.predict(TEXTS[:8], verbose=0),
        atol=1e-5,
    )
    from tinybert_tf.compress.importance import measure_importance

    sorted_again = measure_importance(student.classifier, TEXTS, LABELS)
    assert (np.diff(sorted_again.heads, axis=1) <= 1e-6).all()
    assert (np.diff(sorted_again.neurons, axis=1) <= 1e-6).all()
    assert student.widths == (0.5, 1.0)


def test_saving_and_loading(tmp_path):
    student = new_student(widths=(0.5, 1.0), depths=(1.0,))
    student.save(tmp_path / "student")
    student.save(tmp_path / "student")  # replaces itself
    loaded = AdaptiveStudent.load(tmp_path / "student")
    assert (loaded.widths, loaded.depths) == ((0.5, 1.0), (1.0,))
    inputs, _ = batch_of(student.classifier)
    np.testing.assert_array_equal(
        loaded.forward(inputs, 0.5)["logits"], student.forward(inputs, 0.5)["logits"]
    )
    preset = tb.TinyBertTextClassifier.from_preset(str(tmp_path / "student"))
    assert preset.labels == student.classifier.labels
    assert list(tmp_path.iterdir()) == [tmp_path / "student"]


def test_folders_that_are_no_adaptive_student(tmp_path):
    with pytest.raises(tb.TinyBertError, match=r"adaptive\.json"):
        AdaptiveStudent.load(tmp_path / "nothing")
    (tmp_path / "adaptive.json").write_text(json.dumps({"widths": [1.0]}))
    with pytest.raises(tb.TinyBertError, match="KeyError"):
        AdaptiveStudent.load(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": (0.5, 0.75)}, r"widths=\(0\.5, 0\.75\)"),
        ({"depths": (0.0, 1.0)}, "above 0"),
        ({"depths": (0.5, 1.0, 2.0)}, "up to 1"),
        ({"widths": (float("nan"), 1.0)}, "nan"),
        ({"widths": ()}, r"widths=\(\)"),
        ({"widths": "all"}, "widths='all'"),
    ],
)
def test_multipliers_out_of_range(arguments, message):
    with pytest.raises(tb.TinyBertError, match=message):
        AdaptiveStudent(noisy_classifier(), **arguments)


def test_other_errors(teacher):
    student = new_student()
    with pytest.raises(tb.TinyBertError, match="width=0.3, depth=1.0"):
        student.extract(width=0.3)
    with pytest.raises(tb.TinyBertError, match="classifier=TinyBertBackbone"):
        AdaptiveStudent(teacher.backbone)
    with pytest.raises(tb.TinyBertError, match="quantization='dynamic_int8'"):
        AdaptiveStudent(noisy_classifier(quantization="dynamic_int8"))
    with pytest.raises(tb.TinyBertError, match="labels=None, teacher=None"):
        AdaptiveStudent.from_classifier(teacher, TEXTS)
