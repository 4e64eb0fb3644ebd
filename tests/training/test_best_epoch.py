"""A run ends with its best epoch, its start included, also after a kill."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tinybert_tf as tb
from tinybert_tf.training.best_epoch import BestEpoch

sys.path.insert(0, str(Path(__file__).parent.parent / "distillation"))
from distillation_models import LABELS, TEXTS, new_classifier


class Scripted(keras.callbacks.Callback):
    """Replaces the validation results of the epochs, and notes the weights behind them."""

    def __init__(self, accuracies, losses):
        super().__init__()
        self.results = list(zip(accuracies, losses, strict=True))
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        logs["val_accuracy"], logs["val_loss"] = self.results[epoch]
        self.weights.append([v.numpy() for v in self.model.trainable_variables])


def run(accuracies, losses, run_dir=None, **settings):
    keras.utils.set_random_seed(3)
    classifier = new_classifier(num_layers=1)
    start = [v.numpy() for v in classifier.trainable_variables]
    scripted = Scripted(accuracies, losses)
    history = tb.finetune(
        classifier,
        TEXTS,
        LABELS,
        validation_data=(TEXTS[:8], LABELS[:8]),
        epochs=len(accuracies),
        learning_rate=1e-3,
        keep_best=True,
        run_dir=run_dir,
        callbacks=[scripted],
        verbose=0,
        **settings,
    )
    end = [v.numpy() for v in classifier.trainable_variables]
    return history, [start, *scripted.weights], end


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    "accuracies, losses, best",
    [
        ([0.9, 1.0, 0.8], [0.1, 0.5, 0.1], 2),  # accuracy goes first
        ([0.9, 0.9, 0.9], [0.3, 0.2, 0.2], 2),  # then the loss, then the earlier epoch
        ([0.0, 0.1, 0.1], [9.0, 9.0, 9.0], 0),  # the start was best
    ],
)
def test_ends_with_the_best(tmp_path, accuracies, losses, best, on_disk):
    history, weights, end = run(accuracies, losses, tmp_path if on_disk else None)
    assert history["best_epoch"] == best
    for a, b in zip(weights[best], end, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(weights[best - 1], end, strict=True))


def test_finished_run_gives_the_best_again(tmp_path):
    _, _, end = run([1.0, 0.5], [0.1, 0.1], tmp_path)
    history, _, again = run([1.0, 0.5], [0.1, 0.1], tmp_path)
    assert history["best_epoch"] == 1
    for a, b in zip(end, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_interrupted_run_remembers_the_best(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    keras.utils.set_random_seed(3)
    settings = {"epochs": 2, "learning_rate": 1e-3, "keep_best": True, "run_dir": tmp_path}
    data = (TEXTS, LABELS, (TEXTS[:8], LABELS[:8]))
    first = Scripted([1.0], [0.0])
    with pytest.raises(KeyboardInterrupt):
        tb.finetune(new_classifier(num_layers=1), *data, callbacks=[first, Stop()], **settings)
    keras.utils.set_random_seed(3)
    classifier = new_classifier(num_layers=1)
    later = Scripted([1.0, 0.9], [0.0, 0.0])
    history = tb.finetune(classifier, *data, callbacks=[later], **settings)
    assert history["best_epoch"] == 1
    for a, b in zip(first.weights[0], classifier.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_damaged_file_is_named(tmp_path):
    run([1.0], [0.1], tmp_path)
    (tmp_path / "finetune.best.npz").write_bytes(b"PK")
    with pytest.raises(tb.TinyBertError, match="finetune.best.npz"):
        run([1.0], [0.1], tmp_path)


def test_without_validation_data_it_is_refused():
    with pytest.raises(tb.TinyBertError, match="validation_data=None"):
        tb.finetune(new_classifier(num_layers=1), TEXTS, LABELS, keep_best=True)


@pytest.mark.slow
def test_plain_fit_takes_the_callback():
    classifier = new_classifier(num_layers=1)
    dev = classifier.batches(TEXTS[:8], LABELS[:8], shuffle=False).dataset()
    best = BestEpoch(dev)
    best.start(classifier, "any")
    classifier.fit(TEXTS, LABELS, validation_data=dev, epochs=1, callbacks=[best], verbose=0)
    assert best.score is not None and best.epoch in (0, 1)
    best.restore()
