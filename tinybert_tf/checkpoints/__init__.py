"""Checkpoints of other libraries, in and out."""

from tinybert_tf.checkpoints.bert_config import backbone_config
from tinybert_tf.checkpoints.folder import read_weights, resolve
from tinybert_tf.checkpoints.hugging_face import (
    LoadedCheckpoint,
    load_backbone,
    load_hf,
    load_weights_into,
)
from tinybert_tf.checkpoints.hugging_face_writer import save_hf
from tinybert_tf.checkpoints.pickle_reader import read_torch_bin
from tinybert_tf.checkpoints.safetensors_reader import read_safetensors
from tinybert_tf.checkpoints.teacher import default_teacher, packaged_teacher

__all__ = [
    "LoadedCheckpoint",
    "backbone_config",
    "default_teacher",
    "load_backbone",
    "load_hf",
    "load_weights_into",
    "packaged_teacher",
    "read_safetensors",
    "read_torch_bin",
    "read_weights",
    "resolve",
    "save_hf",
]
