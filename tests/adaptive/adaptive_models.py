"""Small classifiers in which every weight shows, and texts that they learn from."""

import sys
from pathlib import Path

import numpy as np

from tinybert_tf.adaptive import AdaptiveStudent

sys.path.insert(0, str(Path(__file__).parent.parent / "distillation"))
from distillation_models import LABELS, TEXTS, new_classifier

__all__ = ["LABELS", "TEXTS", "batch_of", "new_classifier", "new_student", "noisy_classifier"]


def noisy_classifier(seed=0, **sizes):
    """A classifier with four blocks of four heads, without dropout, of large random weights."""
    classifier = new_classifier(
        **{"num_heads": 4, "dropout": 0.0, "attention_dropout": 0.0, **sizes}
    )
    classifier.output_dropout.rate = 0.0
    generator = np.random.default_rng(seed)
    for variable in classifier.trainable_weights:
        noise = generator.normal(size=variable.shape) * (0.4 if len(variable.shape) == 2 else 0.1)
        variable.assign(noise + variable.path.endswith("gamma"))
    return classifier


def new_student(seed=0, widths=(0.25, 0.5, 0.75, 1.0), depths=(0.5, 0.75, 1.0), **sizes):
    return AdaptiveStudent(noisy_classifier(seed, **sizes), widths, depths)


def batch_of(classifier, texts=TEXTS, labels=LABELS, size=8):
    """Inputs and labels; the rows differ in length."""
    return classifier.batches(texts[:size], labels[:size], batch_size=size).batch(0, 0)
