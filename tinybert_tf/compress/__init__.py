"""Smaller models from trained ones."""

from tinybert_tf.compress.coverage import TextCoverage, VocabularyCoverage, measure_coverage
from tinybert_tf.compress.factorize import factorize_word_table
from tinybert_tf.compress.gradual import prune_during_distillation
from tinybert_tf.compress.importance import Importance, measure_importance
from tinybert_tf.compress.magnitude import MagnitudePruning, sparsity
from tinybert_tf.compress.structured import prune_structure, reorder_by_importance
from tinybert_tf.compress.token_choice import choose_tokens
from tinybert_tf.compress.vocabulary import PrunedVocabulary, apply_pruning, prune_vocabulary

__all__ = [
    "Importance",
    "MagnitudePruning",
    "PrunedVocabulary",
    "TextCoverage",
    "VocabularyCoverage",
    "apply_pruning",
    "choose_tokens",
    "factorize_word_table",
    "measure_coverage",
    "measure_importance",
    "prune_during_distillation",
    "prune_structure",
    "prune_vocabulary",
    "reorder_by_importance",
    "sparsity",
]
