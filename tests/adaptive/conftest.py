"""A small teacher that has learned something."""

import keras
import pytest
from adaptive_models import LABELS, TEXTS, new_classifier

import tinybert_tf as tb


@pytest.fixture(scope="session")
def teacher():
    keras.utils.set_random_seed(1)
    classifier = new_classifier(num_heads=4, dropout=0.0, attention_dropout=0.0)
    tb.finetune(classifier, TEXTS, LABELS, epochs=12, batch_size=8, learning_rate=4e-3, verbose=0)
    assert classifier.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)["accuracy"] == 1.0
    return classifier
