"""How many texts of no known class a clinc150 classifier finds, by score: RESULTS.md's table.

    python benchmarks/out_of_scope.py --model PRESET --out DIR [--data ../shared/data]

The data set's out-of-scope texts were never trained on. Each threshold is chosen on its oos_train
(100 texts) and one half of val, class by class, and measured on oos_val (100 texts) and the other
half. There is no test split: val has also chosen the classifier's best epoch, so that the in-scope
accuracy is a dev score. `--model` may be an exported `.tflite` file, which has no energy score.
Writes out_of_scope.json, out_of_scope.md and out_of_scope.png to the output folder.
"""

import collections
import json
from pathlib import Path

import command_line
import numpy as np

import tinybert_tf as tb
from tinybert_tf.atomic import atomic_file
from tinybert_tf.evaluate import choose_threshold, evaluate_out_of_scope, out_of_scope_scores
from tinybert_tf.evaluate.figures import BLUE, GRAY, VERMILION, figure
from tinybert_tf.evaluate.scope_scores import FILE_SCORES, SCORES
from tinybert_tf.export import TFLiteClassifier

# Row label to arguments of `choose_threshold`.
OBJECTIVES = {
    "balanced": {"objective": "balanced"},
    "keep 95 %": {"objective": "kept_at", "target": 0.95},
    "find 90 %": {"objective": "recall_at", "target": 0.9},
}
HEADINGS = (
    "score",
    "objective",
    "out of scope",
    "AUROC",
    "FPR at 95 % TPR",
    "oos found",
    "in-scope kept",
    "in-scope accuracy",
    "before",
)


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True)
    parser.add_argument("--model", type=Path, required=True, help="Preset, or .tflite file.")
    parser.add_argument("--temperature", type=float, default=1.0, help="Of the energy.")
    arguments = parser.parse_args()

    folder = arguments.data / "clinc150"
    val, oos_train, oos_val = (
        tb.read_examples(folder / name) for name in ("val.tsv", "oos_train.tsv", "oos_val.tsv")
    )
    texts = [*val.texts, *oos_train.texts, *oos_val.texts]
    outputs, labels = answer(arguments.model, texts)
    inside = outputs["probability"][: len(val.texts)]
    correct = np.array(labels)[inside.argmax(axis=1)] == np.array(val.labels)
    parts = Parts(first_halves(val.labels), len(oos_train.texts))

    rows = []
    for score, found in outputs.items():
        temperature = arguments.temperature if score == "energy" else 1.0
        scores = out_of_scope_scores(found, score, temperature)
        rows += measure(score, scores, parts, correct, temperature)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(arguments.out, rows, {"model": "/".join(arguments.model.parts[-2:])})
    plot(arguments.out / "out_of_scope.png", outputs, parts, rows)


class Parts:
    """Which texts, in-scope ones first, choose a threshold and which measure it.

    Args:
        first: bool array `(in_scope,)`. In-scope texts that choose.
        num_oos_train: int. Out-of-scope texts that choose, which come before those that measure.
    """

    def __init__(self, first: np.ndarray, num_oos_train: int):
        self.first = first
        self._ends = (len(first), len(first) + num_oos_train)

    def choose(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """In-scope and out-of-scope scores that choose."""
        start, end = self._ends
        return scores[:start][self.first], scores[start:end]

    def measure(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """In-scope and out-of-scope scores that measure."""
        start, end = self._ends
        return scores[:start][~self.first], scores[end:]


def first_halves(labels: list[str]) -> np.ndarray:
    """Every other text of each class."""
    seen = collections.Counter()
    first = np.zeros(len(labels), bool)
    for row, label in enumerate(labels):
        first[row] = seen[label] % 2 == 0
        seen[label] += 1
    return first


def answer(path: Path, texts: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """What each score is computed from, and the class names."""
    if path.suffix == ".tflite":
        file = TFLiteClassifier(path)
        return dict.fromkeys(FILE_SCORES, file.predict_proba(texts)), file.labels
    classifier = tb.TinyBertTextClassifier.from_preset(str(path))
    logits = classifier.predict(texts, verbose=0)
    outputs = dict.fromkeys(SCORES, classifier.activate(logits))
    return {**outputs, "energy": logits}, classifier.labels


def measure(score: str, scores: np.ndarray, parts: Parts, correct, temperature) -> list[dict]:
    """One row an objective."""
    rows = []
    for name, objective in OBJECTIVES.items():
        chosen = choose_threshold(
            *parts.choose(scores),
            score,
            correct=correct[parts.first],
            temperature=temperature,
            **objective,
        )
        report = evaluate_out_of_scope(
            chosen, *parts.measure(scores), correct=correct[~parts.first]
        )
        rows.append(
            {"objective": name, "threshold": chosen.to_dict(), "measured": report.to_dict()}
            | {"rule": chosen.rule, "scores": scores.tolist()}
        )
    return rows


def write(out: Path, rows: list[dict], about: dict) -> None:
    """Writes and prints the table."""
    lines = [HEADINGS, ["---"] * 3 + ["---:"] * (len(HEADINGS) - 3)]
    for row in rows:
        found = row["measured"]
        shares = ("fpr_at_95_tpr", "out_of_scope_recall", "in_scope_kept")
        shares = [*shares, "in_scope_accuracy", "accuracy_before"]
        cells = [row["threshold"]["score"], row["objective"], row["rule"]]
        cells += [f"{found['auroc']:.3f}", *(f"{100 * found[name]:.1f} %" for name in shares)]
        lines.append(cells)
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    print(table, flush=True)
    kept = [{key: value for key, value in row.items() if key != "scores"} for row in rows]
    with atomic_file(out / "out_of_scope.json") as stream:
        json.dump({**about, "rows": kept}, stream, indent=2)
    with atomic_file(out / "out_of_scope.md") as stream:
        stream.write(table)


def plot(path: Path, outputs: dict, parts: Parts, rows: list[dict]) -> None:
    """Draws how the scores of both kinds of texts that measure are spread, one panel a score."""
    with figure(path, 3.4 * len(outputs) + 0.4, 3.2) as fig:
        panels = fig.subplots(1, len(outputs), squeeze=False)[0]
        for axes, score in zip(panels, outputs, strict=True):
            row = next(
                row
                for row in rows
                if row["threshold"]["score"] == score and row["objective"] == "balanced"
            )
            scores = parts.measure(np.array(row["scores"]))
            bins = np.linspace(*_range(np.concatenate(scores)), 31)
            for values, color, label in zip(
                scores, (BLUE, VERMILION), ("in scope", "out of scope"), strict=True
            ):
                weights = np.full(len(values), 100 / len(values))
                axes.hist(values, bins, weights=weights, color=color, alpha=0.6, label=label)
            axes.axvline(
                row["threshold"]["threshold"], color=GRAY, linestyle="--", label="threshold"
            )
            axes.set_title(f"{score}: AUROC {row['measured']['auroc']:.3f}")
            axes.set_xlabel("entropy (nats)" if score == "entropy" else score)
        panels[0].set_ylabel("texts (%)")
        handles, names = panels[0].get_legend_handles_labels()
        fig.legend(handles, names, loc="outside lower center", ncols=3)


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


if __name__ == "__main__":
    main()
