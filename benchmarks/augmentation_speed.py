"""Sentences a second of augmentation: in batches, and one masked word at a time as in the release.

    python benchmarks/augmentation_speed.py --masked-lm PRESET [--data ../shared/data] [--rounds 5]

Finds the candidates of sst2 sentences: masked words one by one at batch size 1, as TinyBERT's code
does it; and as `Candidates` does it, several words hidden in a pass, texts in batches. The two take
turns on the same sentences; ratios of each round, their median and quartiles.
"""

import argparse
import time
from pathlib import Path

import command_line
import numpy as np

import tinybert_tf as tb
from tinybert_tf.text.words import split_words


def main() -> None:
    parser = command_line.parser(__doc__, data=True)
    parser.add_argument("--masked-lm", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=16)
    run(parser.parse_args())


def run(arguments: argparse.Namespace) -> None:
    model = tb.TinyBertMaskedLM.from_preset(str(arguments.masked_lm))
    texts = tb.read_examples(arguments.data / "sst2" / "train_sentences.tsv").texts
    rows = [split_words(model.wordpiece, text) for text in texts]
    one = tb.Candidates(model, mask_share=1e-6, batch_size=1)
    many = tb.Candidates(model)
    count = arguments.sentences
    one.find(rows[:2]), many.find(rows[: 4 * count])  # traces
    quotients, speeds = [], []
    for turn in range(arguments.rounds):
        part = rows[turn * count : (turn + 1) * count]
        slow, fast = (seconds(candidates, part) for candidates in (one, many))
        quotients.append(slow / fast)
        speeds.append(count / fast)
    low, median, high = np.percentile(quotients, [25, 50, 75])
    print(
        f"{np.median(speeds):.1f} sentences/s in batches, {median:.1f} times as fast as one word "
        f"at a time (quartiles {low:.1f} and {high:.1f})"
    )


def seconds(candidates: tb.Candidates, rows: list) -> float:
    started = time.perf_counter()
    candidates.find(rows)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
