"""The encoder and its tasks."""

from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.masked_lm import TinyBertMaskedLM
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.question_answering import TinyBertQuestionAnswering
from tinybert_tf.models.sentence_embedder import TinyBertSentenceEmbedder
from tinybert_tf.models.seq2seq import TinyBertSeq2Seq
from tinybert_tf.models.seq2seq_preprocessor import TinyBertSeq2SeqPreprocessor
from tinybert_tf.models.text_classifier import TinyBertTextClassifier
from tinybert_tf.models.token_classifier import TinyBertTokenClassifier
from tinybert_tf.models.tokenizer import TinyBertTokenizer

__all__ = [
    "TinyBertBackbone",
    "TinyBertMaskedLM",
    "TinyBertQuestionAnswering",
    "TinyBertSentenceEmbedder",
    "TinyBertSeq2Seq",
    "TinyBertSeq2SeqPreprocessor",
    "TinyBertTextClassifier",
    "TinyBertTextClassifierPreprocessor",
    "TinyBertTokenClassifier",
    "TinyBertTokenizer",
]
