"""The encoder and its tasks."""

from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.masked_lm import TinyBertMaskedLM
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.text_classifier import TinyBertTextClassifier
from tinybert_tf.models.tokenizer import TinyBertTokenizer

__all__ = [
    "TinyBertBackbone",
    "TinyBertMaskedLM",
    "TinyBertTextClassifier",
    "TinyBertTextClassifierPreprocessor",
    "TinyBertTokenizer",
]
