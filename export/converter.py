"""From a trained classifier to a `.tflite` file."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.atomic import atomic_file
from tinybert_tf.compress.vocabulary import prune_vocabulary
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.out_of_scope import OutOfScopeThreshold
from tinybert_tf.evaluate.scope_scores import FILE_SCORES
from tinybert_tf.export.graph_edits import equalize_ranks, name_tensors
from tinybert_tf.export.lowering import (
    ATTENTION_NAME,
    FIRST_ONLY,
    INPUT_NAMES,
    OUTPUT_NAMES,
    LoweredTask,
)
from tinybert_tf.export.lowering_int8 import LoweredInt8Task
from tinybert_tf.export.model_file import pack_model, parse_model
from tinybert_tf.export.packing import packed_files, packed_metadata
from tinybert_tf.export.qat import check_supported, quantize_aware
from tinybert_tf.export.requirements import check_requirements
from tinybert_tf.export.signatures import merge_models, signature_name
from tinybert_tf.export.targets import Target, find_target, scheme_of
from tinybert_tf.export.weight_packing import pack_weights
from tinybert_tf.export.weights import TaskWeights, read_weights
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.quantization.schemes import find_scheme
from tinybert_tf.quiet import quiet_stderr

# [CLS], a token, [SEP]
_SHORTEST = 3


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Args:
        path: path. The file.
        size_bytes: int. Its size, packed vocabulary and labels included.
        sequence_lengths: tuple of ints. Tokens of the inputs, one a signature.
        target: string. The export profile.
        quantization: string. The scheme, or `"float32"`.
    """

    path: Path
    size_bytes: int
    sequence_lengths: tuple[int, ...]
    target: str
    quantization: str

    def to_dict(self) -> dict:
        """The fields as JSON values."""
        return {
            **asdict(self),
            "path": str(self.path),
            "sequence_lengths": list(self.sequence_lengths),
        }


def to_tflite(
    classifier: TinyBertTask,
    path: str | os.PathLike,
    target: str = "universal",
    sequence_length: int | Sequence[int] | None = None,
    texts=None,
    scheme: str | None = None,
    metadata: bool = True,
    out_of_scope: OutOfScopeThreshold | None = None,
    attention: bool = False,
) -> ExportResult:
    """Writes a classifier as a `.tflite` file for one sentence of a fixed length.

    Inputs are int32 `(1, sequence_length)`: `ids`, `mask`, `segment_ids`, in this order. The
    output is float32 `(1, num_classes)`: probabilities. With metadata and one length, MediaPipe's
    TextClassifier loads the file as it is. A tagger puts out probabilities `(1, sequence_length,
    num_classes)`, a question-answering model logits `(1, sequence_length, 2)`, an embedder one
    vector `(1, hidden_dim)` of length one.

    A quantization-aware classifier (`quantize_aware`) is stored with the integers it was trained
    with. A plain one is quantized here, without training.

    Args:
        classifier: TinyBertTextClassifier, or another task model of ours. Of any dtype policy.
        path: path. The file to write; its folder is created. Replaced whole, or not at all.
        target: string. The profile, see `TARGETS`: `"universal"`, `"small"`, `"weight_only"`,
            `"nnapi"`, `"npu_int8"` or `"float32"`. Defaults to `"universal"`.
        sequence_length: int, or several ints. Tokens of the inputs; several become signatures
            `tokens_16`, `tokens_32`, ... of one file, which share the weights. Defaults to
            `None`: the classifier's.
        texts: list of strings, or a tuple of two such lists. Training texts: they calibrate
            `"npu_int8"`, and `"small"` keeps the vocabulary that they need. Defaults to `None`.
        scheme: string. A quantization scheme in place of the target's, such as
            `"int4_weights"`. Defaults to `None`.
        metadata: bool. Whether to pack metadata, vocabulary and class names. Defaults to `True`.
        out_of_scope: OutOfScopeThreshold of the `"probability"` or the `"entropy"`, packed with
            the metadata: `TFLiteClassifier.classify` then answers `None` to texts of no known
            class. Best chosen on the probabilities of such a file. Defaults to `None`.
        attention: bool. Whether a text classifier has a second output `attention`, float32 `(1,
            heads * sequence_length)`: what [CLS] attends to in the last block, head by head. It
            costs next to nothing; MediaPipe shows it as a second head. Defaults to `False`.

    Returns:
        ExportResult.

    Raises:
        TinyBertError: If an argument does not fit the classifier, a weight is NaN or infinite,
            an operator is one that the target forbids, or the file cannot be written.

    Example:
        >>> result = to_tflite(classifier, "model.tflite", target="universal")
        >>> result.size_bytes
        17863120
    """
    profile = find_target(target)
    check_supported(classifier)
    if classifier.kind == "seq2seq":
        raise TinyBertError(
            "Expected a model without a decoder; `seq2seq_to_tflite` writes this one. "
            f"Received: {type(classifier).__name__}"
        )
    if out_of_scope is not None:
        _check_out_of_scope(out_of_scope, classifier, metadata)
    if attention and (classifier.kind not in FIRST_ONLY or target == "npu_int8"):
        raise TinyBertError(
            "Expected a text classifier or regression, and another target than npu_int8, for an "
            f"output of attention. Received: kind={classifier.kind!r}, target={target!r}"
        )
    scheme = scheme_of(profile, scheme, classifier.backbone.quantization)
    lengths = _lengths(classifier, sequence_length)
    if target == "small" and texts is not None and classifier.backbone.quantization is None:
        classifier = prune_vocabulary(classifier, texts).classifier
    files = packed_files(classifier, target, scheme, out_of_scope) if metadata else None
    if scheme is not None and classifier.backbone.quantization is None:
        classifier = quantize_aware(classifier, scheme, calibration_texts=texts)
    weights = read_weights(classifier)
    model = _build(weights, lengths, profile, attention)
    check_requirements(model, profile, Path(path))
    content = pack_model(model, packed_metadata(classifier, attention) if metadata else None, files)
    with atomic_file(path, "wb") as stream:
        stream.write(content)
    return ExportResult(Path(path), len(content), lengths, target, scheme or "float32")


def _build(
    weights: TaskWeights, lengths: tuple[int, ...], target: Target, attention: bool
) -> schema.ModelT:
    """The flatbuffer as an object tree: one subgraph and signature a length."""
    models = {}
    for length in lengths:
        key = signature_name(length, lengths)
        models[key] = _build_one(weights, length, target, attention)
    return next(iter(models.values())) if len(models) == 1 else merge_models(models)


def _build_one(weights: TaskWeights, length: int, target: Target, attention: bool) -> schema.ModelT:
    integer = weights.scheme is not None and find_scheme(weights.scheme).integer_activations
    if integer:
        lowered = LoweredInt8Task(weights)
    else:
        lowered = LoweredTask(weights, nnapi=target.nnapi, attention=attention)
    model = parse_model(convert(lowered, length, integer), "the converter's output")
    outputs = (OUTPUT_NAMES[weights.kind], *((ATTENTION_NAME,) if attention else ()))
    name_tensors(model, INPUT_NAMES, outputs)
    equalize_ranks(model)
    if not integer:
        pack_weights(model, lowered.grids)
    return model


def convert(lowered: LoweredTask, sequence_length: int, integer: bool) -> bytes:
    """Runs TensorFlow's converter on the lowered graph; returns a flatbuffer.

    Raises:
        TinyBertError: If there is no room for temporary files.
    """
    with quiet_stderr():
        try:
            with tempfile.TemporaryDirectory(prefix="tinybert_tf-") as folder:
                signatures = {"serving_default": lowered.signature(sequence_length)}
                tf.saved_model.save(lowered, folder, signatures=signatures)
                converter = tf.lite.TFLiteConverter.from_saved_model(folder)
                if integer:
                    converter.optimizations = [tf.lite.Optimize.DEFAULT]
                return converter.convert()
        except (OSError, tf.errors.OpError) as error:
            raise TinyBertError(
                "Expected room for temporary files as large as the model; the variable TMPDIR "
                f"names another folder. Received: {tempfile.gettempdir()!r} ({error})"
            ) from error


def _lengths(classifier: TinyBertTask, sequence_length) -> tuple[int, ...]:
    """The lengths to export, shortest first."""
    if sequence_length is None:
        sequence_length = classifier.sequence_length
    if not isinstance(sequence_length, (list, tuple)):
        sequence_length = (sequence_length,)
    longest = classifier.backbone.max_sequence_length
    lengths = tuple(sequence_length)
    if (
        not lengths
        or len(set(lengths)) < len(lengths)
        or not all(isinstance(length, int) and _SHORTEST <= length <= longest for length in lengths)
    ):
        raise TinyBertError(
            f"Expected different sequence lengths from {_SHORTEST} to {longest}, the rows of the "
            f"position table. Received: sequence_length={sequence_length!r}"
        )
    return tuple(sorted(lengths))


def _check_out_of_scope(
    threshold: OutOfScopeThreshold, classifier: TinyBertTask, metadata: bool
) -> None:
    if classifier.kind != "classes":
        raise TinyBertError(
            f"Expected a classifier with one class per text. Received: kind={classifier.kind!r}"
        )
    if threshold.score not in FILE_SCORES:
        raise TinyBertError(
            f"Expected a score of probabilities, which are what the file puts out: one of "
            f"{FILE_SCORES}; the energy needs logits. Received: score={threshold.score!r}"
        )
    if not metadata:
        raise TinyBertError(
            "Expected metadata=True, which packs the threshold. Received: metadata=False"
        )
