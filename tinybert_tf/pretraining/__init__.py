"""Learning from raw text: corpora in shards, masked language models, general distillation."""

from tinybert_tf.pretraining.corpus import Corpus, prepare_corpus
from tinybert_tf.pretraining.general import general_distill
from tinybert_tf.pretraining.masked_lm_training import evaluate_masked_lm, pretrain

__all__ = ["Corpus", "evaluate_masked_lm", "general_distill", "prepare_corpus", "pretrain"]
