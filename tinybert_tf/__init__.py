"""tinybert_tf: distil a BERT into a TinyBERT, quantize it, and ship it as a .tflite file.

The public API, on one page. Names load on first use, so that importing the package is quick and
silent; `tinybert_tf.export` holds what leaves for the phone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# name -> module that defines it
_PUBLIC = {
    # Models
    "TinyBertBackbone": "tinybert_tf.models",
    "TinyBertTextClassifier": "tinybert_tf.models",
    "TinyBertTextClassifierPreprocessor": "tinybert_tf.models",
    "TinyBertTokenClassifier": "tinybert_tf.models",
    "TinyBertQuestionAnswering": "tinybert_tf.models",
    "TinyBertSentenceEmbedder": "tinybert_tf.models",
    "TinyBertSeq2Seq": "tinybert_tf.models",
    "TinyBertSeq2SeqPreprocessor": "tinybert_tf.models",
    "TinyBertTokenizer": "tinybert_tf.models",
    "TinyBertMaskedLM": "tinybert_tf.models",
    "ARCHITECTURES": "tinybert_tf.config",
    "architecture": "tinybert_tf.config",
    # Training
    "finetune": "tinybert_tf.training",
    "matmul_precision": "tinybert_tf.layers.precision",
    "FocalLoss": "tinybert_tf.models.focal_loss",
    # Distillation
    "student_of": "tinybert_tf.distillation",
    "distill": "tinybert_tf.distillation",
    "Distiller": "tinybert_tf.distillation",
    "teacher_translations": "tinybert_tf.distillation",
    "intermediate_losses": "tinybert_tf.distillation",
    "prediction_losses": "tinybert_tf.distillation",
    "AttentionLoss": "tinybert_tf.distillation",
    "HiddenLoss": "tinybert_tf.distillation",
    "EmbeddingLoss": "tinybert_tf.distillation",
    "PredictionLoss": "tinybert_tf.distillation",
    "RelationLoss": "tinybert_tf.distillation",
    "relation_losses": "tinybert_tf.distillation",
    "HardLabelLoss": "tinybert_tf.distillation",
    # Raw text
    "prepare_corpus": "tinybert_tf.pretraining",
    "Corpus": "tinybert_tf.pretraining",
    "general_distill": "tinybert_tf.pretraining",
    "pretrain": "tinybert_tf.pretraining",
    "evaluate_masked_lm": "tinybert_tf.pretraining",
    # Augmentation
    "augment": "tinybert_tf.augmentation",
    "Candidates": "tinybert_tf.augmentation",
    # Text
    "WordPiece": "tinybert_tf.text.wordpiece",
    "read_examples": "tinybert_tf.text.readers",
    "read_tagged": "tinybert_tf.text.tagging",
    "entity_tags": "tinybert_tf.text.tagging",
    "read_squad": "tinybert_tf.text.squad",
    "read_parallel": "tinybert_tf.text.parallel",
    "read_lead_sentences": "tinybert_tf.text.lead_sentences",
    "train_wordpiece": "tinybert_tf.text.train_vocabulary",
    "summarize": "tinybert_tf.text.extractive",
    "LengthBucketedBatches": "tinybert_tf.text.batches",
    "class_weights": "tinybert_tf.text.weights",
    "load_intents": "tinybert_tf.text.intents",
    # Compression
    "prune_vocabulary": "tinybert_tf.compress",
    "apply_pruning": "tinybert_tf.compress",
    "measure_importance": "tinybert_tf.compress",
    "prune_structure": "tinybert_tf.compress",
    "prune_during_distillation": "tinybert_tf.compress",
    "factorize_word_table": "tinybert_tf.compress",
    "MagnitudePruning": "tinybert_tf.compress",
    "AdaptiveStudent": "tinybert_tf.adaptive",
    "distill_adaptive": "tinybert_tf.adaptive",
    "Pareto": "tinybert_tf.adaptive",
    # Evaluation
    "evaluate_model": "tinybert_tf.evaluate.tasks",
    "evaluate_classifier": "tinybert_tf.evaluate",
    "evaluate_regressor": "tinybert_tf.evaluate",
    "Comparison": "tinybert_tf.evaluate",
    "attention_maps": "tinybert_tf.report",
    # Checkpoints
    "save_hf": "tinybert_tf.checkpoints",
    "default_teacher": "tinybert_tf.checkpoints",
    # Errors
    "TinyBertError": "tinybert_tf.errors",
}

__all__ = sorted(_PUBLIC)

if TYPE_CHECKING:
    from tinybert_tf.adaptive import AdaptiveStudent, Pareto, distill_adaptive
    from tinybert_tf.augmentation import Candidates, augment
    from tinybert_tf.checkpoints import default_teacher, save_hf
    from tinybert_tf.compress import (
        MagnitudePruning,
        apply_pruning,
        factorize_word_table,
        measure_importance,
        prune_during_distillation,
        prune_structure,
        prune_vocabulary,
    )
    from tinybert_tf.config import ARCHITECTURES, architecture
    from tinybert_tf.distillation import (
        AttentionLoss,
        Distiller,
        EmbeddingLoss,
        HardLabelLoss,
        HiddenLoss,
        PredictionLoss,
        RelationLoss,
        distill,
        intermediate_losses,
        prediction_losses,
        relation_losses,
        student_of,
        teacher_translations,
    )
    from tinybert_tf.errors import TinyBertError
    from tinybert_tf.evaluate import Comparison, evaluate_classifier, evaluate_regressor
    from tinybert_tf.evaluate.tasks import evaluate_model
    from tinybert_tf.layers.precision import matmul_precision
    from tinybert_tf.models import (
        TinyBertBackbone,
        TinyBertMaskedLM,
        TinyBertQuestionAnswering,
        TinyBertSentenceEmbedder,
        TinyBertSeq2Seq,
        TinyBertSeq2SeqPreprocessor,
        TinyBertTextClassifier,
        TinyBertTextClassifierPreprocessor,
        TinyBertTokenClassifier,
        TinyBertTokenizer,
    )
    from tinybert_tf.models.focal_loss import FocalLoss
    from tinybert_tf.pretraining import (
        Corpus,
        evaluate_masked_lm,
        general_distill,
        prepare_corpus,
        pretrain,
    )
    from tinybert_tf.report import attention_maps
    from tinybert_tf.text.batches import LengthBucketedBatches
    from tinybert_tf.text.extractive import summarize
    from tinybert_tf.text.intents import load_intents
    from tinybert_tf.text.lead_sentences import read_lead_sentences
    from tinybert_tf.text.parallel import read_parallel
    from tinybert_tf.text.readers import read_examples
    from tinybert_tf.text.squad import read_squad
    from tinybert_tf.text.tagging import entity_tags, read_tagged
    from tinybert_tf.text.train_vocabulary import train_wordpiece
    from tinybert_tf.text.weights import class_weights
    from tinybert_tf.text.wordpiece import WordPiece
    from tinybert_tf.training import finetune


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
