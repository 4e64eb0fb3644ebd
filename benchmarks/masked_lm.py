"""A masked language model from an encoder that was published without its head.

    python benchmarks/masked_lm.py --out DIR [--steps 1500] [--data ../shared/data] [--seed 0]

MiniLM-L6-H384 (a sentence encoder) goes on being pre-trained on English Wikipedia text; perplexity
and accuracy of the masks on wikitext2's validation part, before and after. Augmentation takes its
candidates from the result. A killed run resumes. Writes DIR/preset, masked_lm.json and .md.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import command_line

import tinybert_tf as tb
from tinybert_tf.atomic import atomic_file, atomic_folder
from tinybert_tf.text.corpus import corpus_texts


def main() -> None:
    parser = command_line.parser(__doc__, out=True, data=True, training=True)
    parser.add_argument("--corpus", type=Path, help="default: OUT/corpus")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    run(parser.parse_args())


def run(arguments: argparse.Namespace) -> None:
    out = arguments.out
    model = tb.TinyBertMaskedLM.from_hf(str(tb.default_teacher()), sequence_length=128)
    folder = arguments.corpus or out / "corpus"
    if not (folder / "corpus.json").exists():
        source = arguments.data / "wiki_en_text" / "train.txt.gz"
        tb.prepare_corpus(source, folder, model.wordpiece, 128, seed=arguments.seed)
    held_out = corpus_texts([arguments.data / "wikitext2_valid_test" / "valid.txt.gz"])
    found = {"before": asdict(tb.evaluate_masked_lm(model, held_out))}
    print(found, flush=True)
    started = time.monotonic()
    tb.pretrain(
        model,
        tb.Corpus(folder),
        learning_rate=arguments.learning_rate,
        steps=arguments.steps,
        seed=arguments.seed,
        run_dir=out,
        verbose=arguments.verbose,
    )
    found["seconds"] = round(time.monotonic() - started)
    with atomic_folder(out / "preset") as temporary:
        model.save_to_preset(str(temporary))
    found["after"] = asdict(tb.evaluate_masked_lm(model, held_out))
    found["steps"] = arguments.steps
    with atomic_file(out / "masked_lm.json") as stream:
        json.dump(found, stream, indent=2)
    lines = ["| wikitext2, validation | perplexity | accuracy |", "|---|---|---|"]
    for name in ("before", "after"):
        row = found[name]
        lines.append(f"| {name} | {row['perplexity']:.2f} | {100 * row['accuracy']:.2f} |")
    with atomic_file(out / "masked_lm.md") as stream:
        stream.write("\n".join(lines) + "\n")
    print(json.dumps(found, indent=2), flush=True)


if __name__ == "__main__":
    main()
