"""One object with everything worth knowing about a classifier's predictions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.markup import escape
from rich.table import Table

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate import calibration, metrics
from tinybert_tf.evaluate.checks import check_scored, encode_labels


@dataclass(frozen=True)
class ClassResult:
    """Scores of one class, each from 0 to 1; `support` is its number of examples."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ConfusedPair:
    """`count` examples of `label`, a share of `share` of them, were predicted as `predicted`."""

    label: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, eq=False)
class ClassificationReport:
    """Results of a classifier on labelled examples; `evaluate_probabilities` makes it.

    Args:
        label_names: tuple of strings. The classes, in the order of the model's outputs.
        multi_label: bool. Whether an example may have any number of labels.
        num_examples: int. Number of examples.
        accuracy: float. Share of right examples (multi-label: all labels right).
        macro_f1: float. Mean F1 of the classes that occur in labels or predictions.
        weighted_f1: float. Mean F1 weighted by the number of examples.
        micro_f1: float. F1 of all decisions pooled (one class per example: the accuracy).
        matthews: float. Matthews correlation, -1 to 1.
        ece: float. Expected calibration error, 15 bins.
        brier: float. Brier score.
        nll: float. Negative log likelihood in nats.
        per_class: tuple of `ClassResult`.
        confusion: int array. (classes, classes), rows the truth; multi-label: (classes, 2, 2).
    """

    label_names: tuple[str, ...]
    multi_label: bool
    num_examples: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    micro_f1: float
    matthews: float
    ece: float
    brier: float
    nll: float
    per_class: tuple[ClassResult, ...]
    confusion: np.ndarray

    def most_confused(self, limit: int = 10) -> list[ConfusedPair]:
        """Returns the most frequent mistakes, most frequent first.

        Args:
            limit: int. Length of the list at most. Defaults to `10`.

        Raises:
            TinyBertError: If the report is multi-label, where no class is mistaken for another.
        """
        if self.multi_label:
            raise TinyBertError(
                "Expected a report with one class per example. Received: multi_label=True"
            )
        mistakes = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
        support = self.confusion.sum(axis=1)
        return [
            ConfusedPair(
                self.label_names[row],
                self.label_names[column],
                int(mistakes[row, column]),
                float(mistakes[row, column] / support[row]),
            )
            for row, column in zip(*np.unravel_index(order, mistakes.shape), strict=True)
            if mistakes[row, column]
        ]

    def weakest_classes(self, limit: int = 10) -> list[ClassResult]:
        """Returns the classes with examples that have the lowest F1, lowest first."""
        present = [result for result in self.per_class if result.support]
        return sorted(present, key=lambda result: result.f1)[:limit]

    def to_dict(self) -> dict:
        """Returns everything as a dict that JSON can hold."""
        fields = asdict(self)
        fields["label_names"] = list(self.label_names)
        fields["per_class"] = [asdict(result) for result in self.per_class]
        fields["confusion"] = self.confusion.tolist()
        return fields

    def summary(self) -> dict[str, float]:
        """Returns the scalar scores by name."""
        names = ("accuracy", "macro_f1", "weighted_f1", "micro_f1", "matthews", "ece", "brier")
        return {name: getattr(self, name) for name in (*names, "nll")}

    def to_text(self, digits: int = 3) -> str:
        """Returns the table that scikit-learn's `classification_report` prints, and a summary.

        The averages leave out classes that occur in neither labels nor predictions.

        Args:
            digits: int. Decimal places. Defaults to `3`.
        """
        width = max(len("weighted avg"), *map(len, self.label_names))
        head = ("precision", "recall", "f1-score", "support")
        lines = [f"{'':>{width}} " + "".join(f" {name:>9}" for name in head), ""]

        def line(label: str, scores: Sequence[float | None], support: int) -> str:
            cells = (" " * 10 if x is None else f" {x:>9.{digits}f}" for x in scores)
            return f"{label:>{width}} {''.join(cells)} {support:>9}"

        for result in self.per_class:
            scores = (result.precision, result.recall, result.f1)
            lines.append(line(result.label, scores, result.support))
        lines.append("")
        for name, scores, support in self._averages():
            lines.append(line(name, scores, support))
        lines += ["", self._summary_line(digits)]
        return "\n".join(lines)

    def rich_table(self, limit: int | None = None, title: str | None = None) -> Table:
        """Returns a table for the terminal.

        Args:
            limit: int. Show only so many classes, those with the lowest F1. `None` shows all in
                the model's order. Defaults to `None`.
            title: string. Title of the table. Defaults to the number of examples.
        """
        title = title or f"Classification report, {self.num_examples:,} examples"
        table = Table(title=title, caption=self._summary_line(3))
        table.add_column("class")
        for name in ("precision", "recall", "F1", "examples"):
            table.add_column(name, justify="right")
        shown = self.per_class if limit is None else self.weakest_classes(limit)
        for result in shown:
            scores = (f"{x:.3f}" for x in (result.precision, result.recall, result.f1))
            table.add_row(escape(result.label), *scores, f"{result.support:,}")
        if len(shown) < len(self.per_class):
            table.add_row(f"... {len(self.per_class) - len(shown)} more classes", style="dim")
        table.add_section()
        for name, scores, support in self._averages():
            table.add_row(name, *("" if x is None else f"{x:.3f}" for x in scores), f"{support:,}")
        return table

    def __rich__(self) -> Table:
        return self.rich_table(limit=None if len(self.per_class) <= 40 else 20)

    def __str__(self) -> str:
        return self.to_text()

    def _averages(self) -> list[tuple[str, tuple[float | None, ...], int]]:
        """Rows below the classes: name, (precision, recall, F1), support."""
        scores = np.array([(c.precision, c.recall, c.f1) for c in self.per_class])
        support = np.array([c.support for c in self.per_class])
        total = int(support.sum())
        seen = self._predicted() + support > 0
        macro = tuple(scores[seen].mean(axis=0)) if seen.any() else (0.0,) * 3
        weighted = tuple(support @ scores / max(total, 1))
        first = ("accuracy", (None, None, self.accuracy), self.num_examples)
        if self.multi_label:
            hits = int(self.confusion[:, 1, 1].sum())
            predicted = int(self._predicted().sum())
            micro = (hits / max(predicted, 1), hits / max(total, 1), self.micro_f1)
            first = ("micro avg", micro, total)
        return [first, ("macro avg", macro, total), ("weighted avg", weighted, total)]

    def _predicted(self) -> np.ndarray:
        """How often each class was predicted, (classes,)."""
        if self.multi_label:
            return self.confusion[:, :, 1].sum(axis=1)
        return self.confusion.sum(axis=0)

    def _summary_line(self, digits: int) -> str:
        return (
            f"accuracy {self.accuracy:.{digits}f}, macro F1 {self.macro_f1:.{digits}f}, "
            f"Matthews {self.matthews:.{digits}f}, calibration error {self.ece:.{digits}f}, "
            f"Brier {self.brier:.{digits}f}, NLL {self.nll:.{digits}f}"
        )


def evaluate_probabilities(
    probabilities,
    labels,
    label_names: Sequence[str],
    multi_label: bool = False,
    threshold: float = 0.5,
) -> ClassificationReport:
    """Scores probabilities against labels.

    Args:
        probabilities: array-like, shape (n, classes). Softmax outputs, or sigmoid outputs when
            `multi_label`.
        labels: sequence. Class names or indices, one per example; when `multi_label`, lists of
            names or multi-hot rows.
        label_names: sequence of strings. The classes, in the order of the columns.
        multi_label: bool. Whether an example may have any number of labels. Defaults to `False`.
        threshold: float. A label applies from this probability on (multi-label only).
            Defaults to `0.5`.

    Raises:
        TinyBertError: If the inputs are malformed, do not fit each other, or name unknown labels.
    """
    names = tuple(map(str, label_names))
    if len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise TinyBertError(f"Expected different label names. Received: {repeated!r} twice")
    labels = encode_labels(labels, names, multi_label)
    if labels.ndim != 1 + multi_label:
        raise TinyBertError(
            f"Expected labels of shape {'(n, classes)' if multi_label else '(n,)'} with "
            f"multi_label={multi_label}. Received: labels.shape={labels.shape}"
        )
    probabilities, labels = check_scored(probabilities, labels)
    if probabilities.shape[1] != len(names):
        raise TinyBertError(
            f"Expected one column of probabilities per label name. Received: "
            f"probabilities.shape={probabilities.shape}, {len(names)} label names"
        )
    if multi_label:
        predictions = probabilities >= threshold
        confusion = metrics.multi_label_confusion(predictions, labels)
    else:
        predictions = probabilities.argmax(axis=1)
        confusion = metrics.confusion_matrix(predictions, labels, len(names))
    scores = metrics.precision_recall_f1(predictions, labels, len(names))
    return ClassificationReport(
        label_names=names,
        multi_label=multi_label,
        num_examples=len(labels),
        accuracy=metrics.accuracy(predictions, labels),
        macro_f1=metrics.macro_f1(predictions, labels, len(names)),
        weighted_f1=metrics.weighted_f1(predictions, labels, len(names)),
        micro_f1=metrics.micro_f1(predictions, labels),
        matthews=metrics.matthews(predictions, labels),
        ece=calibration.expected_calibration_error(probabilities, labels),
        brier=calibration.brier_score(probabilities, labels),
        nll=calibration.negative_log_likelihood(probabilities, labels),
        per_class=tuple(
            ClassResult(name, float(p), float(r), float(f), int(s))
            for name, p, r, f, s in zip(names, *scores, strict=True)
        ),
        confusion=confusion,
    )


def evaluate_classifier(model, texts: Sequence[str], labels: Sequence) -> ClassificationReport:
    """Runs a classifier on texts and scores it.

    Args:
        model: object with `predict_proba(texts)`, `labels` (class names or `None`) and
            `multi_label`: a `TinyBertTextClassifier` or an exported file's `TFLiteClassifier`.
        texts: list of strings, or a tuple of two such lists for sentence pairs.
        labels: sequence. As in `evaluate_probabilities`.

    Raises:
        TinyBertError: If there are no texts, or not as many as labels.
    """
    count = len(texts[0]) if isinstance(texts, tuple) else len(texts)
    if count != len(labels) or not count:
        raise TinyBertError(
            f"Expected at least one text, and one label per text. "
            f"Received: {count} texts, {len(labels)} labels"
        )
    probabilities = np.asarray(model.predict_proba(texts))
    names = model.labels or [str(index) for index in range(probabilities.shape[-1])]
    return evaluate_probabilities(
        probabilities, labels, names, multi_label=bool(getattr(model, "multi_label", False))
    )
