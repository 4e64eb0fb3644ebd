"""A tiny classifier with weights large enough that every part of it shows in the output."""

import string

import numpy as np

from tinybert_tf.export.targets import TARGETS
from tinybert_tf.models import (
    TinyBertBackbone,
    TinyBertTextClassifier,
    TinyBertTextClassifierPreprocessor,
    TinyBertTokenizer,
)

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# 67 tokens: with 16 columns the word table just exceeds the 1024 values from which on the
# converter quantizes weights.
CHARACTERS = string.ascii_lowercase
VOCABULARY = [*SPECIALS, *CHARACTERS, *string.digits, *(f"##{c}" for c in CHARACTERS)]
SEQUENCE_LENGTH = 16
# Scheme to the target whose graph it is exported with.
TARGET_OF = {
    scheme: target.name
    for target in TARGETS.values()
    for scheme in (target.scheme, *target.other_schemes)
    if scheme is not None
}

TEXTS = [
    "a bad cab",
    "faded",
    "",
    "x y z 1 2 3",
    "word after word after word until the end of the row",
    "Upper Case, with: punctuation!",
]


def build_classifier(
    head="bert",
    multi_label=False,
    labels=("first", "second", "third"),
    preprocessor=True,
    seed=0,
    **backbone_arguments,
) -> TinyBertTextClassifier:
    """A classifier with two blocks of width 16 and seeded random weights."""
    arguments = {
        "vocabulary_size": len(VOCABULARY),
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 64,
        "max_sequence_length": 32,
        **backbone_arguments,
    }
    if preprocessor:
        preprocessor = TinyBertTextClassifierPreprocessor(
            TinyBertTokenizer(VOCABULARY), sequence_length=SEQUENCE_LENGTH
        )
    classifier = TinyBertTextClassifier(
        TinyBertBackbone(**arguments),
        labels=list(labels),
        preprocessor=preprocessor or None,
        head=head,
        multi_label=multi_label,
    )
    generator = np.random.default_rng(seed)
    for variable in classifier.trainable_weights:
        is_matrix = len(variable.shape) == 2
        noise = generator.normal(size=variable.shape) * (0.5 if is_matrix else 0.1)
        variable.assign(noise + variable.path.endswith("gamma"))
    return classifier
