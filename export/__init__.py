"""From a trained classifier to a verified `.tflite` file.

Names load their modules on first use: running or inspecting a file needs no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING

_NAMES = {
    "quantize": "recipe",
    "quantize_aware": "qat",
    "Quantized": "recipe",
    "TARGETS": "targets",
    "ExportResult": "converter",
    "to_tflite": "converter",
    "seq2seq_to_tflite": "seq2seq_converter",
    "Bundle": "bundle",
    "write_bundle": "bundle",
    "read_bundle": "bundle_check",
    "verify_bundle": "bundle_check",
    "time_file": "benchmark",
    "measure_subnetworks": "budget",
    "check_delegates": "delegates",
    "DelegateReport": "delegates",
    "check_gpu": "accelerator",
    "GpuCheck": "accelerator",
    "ModelFile": "model_file",
    "read_model_file": "model_file",
    "ModelMetadata": "metadata",
    "read_metadata": "model_file",
    "TFLiteClassifier": "runner",
    "TFLiteQuestionAnswering": "runner",
    "TFLiteSeq2Seq": "seq2seq_runner",
    "TFLiteSentenceEmbedder": "runner",
    "TFLiteTokenClassifier": "runner",
    "open_file": "runner",
    "Verification": "verification",
    "verify": "verification",
}

__all__ = [
    "Bundle",
    "DelegateReport",
    "ExportResult",
    "GpuCheck",
    "ModelFile",
    "ModelMetadata",
    "Quantized",
    "TARGETS",
    "TFLiteClassifier",
    "TFLiteQuestionAnswering",
    "TFLiteSentenceEmbedder",
    "TFLiteSeq2Seq",
    "TFLiteTokenClassifier",
    "Verification",
    "check_delegates",
    "check_gpu",
    "measure_subnetworks",
    "open_file",
    "quantize",
    "quantize_aware",
    "read_bundle",
    "read_metadata",
    "read_model_file",
    "seq2seq_to_tflite",
    "time_file",
    "to_tflite",
    "verify",
    "verify_bundle",
    "write_bundle",
]

if TYPE_CHECKING:
    from tinybert_tf.export.accelerator import GpuCheck, check_gpu
    from tinybert_tf.export.benchmark import time_file
    from tinybert_tf.export.budget import measure_subnetworks
    from tinybert_tf.export.bundle import Bundle, write_bundle
    from tinybert_tf.export.bundle_check import read_bundle, verify_bundle
    from tinybert_tf.export.converter import ExportResult, to_tflite
    from tinybert_tf.export.delegates import DelegateReport, check_delegates
    from tinybert_tf.export.metadata import ModelMetadata
    from tinybert_tf.export.model_file import ModelFile, read_metadata, read_model_file
    from tinybert_tf.export.qat import quantize_aware
    from tinybert_tf.export.recipe import Quantized, quantize
    from tinybert_tf.export.runner import (
        TFLiteClassifier,
        TFLiteQuestionAnswering,
        TFLiteSentenceEmbedder,
        TFLiteTokenClassifier,
        open_file,
    )
    from tinybert_tf.export.seq2seq_converter import seq2seq_to_tflite
    from tinybert_tf.export.seq2seq_runner import TFLiteSeq2Seq
    from tinybert_tf.export.targets import TARGETS
    from tinybert_tf.export.verification import Verification, verify


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_NAMES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
