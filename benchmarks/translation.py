"""English to Chinese on tatoeba: a translator, its students, and the file: RESULTS.md's table.

    python benchmarks/translation.py --out DIR [--data ../shared/data] [--rows ...] [--seed 0]

Teacher: MiniLM-L6-H384 with a new decoder of 3 blocks, trained on 27,034 pairs of sentences.
Students have 3 of its encoder's blocks and 2 of its decoder's: `fine_tuned` on the references,
`word` (the teacher's distribution of each next character; Kim and Rush 2016, 3.1), `sequence` (the
teacher's own translations; 3.2), `int8` (the best of these as a file, not trained for it). BLEU (by
character) and chrF by sacrebleu on the dev sentences, each against its first reference and all of
them. A row is trained once, in DIR/ROW; a killed one resumes.
"""

import argparse
import json
import time
from pathlib import Path

import command_line
from sacrebleu.metrics import BLEU, CHRF

import tinybert_tf as tb
from tinybert_tf import export
from tinybert_tf.atomic import atomic_file
from tinybert_tf.models import TinyBertSeq2SeqPreprocessor

STUDENTS = ("fine_tuned", "word", "sequence")
ROWS = ("teacher", *STUDENTS, "int8")
SOURCE_LENGTH, TARGET_LENGTH = 48, 48
DECODER_BLOCKS, STUDENT_BLOCKS = 3, (3, 2)
# Of the teacher, then of each student.
EPOCHS, LEARNING_RATE, BATCH_SIZE, BEAMS = (12, 8), (3e-4, 3e-4), 64, 4


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True, precision=True)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--pairs", type=int, help="only so many of either part")
    parser.add_argument("--epochs", type=int, help="of teacher and students alike")
    Benchmark(parser.parse_args()).run()


class Benchmark:
    """The rows, each kept on disk when it is done."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.out = arguments.out
        folder = arguments.data / "tatoeba_cmn_eng"
        train, dev = (
            tb.read_parallel(folder / f"{part}.tsv.gz", source=0, target=1)
            for part in ("train", "dev")
        )
        count = arguments.pairs
        self.train = train.sources[:count], train.targets[:count]
        self.dev = dev.sources[:count], dev.targets[:count]
        self.references: dict[str, list[str]] = {}
        for source, target in zip(*self.dev, strict=True):
            self.references.setdefault(source, []).append(target)

    def run(self) -> None:
        for name in self.arguments.rows:
            if not (self.out / name / "result.json").exists():
                print(f"=== {name}", flush=True)
                self.row(name)
        print(self.table())

    def row(self, name: str) -> None:
        if name == "int8":
            scores = {row: self.result(row)["bleu"] for row in STUDENTS if self.result(row)}
            if not scores:
                raise SystemExit("Expected a student first. Received: none")
            best = max(scores, key=scores.get)
            path = self.out / name / "model.tflite"
            result = export.seq2seq_to_tflite(self.model(best), path)
            found = {"from": best, "megabytes": result.size_bytes / 1e6}
            self.score(name, export.TFLiteSeq2Seq(path, num_threads=2), found)
            return
        started = time.monotonic()
        with tb.matmul_precision(self.arguments.matmul_precision):
            model = self.trained(name)
        model.save_to_preset(str(self.out / name / "preset"))
        seconds = round(time.monotonic() - started)
        self.score(name, model, {"seconds": seconds, "parameters": model.count_params()})

    def trained(self, name: str):
        folder = self.out / name
        if name == "teacher":
            model = self.new_teacher()
            self.finetune(model, self.train, folder, 0)
            return model
        teacher = self.model("teacher")
        encoder, decoder = STUDENT_BLOCKS
        student = tb.student_of(teacher, num_layers=encoder, decoder_layers=decoder)
        if name == "fine_tuned":
            self.finetune(student, self.train, folder, 1)
        elif name == "sequence":
            translations = tb.teacher_translations(
                teacher, self.train[0], beams=BEAMS, path=folder / "translations.jsonl"
            )
            self.finetune(student, (self.train[0], translations), folder, 1)
        else:
            tb.distill(
                teacher,
                student,
                *self.train,
                validation_data=self.dev,
                stages="prediction",
                epochs=self.arguments.epochs or EPOCHS[1],
                learning_rate=LEARNING_RATE[1],
                batch_size=BATCH_SIZE,
                seed=self.arguments.seed,
                run_dir=folder,
                verbose=self.arguments.verbose,
            )
        return student

    def new_teacher(self):
        encoder = tb.TinyBertTextClassifier.from_hf(str(tb.default_teacher()), num_classes=2)
        target = tb.train_wordpiece(self.train[1], 6000, lowercase=False)
        preprocessor = TinyBertSeq2SeqPreprocessor.from_wordpieces(
            encoder.wordpiece,
            target,
            sequence_length=SOURCE_LENGTH,
            target_length=TARGET_LENGTH,
        )
        return tb.TinyBertSeq2Seq(
            encoder.backbone,
            preprocessor,
            decoder_layers=DECODER_BLOCKS,
            target_vocabulary_size=target.vocabulary_size,
            max_target_length=TARGET_LENGTH,
        )

    def finetune(self, model, pairs: tuple, folder: Path, which: int) -> None:
        tb.finetune(
            model,
            *pairs,
            validation_data=self.dev,
            epochs=self.arguments.epochs or EPOCHS[which],
            learning_rate=LEARNING_RATE[which],
            batch_size=BATCH_SIZE,
            seed=self.arguments.seed,
            run_dir=folder,
            verbose=self.arguments.verbose,
        )

    def model(self, row: str):
        return tb.TinyBertSeq2Seq.from_preset(str(self.out / row / "preset"))

    def score(self, name: str, model, found: dict) -> None:
        """Greedy and by beams, each dev sentence once."""
        sources = list(self.references)
        first = [self.references[source][0] for source in sources]
        most = max(map(len, self.references.values()))
        # sacrebleu takes as many references a sentence as the richest has, None for absent ones.
        streams = [
            [found[place] if place < len(found) else None for found in self.references.values()]
            for place in range(most)
        ]
        started = time.monotonic()
        greedy = model.generate(sources)
        found["greedy_seconds"] = round(time.monotonic() - started, 1)
        beams = model.generate(sources, beams=BEAMS)
        found |= {
            "sentences": len(sources),
            "bleu": BLEU(tokenize="zh").corpus_score(beams, [first]).score,
            "bleu_greedy": BLEU(tokenize="zh").corpus_score(greedy, [first]).score,
            "bleu_all_references": BLEU(tokenize="zh").corpus_score(beams, streams).score,
            "chrf": CHRF().corpus_score(beams, [first]).score,
            "examples": list(zip(sources[::150], beams[::150], first[::150], strict=True)),
        }
        print(name, json.dumps(found, ensure_ascii=False), flush=True)
        with atomic_file(self.out / name / "result.json") as stream:
            json.dump(found, stream, indent=2, ensure_ascii=False)

    def result(self, row: str) -> dict:
        path = self.out / row / "result.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def table(self) -> str:
        lines = [
            "| | BLEU, 4 beams | greedy | all references | chrF | parameters or size |",
            "|---|---|---|---|---|---|",
        ]
        for name in ROWS:
            found = self.result(name)
            if found:
                size = f"{found['parameters'] / 1e6:.1f} M" if "parameters" in found else ""
                size = size or f"{found['megabytes']:.1f} MB (from {found['from']})"
                scores = ("bleu", "bleu_greedy", "bleu_all_references", "chrf")
                shown = " | ".join(f"{found[score]:.1f}" for score in scores)
                lines.append(f"| {name} | {shown} | {size} |")
        return "\n".join(lines)


if __name__ == "__main__":
    main()
