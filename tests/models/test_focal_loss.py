import keras
import numpy as np
import pytest
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.focal_loss import FocalLoss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (6, 3)).astype("float32")
CLASSES = np.array([0, 1, 2, 2, 1, 0])
MULTI_HOT = RNG.integers(0, 2, (6, 3)).astype("float32")
ALPHA = [0.5, 1.0, 3.0]


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def focal(p, gamma, alpha):
    """Equation (5) of the paper."""
    return -alpha * (1 - p) ** gamma * np.log(p)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_categorical_against_numpy(gamma, alpha):
    p = softmax(LOGITS)[np.arange(6), CLASSES]
    expected = focal(p, gamma, np.array(alpha or [1.0] * 3)[CLASSES])
    loss = FocalLoss(gamma, alpha, reduction="none")
    one_hot = np.eye(3)[CLASSES]
    for targets in (CLASSES, CLASSES[:, None], CLASSES.astype("float32"), one_hot):
        np.testing.assert_allclose(loss(targets, LOGITS), expected, rtol=1e-5)
    loss = FocalLoss(gamma, alpha, from_logits=False, reduction="none")
    np.testing.assert_allclose(loss(CLASSES, softmax(LOGITS)), expected, rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_multi_label_against_numpy(gamma, alpha):
    p = sigmoid(LOGITS)
    positives = focal(p, gamma, np.array(alpha or [1.0] * 3))
    negatives = focal(1 - p, gamma, 1.0)
    expected = (MULTI_HOT * positives + (1 - MULTI_HOT) * negatives).mean(axis=-1)
    loss = FocalLoss(gamma, alpha, multi_label=True, reduction="none")
    np.testing.assert_allclose(loss(MULTI_HOT, LOGITS), expected, rtol=1e-4)
    loss = FocalLoss(gamma, alpha, from_logits=False, multi_label=True, reduction="none")
    np.testing.assert_allclose(loss(MULTI_HOT, p), expected, rtol=1e-4)


def test_by_hand():
    assert float(FocalLoss()([1], [[0.0, 0.0]])) == pytest.approx(0.25 * np.log(2))
    # p = 0.9 and 0.1 of two examples, and their mean.
    p = np.array([[0.9, 0.1], [0.9, 0.1]])
    expected = (0.01 * -np.log(0.9) + 0.81 * -np.log(0.1)) / 2
    assert float(FocalLoss(from_logits=False)([0, 1], p)) == pytest.approx(expected, rel=1e-5)


def test_gamma_zero_is_cross_entropy():
    reference = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(FocalLoss(gamma=0)(CLASSES, LOGITS)) == pytest.approx(
        float(reference(CLASSES, LOGITS)), rel=1e-6
    )


def test_sample_weight_and_soft_targets():
    loss = FocalLoss(reduction="none")
    weight = np.arange(6, dtype="float32")
    np.testing.assert_allclose(
        loss(CLASSES, LOGITS, sample_weight=weight), weight * loss(CLASSES, LOGITS), rtol=1e-6
    )
    soft = softmax(RNG.normal(size=(6, 3)))
    expected = (soft * focal(softmax(LOGITS), 2.0, 1.0)).sum(axis=-1)
    np.testing.assert_allclose(loss(soft, LOGITS), expected, rtol=1e-4)


def test_class_weights_as_alpha():
    as_dict = FocalLoss(alpha={0: 0.5, 1: 1.0, 2: 3.0})
    assert as_dict.alpha == ALPHA
    assert FocalLoss(alpha={"1": 1, "0": 0.5, "2": 3}).alpha == ALPHA


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_gradients_of_extreme_logits_are_finite(gamma, multi_label):
    import tensorflow as tf

    logits = tf.Variable([[200.0, -200.0], [-200.0, 200.0], [0.0, 0.0]])
    targets = tf.constant([[1.0, 0.0]] * 3)
    with tf.GradientTape() as tape:
        value = FocalLoss(gamma, multi_label=multi_label)(targets, logits)
    gradient = tape.gradient(value, logits).numpy()
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert value > 50 and gradient[1, 0] < 0 and np.abs(gradient[0]).max() < 1e-3


def test_gradient_against_differences():
    import tensorflow as tf

    loss = FocalLoss(alpha=ALPHA)
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        value = loss(CLASSES, logits)
    gradient = tape.gradient(value, logits).numpy()
    step = 1e-2
    for row, column in ((0, 0), (2, 1), (5, 2)):
        shift = np.zeros_like(LOGITS)
        shift[row, column] = step
        slope = (loss(CLASSES, LOGITS + shift) - loss(CLASSES, LOGITS - shift)) / (2 * step)
        assert gradient[row, column] == pytest.approx(float(slope), abs=2e-4)


@pytest.mark.parametrize("arguments", [{}, {"gamma": 1, "alpha": ALPHA, "multi_label": True}])
def test_config_round_trip(arguments):
    loss = FocalLoss(name="mine", **arguments)
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(copy, FocalLoss)
    assert copy.get_config() == loss.get_config()
    targets = MULTI_HOT if loss.multi_label else CLASSES
    assert float(copy(targets, LOGITS)) == float(loss(targets, LOGITS))


def test_training_finds_the_rare_class(tmp_path):
    keras.utils.set_random_seed(0)
    x = np.concatenate([RNG.normal(-1, 0.3, (95, 2)), RNG.normal(1, 0.3, (5, 2))]).astype("float32")
    y = np.array([0] * 95 + [1] * 5)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2)])
    loss = FocalLoss(alpha=[0.5, 10.0])
    model.compile(keras.optimizers.SGD(0.5), loss)
    history = model.fit(x, y, epochs=5, batch_size=20, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    assert (model.predict(x, verbose=0).argmax(axis=-1) == y).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()


def test_half_precision_predictions():
    value = FocalLoss()(CLASSES, ops.cast(LOGITS, "float16"))
    assert float(value) == pytest.approx(float(FocalLoss()(CLASSES, LOGITS)), rel=1e-2)


@pytest.mark.parametrize("gamma", [-1, float("nan"), float("inf")])
def test_bad_gamma(gamma):
    with pytest.raises(TinyBertError, match=f"gamma={gamma}"):
        FocalLoss(gamma)


def test_bad_alpha():
    with pytest.raises(TinyBertError, match=r"every class id from 0. Received: the ids \[0, 2\]"):
        FocalLoss(alpha={0: 1, 2: 1})
    with pytest.raises(TinyBertError, match=r"each of 3 classes. Received: 2 weights"):
        FocalLoss(alpha=[1, 2])(CLASSES, LOGITS)
