"""Fine-tuning and the training loop that survives a kill."""

from tinybert_tf.training.fine_tuning import finetune
from tinybert_tf.training.optimizer import WarmupLinearDecay, bert_optimizer
from tinybert_tf.training.resumable import fit_resumable

__all__ = ["WarmupLinearDecay", "bert_optimizer", "finetune", "fit_resumable"]
