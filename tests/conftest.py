"""Models small enough to build in a blink, shared by all tests."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: tests use no network

from pathlib import Path

import pytest

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = (
    "a an the it was is film movie plot cast scene good great fine lovely bad awful dull poor "
    "very really truly quite . , ! ? ' - ##s ##ly ##er ##ing"
).split()


@pytest.fixture(scope="session")
def tiny_vocabulary() -> list[str]:
    """Special tokens, letters and a few words: every lower-case English text has a reading."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters), *WORDS]
    return list(dict.fromkeys(words))


@pytest.fixture
def tiny_classifier(tiny_vocabulary):
    """A new, untrained classifier of two blocks; its weights are the same each time."""
    return build_tiny_classifier(tiny_vocabulary)


@pytest.fixture(scope="session")
def tiny_hf_folder(tiny_vocabulary, tmp_path_factory) -> Path:
    """The encoder of such a classifier as a Hugging Face folder. Read only."""
    from tinybert_tf.checkpoints import save_hf

    classifier = build_tiny_classifier(tiny_vocabulary)
    folder = tmp_path_factory.mktemp("tiny") / "hf"
    return save_hf(classifier.backbone, folder, classifier.wordpiece)


@pytest.fixture(scope="session")
def build_tiny(tiny_vocabulary):
    """Builds a tiny classifier; arguments of `TinyBertBackbone` change its shape."""

    def build(**changes):
        return build_tiny_classifier(tiny_vocabulary, **changes)

    return build


@pytest.fixture(scope="session")
def loud_classifier(build_tiny):
    """A classifier whose answers differ from text to text. Read only."""
    import numpy as np

    classifier = build_tiny()
    generator = np.random.default_rng(1)
    for variable in classifier.trainable_weights:
        if len(variable.shape) == 2:
            variable.assign(generator.normal(size=variable.shape) * 0.35)
    return classifier


def build_tiny_classifier(vocabulary, labels=("negative", "positive"), **changes):
    import keras

    from tinybert_tf.models import (
        TinyBertBackbone,
        TinyBertTextClassifier,
        TinyBertTextClassifierPreprocessor,
        TinyBertTokenizer,
    )

    keras.utils.set_random_seed(0)
    shape = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
    backbone = TinyBertBackbone(
        vocabulary_size=len(vocabulary), max_sequence_length=64, **{**shape, **changes}
    )
    return TinyBertTextClassifier(
        backbone,
        labels=list(labels),
        preprocessor=TinyBertTextClassifierPreprocessor(
            TinyBertTokenizer(vocabulary), sequence_length=32
        ),
    )
