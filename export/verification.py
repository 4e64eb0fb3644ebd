"""Does the exported file do what the Keras model does?"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.regression import RegressionReport, evaluate_scores
from tinybert_tf.evaluate.report import ClassificationReport, evaluate_probabilities
from tinybert_tf.export.runner import TFLiteClassifier
from tinybert_tf.text.batches import LengthBucketedBatches

# Largest accepted difference of a probability between a float32 file and Keras in float32.
FLOAT32_TOLERANCE = 1e-4
_BATCH_SIZE = 32


@dataclass(frozen=True)
class Verification:
    """How a file does on labelled texts, and how far it is from the model it came from.

    Args:
        path: path. The file.
        size_bytes: int. Its size, packed files included.
        quantization: string. `"float32"` or `"dynamic_int8"`.
        examples: int. Number of texts.
        report: ClassificationReport of the file on the texts, or RegressionReport.
        max_probability_difference: float. The largest absolute difference of any probability (or
            score) to Keras; `None` without a classifier.
        agreement: float. Share of texts with the same predicted label (or label set) as Keras;
            `None` without a classifier, and of a regression.
        keras_report: the report of the Keras model; `None` without a classifier.
    """

    path: Path
    size_bytes: int
    quantization: str
    examples: int
    report: ClassificationReport | RegressionReport
    max_probability_difference: float | None = None
    agreement: float | None = None
    keras_report: ClassificationReport | RegressionReport | None = None

    @property
    def accuracy(self) -> float:
        """Share of texts classified right by the file."""
        return self.report.accuracy

    @property
    def macro_f1(self) -> float:
        """Mean F1 score over the classes, of the file."""
        return self.report.macro_f1

    def to_dict(self) -> dict:
        """The figures as JSON values, without the per-class report."""
        keras_report, own = self.keras_report, {}
        if isinstance(self.report, RegressionReport):
            own = {**self.report.summary()}
            own["keras_spearman"] = None if keras_report is None else keras_report.spearman
        else:
            own = {"accuracy": self.accuracy, "macro_f1": self.macro_f1}
            own["keras_accuracy"] = None if keras_report is None else keras_report.accuracy
        return {
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "quantization": self.quantization,
            "examples": self.examples,
            **own,
            "max_probability_difference": self.max_probability_difference,
            "agreement": self.agreement,
        }


def verify(
    path: str | os.PathLike,
    texts: Sequence[str] | tuple[Sequence[str], Sequence[str]],
    labels: Sequence,
    classifier=None,
    num_threads: int | None = None,
    progress: bool = True,
) -> Verification:
    """Runs an exported file on labelled texts and compares it with the Keras model.

    Keras gets exactly the token ids that the file gets, cut to the file's sequence length.

    Args:
        path: path. A `.tflite` file with a packed vocabulary.
        texts: list of strings, or a tuple of two such lists for sentence pairs.
        labels: label names, or class numbers; multi-label: lists of names or multi-hot rows.
        classifier: TinyBertTextClassifier that the file was exported from. Defaults to `None`:
            the file alone is measured.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.
        progress: bool. Whether progress bars are shown on standard error. Defaults to `True`.

    Returns:
        Verification.

    Raises:
        TinyBertError: If a probability of a float32 file differs by more than 1e-4 from a
            classifier that computes in float32; if file and classifier differ in labels or
            tokenizer; if there are no texts or a label is unknown.
    """
    file = TFLiteClassifier(path, num_threads=num_threads)
    parts = texts if isinstance(texts, tuple) else (texts,)
    examples = len(parts[0])
    if not examples or len(labels) != examples:
        raise TinyBertError(
            "Expected one label a text, and at least one text. "
            f"Received: {examples} texts, {len(labels)} labels"
        )
    if classifier is not None:
        _check_same_task(file, classifier)
    with _bars(progress) as bars:
        own = file.predict(texts, _step(bars, f"running {file.path.name}", examples))
        reference = None
        if classifier is not None:
            reference = _keras_outputs(
                classifier, file, parts, _step(bars, "running Keras", examples)
            )
    report = _report(own, labels, file)
    found = Verification(file.path, file.size_bytes, file.quantization, examples, report)
    if reference is None:
        return found
    difference = float(np.abs(own - reference).max())
    _check_difference(difference, file, classifier)
    return Verification(
        file.path,
        file.size_bytes,
        file.quantization,
        examples,
        report,
        max_probability_difference=difference,
        agreement=None if file.regression else _agreement(own, reference, file.multi_label),
        keras_report=_report(reference, labels, file),
    )


def _report(outputs: np.ndarray, labels, file) -> ClassificationReport | RegressionReport:
    if file.regression:
        return evaluate_scores(outputs, labels)
    return evaluate_probabilities(outputs, labels, file.labels, file.multi_label)


def _check_same_task(file: TFLiteClassifier, classifier) -> None:
    if list(classifier.labels) != file.labels or classifier.multi_label != file.multi_label:
        raise TinyBertError(
            "Expected the classifier that the file was exported from: the same labels in the same "
            f"order. Received: {file.labels[:8]} in the file, {list(classifier.labels)[:8]} in "
            "the classifier"
        )
    if classifier.preprocessor is not None and classifier.wordpiece != file.tokenizer:
        raise TinyBertError(
            "Expected the classifier that the file was exported from: the same tokenizer. "
            f"Received: {file.tokenizer!r} in the file, {classifier.wordpiece!r} in the classifier"
        )


def _check_difference(difference: float, file: TFLiteClassifier, classifier) -> None:
    exact = file.quantization == "float32" and classifier.backbone.compute_dtype == "float32"
    if exact and not difference <= FLOAT32_TOLERANCE:
        raise TinyBertError(
            f"Expected probabilities within {FLOAT32_TOLERANCE:g} of Keras from a float32 file; "
            "it may come from other weights. "
            f"Received: {str(file.path)!r} with a difference of {difference:.3g}"
        )


def _agreement(own: np.ndarray, reference: np.ndarray, multi_label: bool) -> float:
    if multi_label:
        return float(((own >= 0.5) == (reference >= 0.5)).all(axis=1).mean())
    return float((own.argmax(axis=1) == reference.argmax(axis=1)).mean())


def _keras_outputs(classifier, file: TFLiteClassifier, parts, step) -> np.ndarray:
    """The Keras model's probabilities `(n, classes)`, or scores, for the ids the file sees."""
    encoded = file.tokenizer.encode(
        *(list(part) for part in parts), max_length=file.sequence_length
    )
    batches = LengthBucketedBatches(
        encoded.token_ids,
        encoded.segment_ids,
        batch_size=_BATCH_SIZE,
        shuffle=False,
        pad_id=file.tokenizer.pad_id,
        max_length=file.sequence_length,
    )
    logits = classifier.predict(batches.dataset(), verbose=0, callbacks=[_Ticker(step)])
    outputs = logits
    if not classifier.regression:
        activation = keras.ops.sigmoid if classifier.multi_label else keras.ops.softmax
        outputs = keras.ops.convert_to_numpy(activation(logits))
    in_order = np.empty_like(logits)
    in_order[batches.indices(0)] = outputs
    return in_order


class _Ticker(keras.callbacks.Callback):
    """Moves a progress bar by each predicted batch."""

    def __init__(self, step: Callable[[int], None]):
        super().__init__()
        self._step = step

    def on_predict_batch_end(self, batch, logs=None):
        self._step(len(logs["outputs"]) if logs else _BATCH_SIZE)


def _bars(shown: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )


def _step(bars: Progress, description: str, total: int) -> Callable[..., None]:
    task = bars.add_task(description, total=total)
    return lambda count=1: bars.advance(task, count)
