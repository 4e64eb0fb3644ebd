"""Smaller models from trained ones."""

from tinybert_tf.compress.coverage import TextCoverage, VocabularyCoverage, measure_coverage
from tinybert_tf.compress.token_choice import choose_tokens
from tinybert_tf.compress.vocabulary import PrunedVocabulary, apply_pruning, prune_vocabulary

__all__ = [
    "PrunedVocabulary",
    "TextCoverage",
    "VocabularyCoverage",
    "apply_pruning",
    "choose_tokens",
    "measure_coverage",
    "prune_vocabulary",
]
