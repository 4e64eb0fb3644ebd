"""Data augmentation: more training texts by replacing words (TinyBERT, algorithm 1)."""

from tinybert_tf.augmentation.augment import Augmented, augment, augment_words
from tinybert_tf.augmentation.candidates import Candidates

__all__ = ["Augmented", "Candidates", "augment", "augment_words"]
