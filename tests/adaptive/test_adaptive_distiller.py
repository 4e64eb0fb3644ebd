"""The training step against numbers computed by hand, and the sandwich rule."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from adaptive_models import batch_of, new_student, noisy_classifier

import tinybert_tf as tb
from tinybert_tf.adaptive import AdaptiveDistiller, AdaptiveStudent
from tinybert_tf.adaptive.distiller import sandwich_choice
from tinybert_tf.adaptive.guides import teacher_guide, width_guide
from tinybert_tf.distillation.views import observe

# Training and export of many small models.
pytestmark = pytest.mark.slow


# === BERT of one block in numpy, on the first heads and neurons ===
def layer_norm(x, layer):
    gamma, beta = layer.get_weights()
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-12) * gamma + beta


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def numpy_forward(classifier, token_ids, num_heads, neurons):
    """Logits and hidden states of one text without padding."""
    backbone = classifier.backbone
    embeddings, block = backbone.embeddings, backbone.encoder_blocks[0]
    words, positions, segments = (
        getattr(embeddings, f"{name}_embedding").get_weights()[0]
        for name in ("token", "position", "segment")
    )
    hidden = words[token_ids] + positions[: len(token_ids)] + segments[0]
    states = [layer_norm(hidden, embeddings.layer_norm)]
    attention, size = block.attention, block.attention.head_dim
    attended = attention.output_dense.get_weights()[1]
    for head in range(num_heads):
        part = slice(head * size, (head + 1) * size)
        query, key, value = (
            states[0] @ layer.get_weights()[0][:, part] + layer.get_weights()[1][part]
            for layer in (attention.query_dense, attention.key_dense, attention.value_dense)
        )
        context = softmax(query @ key.T / math.sqrt(size)) @ value
        attended = attended + context @ attention.output_dense.get_weights()[0][part]
    hidden = layer_norm(states[0] + attended, block.attention_layer_norm)
    kernel, bias = block.feed_forward.intermediate_dense.get_weights()
    inner = gelu(hidden @ kernel[:, :neurons] + bias[:neurons])
    kernel, bias = block.feed_forward.output_dense.get_weights()
    states.append(layer_norm(hidden + inner @ kernel[:neurons] + bias, block.output_layer_norm))
    kernel, bias = backbone.pooler.get_weights()
    pooled = np.tanh(states[1][0] @ kernel + bias)
    kernel, bias = classifier.output_dense.get_weights()
    return pooled @ kernel + bias, states


def numpy_loss(student, teacher, rows, shape, hidden_weight):
    """Mean over texts of soft cross-entropy and weighted hidden losses."""
    losses = []
    for token_ids in rows:
        own, own_states = numpy_forward(student, token_ids, *shape)
        other, states = numpy_forward(teacher, token_ids, teacher.backbone.num_heads, 32)
        cross_entropy = -np.sum(softmax(other) * np.log(softmax(own)))
        hidden = sum(np.mean((a - b) ** 2) for a, b in zip(own_states, states, strict=True))
        losses.append(cross_entropy + hidden_weight * hidden)
    return np.mean(losses)


def one_block():
    """A student of one block with two widths, and a teacher of the same shape."""
    student = new_student(0, widths=(0.5, 1.0), depths=(1.0,), num_layers=1, num_heads=2)
    return student, noisy_classifier(1, num_layers=1, num_heads=2)


def sgd(student, guide, rate=0.1, **options):
    distiller = AdaptiveDistiller(student, guide, student.subnetworks, **options)
    distiller.compile(optimizer=keras.optimizers.SGD(rate))
    return distiller


def test_the_loss_of_a_step_by_hand():
    student, teacher = one_block()
    distiller = sgd(student, teacher_guide(student, teacher), hidden_weight=0.1)
    x, y = batch_of(student.classifier)
    rows = [ids[mask == 1] for ids, mask in zip(x["token_ids"], x["padding_mask"], strict=True)]
    assert len({len(row) for row in rows}) > 1
    parts = [
        numpy_loss(student.classifier, teacher, rows, shape, 0.1) for shape in ((2, 32), (1, 16))
    ]
    logs = distiller.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], np.mean(parts), rtol=1e-5)
    expected = logs["prediction_loss"] + 0.1 * logs["hidden_loss"]
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-6)


def test_the_gradients_of_a_step_are_summed():
    """The slopes of the hand-computed sum of both losses along two kernel entries."""
    student, teacher = one_block()
    distiller = sgd(student, teacher_guide(student, teacher), hidden_weight=0.1)
    x, _ = batch_of(student.classifier)
    rows = [ids[mask == 1] for ids, mask in zip(x["token_ids"], x["padding_mask"], strict=True)]
    dense = student.classifier.backbone.encoder_blocks[0].feed_forward.intermediate_dense
    kernel = dense.kernel.numpy()

    def total(entry, change):
        moved = kernel.astype("float64")
        moved[entry] += change
        dense.kernel.assign(moved)
        shapes = (2, 32), (1, 16)
        losses = [numpy_loss(student.classifier, teacher, rows, shape, 0.1) for shape in shapes]
        dense.kernel.assign(kernel)
        return sum(losses)

    shared, last = (3, 6), (3, 20)  # the second is a neuron of the larger width only
    slopes = [(total(at, 0.01) - total(at, -0.01)) / 0.02 for at in (shared, last)]
    distiller.train_on_batch(x)
    steps = [(kernel - dense.kernel.numpy())[at] / 0.1 for at in (shared, last)]
    np.testing.assert_allclose(steps, slopes, rtol=0.02)
    assert np.abs(slopes).min() > 1e-3


def test_each_block_learns_to_receive_what_it_did():
    """Half of four blocks: states 0, 2 and the last of the full-depth sub-network."""
    student = new_student()
    guide = width_guide(student)
    distiller = AdaptiveDistiller(student, guide, student.subnetworks)
    x, _ = batch_of(student.classifier)
    found = student.subnetwork(0.5, 0.5)
    (_, hidden), _ = distiller.evaluate_subnetwork(found, x, guide(x))
    own = student.forward(x, 0.5, 0.5)["hidden_states"]
    full = student.forward(x, 0.5)["hidden_states"]
    expected = 0.0
    for a, b in zip(own, (full[0], full[2], full[4]), strict=True):
        per_token = np.mean((a - b).numpy() ** 2, axis=-1) * x["padding_mask"]
        expected += np.mean(per_token.sum(axis=1) / x["padding_mask"].sum(axis=1))
    np.testing.assert_allclose(hidden, expected, rtol=1e-5)


def test_the_width_guide_stays_and_the_teacher_is_mapped():
    student, teacher = new_student(num_layers=2), noisy_classifier(3, hidden_dim=24)
    x, _ = batch_of(student.classifier)
    frozen = width_guide(student)
    before = {width: student.forward(x, width) for width in student.widths}
    for variable in student.classifier.trainable_weights:
        variable.assign(variable * 0.5)
    answer = frozen(x)
    for width, outputs in before.items():
        found = student.subnetwork(width)
        logits, states = answer(found.num_heads, found.intermediate_dim)
        np.testing.assert_allclose(logits, outputs["logits"], atol=1e-6)
        np.testing.assert_allclose(states[-1], outputs["hidden_states"][-1], atol=1e-6)
        counts = tf.constant(found.num_heads), tf.constant(found.intermediate_dim)
        np.testing.assert_allclose(answer(*counts)[0], logits, atol=1e-6)
    assert np.abs(before[0.25]["logits"] - before[1.0]["logits"]).max() > 0.1

    logits, states = teacher_guide(student, teacher)(x)(1, 8)
    seen = observe(teacher)(x)
    np.testing.assert_array_equal(logits, seen["logits"])
    for state, index in zip(states, (0, 2, 4), strict=True):
        np.testing.assert_array_equal(state, seen["hidden_states"][index])
    distiller = sgd(student, teacher_guide(student, teacher), guide_dim=24)
    assert [p.kernel.shape for p in distiller.projections] == [(16, 24)] * 2
    kernels = [p.kernel.numpy() for p in distiller.projections]
    assert np.isfinite(distiller.train_on_batch(x)).all()
    for kernel, projection in zip(kernels, distiller.projections, strict=True):
        assert np.abs(kernel - projection.kernel.numpy()).max() > 0


@pytest.mark.slow
def test_the_sandwich_is_the_largest_the_smallest_and_the_chosen():
    """A step's update is that of the three losses' sum; another seed chooses another one."""
    shape = {"widths": (0.25, 0.5, 1.0), "num_layers": 2}
    x, _ = batch_of(new_student(**shape).classifier)

    def update(train):
        student = new_student(**shape)
        kernel = student.classifier.backbone.encoder_blocks[0].attention.query_dense.kernel
        before = kernel.numpy()
        train(student, kernel)
        return kernel.numpy() - before

    def by_fit(seed):
        def train(student, kernel):
            sgd(student, width_guide(student), 1.0, sandwich=True, seed=seed).train_on_batch(x)

        return train

    def by_hand(seed):
        def train(student, kernel):
            guide = width_guide(student)
            distiller = AdaptiveDistiller(student, guide, student.subnetworks)
            largest, *others, smallest = distiller.subnetworks
            chosen = others[int(sandwich_choice(seed, 0, len(others)))]
            with tf.GradientTape() as tape:
                parts = [
                    distiller.evaluate_subnetwork(found, x, guide(x))[0]
                    for found in (largest, smallest, chosen)
                ]
                loss = sum(prediction + hidden for prediction, hidden in parts)
            kernel.assign(kernel - tape.gradient(loss, kernel.value))

        return train

    first = update(by_fit(0))
    np.testing.assert_allclose(first, update(by_hand(0)), atol=1e-5)
    student = new_student(**shape)
    *others, _ = AdaptiveDistiller(student, None, student.subnetworks).subnetworks[1:]
    chosen = [others[int(sandwich_choice(seed, 0, len(others)))] for seed in range(20)]
    other = next(s for s in range(20) if chosen[s].depth != chosen[0].depth)
    second = update(by_fit(other))
    np.testing.assert_allclose(second, update(by_hand(other)), atol=1e-5)
    assert np.abs(first - second).max() > 1e-4


def test_the_choice_depends_on_seed_and_step_and_reaches_all():
    choices = [int(sandwich_choice(3, step, 10)) for step in range(200)]
    assert choices == [int(sandwich_choice(3, tf.Variable(step), 10)) for step in range(200)]
    assert set(choices) == set(range(10))
    assert choices != [int(sandwich_choice(4, step, 10)) for step in range(200)]


@pytest.mark.parametrize("subnetworks", [1, 2, 3])
def test_few_subnetworks_are_all_trained_and_evaluated(subnetworks):
    student = new_student(widths=(0.25, 0.5, 1.0)[-subnetworks:], depths=(1.0,), num_layers=1)
    distiller = sgd(student, width_guide(student), sandwich=True)
    assert not distiller.sandwich
    x, y = batch_of(student.classifier)
    logs = distiller.test_on_batch(x, y, return_dict=True)
    accuracies = [
        np.mean(np.argmax(student.forward(x, found.width)["logits"], axis=-1) == y)
        for found in student.subnetworks
    ]
    np.testing.assert_allclose(logs["accuracy"], np.mean(accuracies), rtol=1e-6)
    np.testing.assert_allclose(logs["smallest_accuracy"], accuracies[0], rtol=1e-6)
    np.testing.assert_allclose(logs["largest_accuracy"], accuracies[-1], rtol=1e-6)


def test_several_labels_a_text_train():
    student = new_student(num_layers=2, widths=(0.5, 1.0))
    several = tb.TinyBertTextClassifier(
        student.classifier.backbone,
        labels=student.classifier.labels,
        preprocessor=student.classifier.preprocessor,
        multi_label=True,
        dropout=0.0,
    )
    student = AdaptiveStudent(several, widths=(0.5, 1.0), depths=(1.0,))
    distiller = sgd(student, width_guide(student), hidden_weight=0.0)
    x, y = batch_of(student.classifier, labels=[["negative"]] * 8)
    assert y.shape == (8, 2)
    losses = []
    for width in student.widths:  # the width guide starts as the student itself: p's own entropy
        p = 1 / (1 + np.exp(-student.forward(x, width)["logits"].numpy()))
        losses.append(np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p)))
    logs = distiller.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], np.mean(losses), rtol=1e-4)
    np.testing.assert_allclose(logs["prediction_loss"], logs["loss"], rtol=1e-6)
    assert logs["hidden_loss"] == 0


@pytest.mark.slow
def test_half_precision():
    """A bfloat16 step shows the losses of a float32 step, to its three digits, and moves alike."""
    logs, moves = [], []
    for dtype in ("float32", "mixed_bfloat16"):
        student = new_student(widths=(0.5, 1.0), depths=(0.5, 1.0), num_layers=2, dtype=dtype)
        x, y = batch_of(student.classifier)
        kernel = student.classifier.backbone.encoder_blocks[0].attention.query_dense.kernel
        before = kernel.numpy()
        distiller = sgd(student, width_guide(student), 1.0, sandwich=True)
        logs.append(distiller.train_on_batch(x, y, return_dict=True))
        moves.append((kernel.numpy() - before).reshape(-1))
        assert kernel.dtype == "float32"
    np.testing.assert_allclose(logs[1]["loss"], logs[0]["loss"], rtol=0.05)
    assert np.corrcoef(moves)[0, 1] > 0.98


def test_options_out_of_range():
    student = new_student(num_layers=1)
    guide = width_guide(student)
    with pytest.raises(tb.TinyBertError, match="hidden_weight=1.0, temperature=0"):
        AdaptiveDistiller(student, guide, student.subnetworks, temperature=0)
    with pytest.raises(tb.TinyBertError, match="hidden_weight=-1"):
        AdaptiveDistiller(student, guide, student.subnetworks, hidden_weight=-1)
