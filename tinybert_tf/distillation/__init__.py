"""TinyBERT's distillation: losses, layer map, the distiller and its recipe."""

from tinybert_tf.distillation.distiller import Distiller
from tinybert_tf.distillation.initialize import student_of
from tinybert_tf.distillation.layer_map import resolve_layer_map
from tinybert_tf.distillation.losses import (
    AttentionLoss,
    EmbeddingLoss,
    HardLabelLoss,
    HiddenLoss,
    PredictionLoss,
    intermediate_losses,
    prediction_losses,
)
from tinybert_tf.distillation.recipe import distill
from tinybert_tf.distillation.relation import RelationLoss, relation_losses
from tinybert_tf.distillation.sequence_level import teacher_translations
from tinybert_tf.distillation.terms import LossTerm
from tinybert_tf.distillation.views import as_teacher

__all__ = [
    "AttentionLoss",
    "Distiller",
    "EmbeddingLoss",
    "HardLabelLoss",
    "HiddenLoss",
    "LossTerm",
    "PredictionLoss",
    "RelationLoss",
    "as_teacher",
    "distill",
    "intermediate_losses",
    "prediction_losses",
    "relation_losses",
    "resolve_layer_map",
    "student_of",
    "teacher_translations",
]
