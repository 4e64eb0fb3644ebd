"""A run as one HTML page, and what a model looks at; TensorFlow loads only for attention maps."""

from tinybert_tf.report.attention import AttentionMaps, attention_maps, attention_probabilities
from tinybert_tf.report.contents import Contents, LabelledTexts, ModelFigures, Sentence
from tinybert_tf.report.history import read_history
from tinybert_tf.report.influence import WordInfluence, word_influence
from tinybert_tf.report.page import render_report, write_report

__all__ = [
    "AttentionMaps",
    "Contents",
    "LabelledTexts",
    "ModelFigures",
    "Sentence",
    "WordInfluence",
    "attention_maps",
    "attention_probabilities",
    "read_history",
    "render_report",
    "word_influence",
    "write_report",
]
