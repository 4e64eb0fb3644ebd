"""Does the exported file do what the Keras model does?"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from tinybert_tf.compress.vocabulary import apply_pruning
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.regression import evaluate_scores
from tinybert_tf.evaluate.tasks import (
    MAIN_SCORES,
    Report,
    check_counts,
    check_pairs,
    report_outputs,
)
from tinybert_tf.export.progress import progress_bars, progress_step
from tinybert_tf.export.runner import open_file
from tinybert_tf.export.runtime import TFLiteModel
from tinybert_tf.quantization.schemes import WEIGHT_ONLY
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
        quantization: string. The scheme, or `"float32"`.
        examples: int. Number of texts.
        report: the task's report of the file, such as ClassificationReport.
        max_probability_difference: float. The largest absolute difference of any output to Keras,
            of spans after a softmax over the tokens; `None` without a classifier.
        agreement: float. Share of texts with the same predicted label (or label set) as Keras, of
            a tagger share of pieces, of spans share of starts and ends; `None` without a
            classifier, and where outputs are no classes.
        kind: string. The kind of task.
        keras_report: the report of the Keras model; `None` without a classifier.
    """

    path: Path
    size_bytes: int
    quantization: str
    examples: int
    report: Report
    max_probability_difference: float | None = None
    agreement: float | None = None
    keras_report: Report | None = None
    kind: str = "classes"

    @property
    def accuracy(self) -> float:
        """Share of texts classified right by the file; of another task its main score."""
        return self.score

    @property
    def macro_f1(self) -> float:
        """Mean F1 score over the classes, of the file."""
        return self.report.macro_f1

    @property
    def score(self) -> float:
        """The task's main score of the file; see `MAIN_SCORES`."""
        return getattr(self.report, MAIN_SCORES[self.kind][0])

    @property
    def keras_score(self) -> float | None:
        """The task's main score of the Keras model."""
        if self.keras_report is None:
            return None
        return getattr(self.keras_report, MAIN_SCORES[self.kind][0])

    def to_dict(self) -> dict:
        """The figures as JSON values, without the per-class report."""
        own = dict(self.report.summary())
        name = MAIN_SCORES[self.kind][0]
        if self.kind in ("classes", "labels"):
            own = {"accuracy": self.accuracy, "macro_f1": self.macro_f1}
        own[f"keras_{name}"] = None if self.keras_report is None else self.keras_score
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
    texts,
    labels: Sequence,
    classifier=None,
    num_threads: int | None = None,
    progress: bool = True,
) -> Verification:
    """Runs an exported file on labelled texts and compares it with the Keras model.

    Keras gets exactly the token ids that the file gets, cut to the file's sequence length.

    Args:
        path: path. A `.tflite` file with a packed vocabulary.
        texts: list of strings, or a tuple of two such lists for sentence pairs; of another task
            what its model reads.
        labels: label names, or class numbers; multi-label: lists of names or multi-hot rows; lists
            of tags, or of answers.
        classifier: the model of tinybert_tf that the file was exported from; its vocabulary is
            cut to the file's first, if that is a part of it. Defaults to `None`: the file alone
            is measured.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.
        progress: bool. Whether progress bars are shown on standard error. Defaults to `True`.

    Returns:
        Verification.

    Raises:
        TinyBertError: If an output of a float32 file differs by more than 1e-4 (of scores: 1e-4
            of the largest) from a classifier that computes in float32; if file and classifier
            differ in labels or tokenizer; if there are no texts or a label is unknown.
    """
    file = open_file(path, num_threads=num_threads)
    examples = check_counts(texts, labels)
    given = texts
    if file.kind == "embedding":  # pairs of texts with scores, each text embedded by itself
        texts = _one_list(texts)
    if classifier is not None:
        classifier = _with_vocabulary_of(file, classifier)
        _check_same_task(file, classifier)
    encoded = file.encode(texts)
    rows = len(encoded.token_ids)
    with progress_bars(progress) as bars:
        own = file.predict(texts, progress_step(bars, f"running {file.path.name}", rows))
        reference = None
        if classifier is not None:
            reference = _keras_outputs(
                classifier, file, encoded, progress_step(bars, "running Keras", rows)
            )
    report = _report(file, own, given, labels)
    size = file.size_bytes
    found = Verification(file.path, size, file.quantization, examples, report, kind=file.kind)
    if reference is None:
        return found
    difference = _largest_difference(own, reference, file.kind)
    _check_difference(difference, reference, file, classifier)
    return replace(
        found,
        max_probability_difference=difference,
        agreement=_agreement(own, reference, file.kind),
        keras_report=_report(file, reference, given, labels),
    )


def _one_list(pairs) -> list[str]:
    check_pairs(pairs)
    return [text for part in pairs for text in part]


def _report(file: TFLiteModel, outputs, examples, labels) -> Report:
    if file.kind != "embedding":
        return report_outputs(file, outputs, examples, labels)
    count = len(labels)
    return evaluate_scores(np.sum(outputs[:count] * outputs[count:], axis=-1), labels)


def compare_outputs(path: str | os.PathLike, examples, model) -> float:
    """The largest difference of any output between a file and its Keras model; needs no labels.

    Args:
        path: path. The `.tflite` file.
        examples: raw examples.
        model: the task model that it was exported from.

    Raises:
        TinyBertError: As `verify`.
    """
    file = open_file(path)
    model = _with_vocabulary_of(file, model)
    _check_same_task(file, model)
    own = file.predict(examples)
    reference = _keras_outputs(model, file, file.encode(examples), lambda count: None)
    difference = _largest_difference(own, reference, file.kind)
    _check_difference(difference, reference, file, model)
    return difference


def _with_vocabulary_of(file: TFLiteModel, model):
    """The model with the file's tokens only, if target `small` has left some of its own out."""
    if model.preprocessor is None or file.tokenizer is None or model.wordpiece == file.tokenizer:
        return model
    ids = {token: index for index, token in enumerate(model.wordpiece.vocabulary)}
    kept = file.tokenizer.vocabulary
    if len(kept) >= len(ids) or not ids.keys() >= set(kept):
        return model
    return apply_pruning(model, [ids[token] for token in kept])


def _check_same_task(file: TFLiteModel, classifier) -> None:
    own, theirs = (getattr(one, "labels", None) for one in (file, classifier))
    if classifier.kind != file.kind or (own is not None and list(theirs) != own):
        raise TinyBertError(
            "Expected the classifier that the file was exported from: the same labels in the same "
            f"order. Received: {file.kind} {(own or [])[:8]} in the file, {classifier.kind} "
            f"{list(theirs or [])[:8]} in the classifier"
        )
    if classifier.preprocessor is not None and classifier.wordpiece != file.tokenizer:
        raise TinyBertError(
            "Expected the classifier that the file was exported from: the same tokenizer. "
            f"Received: {file.tokenizer!r} in the file, {classifier.wordpiece!r} in the classifier"
        )


def _largest_difference(own, reference, kind: str) -> float:
    """Over all examples; logits of spans, whose size is arbitrary, as probabilities."""
    pairs = zip(own, reference, strict=True)
    if kind == "spans":
        pairs = (map(_over_tokens, pair) for pair in pairs)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def _over_tokens(logits) -> np.ndarray:
    """Probabilities of each token to be a start or an end, `(length, 2)`."""
    return keras.ops.convert_to_numpy(keras.ops.softmax(np.asarray(logits, "float32"), axis=0))


def _check_difference(difference: float, reference, file: TFLiteModel, classifier) -> None:
    own, backbone = file.quantization, classifier.backbone
    exact = own == "float32" or (own in WEIGHT_ONLY and own == backbone.quantization)
    exact = exact and backbone.compute_dtype == "float32"
    limit = FLOAT32_TOLERANCE
    if file.kind == "score":  # of any size
        limit *= max(1.0, float(np.abs(reference).max()))
    if exact and not difference <= limit:
        raise TinyBertError(
            f"Expected outputs within {limit:g} of Keras from a {own} file; "
            "it may come from other weights. "
            f"Received: {str(file.path)!r} with a difference of {difference:.3g}"
        )


def _agreement(own, reference, kind: str) -> float | None:
    """Share of the same answers."""
    if kind in ("score", "embedding"):
        return None
    if kind == "labels":
        return float(((own >= 0.5) == (reference >= 0.5)).all(axis=1).mean())
    axis = 0 if kind == "spans" else -1
    same = [
        np.asarray(a).argmax(axis=axis) == np.asarray(b).argmax(axis=axis)
        for a, b in zip(own, reference, strict=True)
    ]
    return float(np.mean(np.concatenate([np.atleast_1d(row) for row in same])))


def _keras_outputs(model, file: TFLiteModel, encoded, step):
    """What the Keras model puts out for the ids that the file sees, in the file's form."""
    batches = LengthBucketedBatches(
        encoded.token_ids,
        getattr(encoded, "segment_ids", None),
        batch_size=_BATCH_SIZE,
        shuffle=False,
        pad_id=file.tokenizer.pad_id,
        max_length=file.sequence_length,
    )
    if file.by_token:
        found = model.activate(model.predict_batches(batches))
        step(len(encoded.token_ids))
        return found
    logits = model.predict(batches.dataset(), verbose=0, callbacks=[_Ticker(step)])
    in_order = np.empty_like(logits)
    in_order[batches.indices(0)] = model.activate(logits)
    return in_order


class _Ticker(keras.callbacks.Callback):
    """Moves a progress bar by each predicted batch."""

    def __init__(self, step: Callable[[int], None]):
        super().__init__()
        self._step = step

    def on_predict_batch_end(self, batch, logs=None):
        self._step(len(logs["outputs"]) if logs else _BATCH_SIZE)
