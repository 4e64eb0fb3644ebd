"""From a trained classifier to a `.tflite` file."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow as tf

from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.graph_edits import equalize_ranks, name_tensors
from tinybert_tf.export.lowering import INPUT_NAMES, OUTPUT_NAME, LoweredClassifier
from tinybert_tf.export.metadata import write_metadata
from tinybert_tf.export.model_file import SETTINGS_FILE, pack_model, parse_model
from tinybert_tf.export.weights import ClassifierWeights, read_weights
from tinybert_tf.models.text_classifier import TinyBertTextClassifier
from tinybert_tf.quiet import quiet_stderr

QUANTIZATIONS = ("float32", "dynamic_int8")
VOCABULARY_FILE = "vocab.txt"
LABELS_FILE = "labels.txt"
# [CLS], a token, [SEP]
_SHORTEST = 3


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Args:
        path: path. The file.
        size_bytes: int. Its size, packed vocabulary and labels included.
        sequence_length: int. Tokens of its inputs.
        quantization: string. `"float32"` or `"dynamic_int8"`.
    """

    path: Path
    size_bytes: int
    sequence_length: int
    quantization: str

    def to_dict(self) -> dict:
        """The fields as JSON values."""
        return {**asdict(self), "path": str(self.path)}


def to_tflite(
    classifier: TinyBertTextClassifier,
    path: str | os.PathLike,
    sequence_length: int | None = None,
    quantization: str = "float32",
    metadata: bool = True,
) -> ExportResult:
    """Writes a classifier as a `.tflite` file for one sentence of a fixed length.

    Inputs are int32 `(1, sequence_length)`: `ids`, `mask`, `segment_ids`, in this order. The
    output is float32 `(1, num_classes)`: probabilities. With metadata, MediaPipe's
    TextClassifier loads the file as it is.

    Args:
        classifier: TinyBertTextClassifier. Under any dtype policy; the file holds float32.
        path: path. The file to write; its folder is created. Replaced whole, or not at all.
        sequence_length: int. Tokens of the inputs. Defaults to `None`: the classifier's.
        quantization: string. `"float32"`, or `"dynamic_int8"`: weights as int8 (the word table
            by row, dense layers by channel), activations quantized while it runs; a quarter of
            the size. Defaults to `"float32"`.
        metadata: bool. Whether to pack metadata, vocabulary and class names. Defaults to `True`.

    Returns:
        ExportResult.

    Raises:
        TinyBertError: If an argument does not fit the classifier, a weight is NaN or infinite,
            or the file cannot be written.

    Example:
        >>> result = to_tflite(classifier, "model.tflite", quantization="dynamic_int8")
        >>> result.size_bytes
        17863120
    """
    if quantization not in QUANTIZATIONS:
        raise TinyBertError(
            f"Expected a quantization among {', '.join(QUANTIZATIONS)}. "
            f"Received: quantization={quantization!r}"
        )
    if not isinstance(classifier, TinyBertTextClassifier):
        raise TinyBertError(
            f"Expected a TinyBertTextClassifier. Received: classifier={type(classifier).__name__}"
        )
    files = _files(classifier, quantization) if metadata else None
    weights = read_weights(classifier)
    length = classifier.sequence_length if sequence_length is None else sequence_length
    _check_sequence_length(length, weights)
    model = parse_model(_convert(weights, length, quantization), "the converter's output")
    name_tensors(model, INPUT_NAMES, (OUTPUT_NAME,))
    equalize_ranks(model)
    content = pack_model(model, _metadata(classifier) if metadata else None, files)
    with atomic_file(path, "wb") as stream:
        stream.write(content)
    return ExportResult(Path(path), len(content), length, quantization)


def _convert(weights: ClassifierWeights, sequence_length: int, quantization: str) -> bytes:
    """Runs TensorFlow's converter on the lowered graph; returns a flatbuffer.

    Raises:
        TinyBertError: If there is no room for temporary files.
    """
    with quiet_stderr():
        try:
            with tempfile.TemporaryDirectory(prefix="tinybert_tf-") as folder:
                lowered = LoweredClassifier(weights)
                signatures = {"serving_default": lowered.signature(sequence_length)}
                tf.saved_model.save(lowered, folder, signatures=signatures)
                converter = tf.lite.TFLiteConverter.from_saved_model(folder)
                if quantization == "dynamic_int8":
                    converter.optimizations = [tf.lite.Optimize.DEFAULT]
                return converter.convert()
        except (OSError, tf.errors.OpError) as error:
            raise TinyBertError(
                "Expected room for temporary files as large as the model; the variable TMPDIR "
                f"names another folder. Received: {tempfile.gettempdir()!r} ({error})"
            ) from error


def _check_sequence_length(length: int, weights: ClassifierWeights) -> None:
    longest = weights.max_sequence_length
    if not isinstance(length, int) or not _SHORTEST <= length <= longest:
        raise TinyBertError(
            f"Expected a sequence length from {_SHORTEST} to {longest}, the rows of the position "
            f"table. Received: sequence_length={length!r}"
        )


def _metadata(classifier: TinyBertTextClassifier) -> bytes:
    kind = "Independent" if classifier.multi_label else "Exclusive"
    return write_metadata(
        name="TinyBERT text classifier",
        description=f"{kind} classes: {len(classifier.labels)}.",
        vocabulary_file=VOCABULARY_FILE,
        labels_file=LABELS_FILE,
        description_files=(SETTINGS_FILE,),
    )


def _files(classifier: TinyBertTextClassifier, quantization: str) -> dict[str, bytes]:
    """The files to pack, by name.

    Raises:
        TinyBertError: If the classifier has no tokenizer, the vocabulary exceeds the word table,
            or labels do not fit a file of lines or the number of logits.
    """
    if classifier.preprocessor is None or classifier.wordpiece is None:
        raise TinyBertError(
            "Expected a classifier with a preprocessor, whose vocabulary goes into the file; or "
            "pass metadata=False. Received: preprocessor=None, metadata=True"
        )
    wordpiece, labels = classifier.wordpiece, classifier.labels
    rows = classifier.backbone.vocabulary_size
    if wordpiece.vocabulary_size > rows:
        raise TinyBertError(
            f"Expected a vocabulary of at most {rows} tokens, the rows of the word table. "
            f"Received: vocabulary_size={wordpiece.vocabulary_size}"
        )
    if len(labels) != classifier.num_classes:
        raise TinyBertError(
            f"Expected one label a class. Received: {len(labels)} labels, "
            f"num_classes={classifier.num_classes}"
        )
    broken = [label for label in labels if "\n" in label or "\r" in label]
    if broken:
        raise TinyBertError(
            f"Expected labels of one line, for labels.txt. Received: labels={broken!r}"
        )
    settings = {
        "format": 1,
        "tokenizer": wordpiece.get_config(),
        "multi_label": classifier.multi_label,
        "quantization": quantization,
    }
    return {
        VOCABULARY_FILE: _lines(wordpiece.vocabulary),
        LABELS_FILE: _lines(labels),
        SETTINGS_FILE: json.dumps(settings, indent=2).encode("utf-8"),
    }


def _lines(items: list[str]) -> bytes:
    return "".join(f"{item}\n" for item in items).encode("utf-8")
