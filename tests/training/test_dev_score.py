"""Taggers choose their best epoch by the score that people read."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tinybert_tf as tb

sys.path.insert(0, str(Path(__file__).parent.parent / "distillation"))
from distillation_models import new_classifier

LABELS = ["O", "B-film"]
SENTENCES = [["the", "film", "was", "good"]] * 8
TAGS = [["O", "B-film", "O", "O"]] * 8
ALWAYS_O, ALWAYS_FILM = [5.0, 0.0], [0.0, 5.0]


class Answers(keras.callbacks.Callback):
    """Makes a tagger answer one tag everywhere after each epoch."""

    def __init__(self, tagger, biases):
        super().__init__()
        self.head, self.biases = tagger.output_dense, biases

    def set(self, bias):
        self.head.kernel.assign(0 * self.head.kernel)
        self.head.bias.assign(bias)

    def on_epoch_end(self, epoch, logs=None):
        # Accuracy as the model would have: the tag O is right for three words of four.
        logs["val_accuracy"] = 0.75 if self.biases[epoch] == ALWAYS_O else 0.25
        self.set(self.biases[epoch])


def new_tagger():
    keras.utils.set_random_seed(0)
    base = new_classifier(num_layers=1)
    return tb.TinyBertTokenClassifier(base.backbone, labels=LABELS, preprocessor=base.preprocessor)


def train(run_dir, biases, teacher=None):
    tagger = new_tagger()
    answers = Answers(tagger, biases)
    answers.set(ALWAYS_O)
    options = {
        "validation_data": (SENTENCES, TAGS),
        "epochs": len(biases),
        "keep_best": True,
        "run_dir": run_dir,
        "callbacks": [answers],
        "verbose": 0,
    }
    if teacher is None:
        return tagger, tb.finetune(tagger, SENTENCES, TAGS, **options)
    history = tb.distill(teacher, tagger, SENTENCES, stages="prediction", **options)
    return tagger, history["prediction"]


@pytest.mark.parametrize("distilled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_taggers_go_by_entity_f1(tmp_path, distilled):
    teacher = None
    if distilled:
        teacher = new_tagger()
        Answers(teacher, []).set([0.0, 0.1])
        teacher.compile(keras.optimizers.Adam(1e-2))
        teacher.fit(SENTENCES, TAGS, epochs=20, verbose=0)
    tagger, history = train(tmp_path, [ALWAYS_O, ALWAYS_FILM, ALWAYS_O], teacher)
    # Four words, all tagged: precision 1/4, recall 1, F1 2/5; O everywhere finds nothing.
    assert history["val_f1"] == pytest.approx([0.0, 0.4, 0.0])
    assert history["best_epoch"] == 2
    np.testing.assert_array_equal(tagger.output_dense.bias, ALWAYS_FILM)


def test_a_killed_run_remembers_its_best_f1(tmp_path):
    train(tmp_path, [ALWAYS_FILM, ALWAYS_O])
    tagger, history = train(tmp_path, [ALWAYS_FILM, ALWAYS_O])  # all from the checkpoint
    assert history["best_epoch"] == 1 and history["val_f1"] == pytest.approx([0.4, 0.0])
    np.testing.assert_array_equal(tagger.output_dense.bias, ALWAYS_FILM)
