"""Sentence embeddings: a teacher's vectors in fewer blocks, and in int8: RESULTS.md's table.

    python benchmarks/embeddings.py --out DIR [--data ../shared/data] [--rows ...] [--seed 0]

Teacher: all-MiniLM-L6-v2, six blocks. Students start from its blocks and see sentences of English
Wikipedia, no pair and no score: `start` (not trained), `distilled`, `int8` (its file). Measured on
stsb's dev part, on which nothing is trained: Spearman's correlation of cosines and scores, and how
often a sentence's paraphrase (score 4 or more) is found first, and among the first five, among all
second sentences. A row is trained once, in DIR/STUDENT/ROW; a killed one resumes.
"""

import argparse
import csv
import json
import time
from functools import cached_property
from pathlib import Path

import command_line
import numpy as np

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.atomic import atomic_file
from tinybert_tf.evaluate.regression import evaluate_scores
from tinybert_tf.text.corpus import corpus_texts
from tinybert_tf.text.sentences import split_sentences

ROWS = ("start", "distilled", "int8")
LENGTH, LEARNING_RATE = 64, 2e-4
EPOCHS = {"intermediate": 1, "prediction": 3}
# A sentence that an app would look up: neither a heading nor a paragraph.
SHORTEST, LONGEST = 20, 200
PARAPHRASE = 4.0


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True, precision=True)
    parser.add_argument("--student", choices=tb.ARCHITECTURES, default="minilm_4l_384")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--sentences", type=int, default=12_000)
    Benchmark(parser.parse_args()).run()


class Benchmark:
    """The rows of one student, each kept on disk when it is done."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        with open(arguments.data / "stsb" / "en_dev.csv", encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        self.first, self.second = ([row[side] for row in rows] for side in (0, 1))
        self.scores = np.array([float(row[2]) for row in rows])

    def run(self) -> None:
        teacher = tb.TinyBertSentenceEmbedder.from_hf(
            str(tb.default_teacher()), sequence_length=LENGTH
        )
        self.row(self.arguments.out / "teacher", lambda folder: self.measured(teacher))
        for name in self.arguments.rows:
            self.row(self.folder(name), getattr(self, name), teacher)
        print(self.table())

    def row(self, folder: Path, make, *given) -> None:
        if (folder / "result.json").exists():
            return
        print(f"=== {folder.relative_to(self.arguments.out)}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        found = make(folder, *given)
        print(found, flush=True)
        with atomic_file(folder / "result.json") as stream:
            json.dump(found, stream, indent=2)

    def start(self, folder: Path, teacher) -> dict:
        return self.measured(self.student(teacher))

    def distilled(self, folder: Path, teacher) -> dict:
        student = self.student(teacher)
        started = time.monotonic()
        with tb.matmul_precision(self.arguments.matmul_precision):
            tb.distill(
                teacher,
                student,
                self.sentences,
                epochs=EPOCHS,
                learning_rate=LEARNING_RATE,
                balance=True,
                seed=self.arguments.seed,
                run_dir=folder,
                verbose=self.arguments.verbose,
            )
        student.save_to_preset(str(folder / "preset"))
        return {"seconds": round(time.monotonic() - started), **self.measured(student)}

    def int8(self, folder: Path, teacher) -> dict:
        preset = self.folder("distilled") / "preset"
        student = tb.TinyBertSentenceEmbedder.from_preset(str(preset))
        result = export.to_tflite(student, folder / "universal.tflite")
        file = export.TFLiteSentenceEmbedder(result.path, num_threads=2)
        return {"megabytes": result.size_bytes / 1e6, **self.measured(file)}

    def student(self, teacher):
        return tb.student_of(teacher, self.arguments.student, texts=self.sentences[:2000])

    @cached_property
    def sentences(self) -> list[str]:
        """The same sentences of Wikipedia each time."""
        texts = corpus_texts([self.arguments.data / "wiki_en_text" / "train.txt.gz"])
        order = np.random.default_rng(0).permutation(len(texts))
        found: list[str] = []
        for row in order:
            found += [s for s in split_sentences(texts[row]) if SHORTEST <= len(s) <= LONGEST]
            if len(found) >= self.arguments.sentences:
                break
        return found[: self.arguments.sentences]

    def measured(self, model) -> dict:
        first, second = (np.asarray(model.embed(side)) for side in (self.first, self.second))
        cosines = (first * second).sum(axis=1)
        rows = np.flatnonzero(self.scores >= PARAPHRASE)
        # Equal sentences are the same document.
        documents, places = np.unique(self.second, return_inverse=True)
        vectors = np.zeros((len(documents), second.shape[1]), "float32")
        vectors[places] = second
        near = (first[rows] @ vectors.T).argsort(axis=1)[:, ::-1]
        hits = near[:, :5] == places[rows, None]
        return {
            "spearman": evaluate_scores(cosines, self.scores).spearman,
            "hit_at_1": float(hits[:, 0].mean()),
            "hit_at_5": float(hits.any(axis=1).mean()),
            "queries": len(rows),
            "documents": len(documents),
        }

    def folder(self, row: str) -> Path:
        return self.arguments.out / self.arguments.student / row

    def table(self) -> str:
        lines = [
            "| | Spearman | of the teacher | found first | among five |",
            "|---|---|---|---|---|",
        ]
        paths = [self.arguments.out / "teacher", *map(self.folder, ROWS)]
        found = {
            path.name: json.loads((path / "result.json").read_text("utf-8"))
            for path in paths
            if (path / "result.json").exists()
        }
        for name, row in found.items():
            share = row["spearman"] / found["teacher"]["spearman"]
            hits = " | ".join(f"{100 * row[hit]:.1f} %" for hit in ("hit_at_1", "hit_at_5"))
            lines.append(f"| {name} | {100 * row['spearman']:.2f} | {100 * share:.1f} % | {hits} |")
        return "\n".join(lines)


if __name__ == "__main__":
    main()
