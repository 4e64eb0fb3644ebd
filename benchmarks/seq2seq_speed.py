"""Target tokens a second of exported sequence-to-sequence files, decoded greedily with LiteRT.

    python benchmarks/seq2seq_speed.py FILE... [--source-lengths 16,64] [--target-lengths 16,64]
                                       [--threads 1] [--rounds 10] [--out FILE.md]

A call reads one source of random tokens and takes exactly so many steps, whether the end token
comes or not, as an app does: with the interpreter's copies of the caches in and out. Lengths that
a file cannot hold are left out. The files take turns in a random order, round by round. Tokens a
second are those of the median call, its encoder included; of the fastest call in brackets, which
other work on the machine disturbs least.
"""

import platform
from functools import partial
from importlib.metadata import version
from pathlib import Path

import command_line
import numpy as np

from tinybert_tf.atomic import atomic_file
from tinybert_tf.evaluate.latency import Latency
from tinybert_tf.evaluate.side_by_side import take_turns, timed
from tinybert_tf.export import TFLiteSeq2Seq

FIRST_TOKEN = 5  # after [PAD], [UNK], [CLS], [SEP], [MASK]


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--source-lengths", type=numbers, default=[16, 64])
    parser.add_argument("--target-lengths", type=numbers, default=[16, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=5, help="timed calls a turn, at most")
    parser.add_argument("--out", type=Path, help="the table as a file")
    arguments = parser.parse_args()
    files = {str(path): TFLiteSeq2Seq(path, arguments.threads) for path in arguments.files}
    rows = [row for length in arguments.source_lengths for row in measure(files, length, arguments)]
    table = "\n".join(
        [
            f"ai-edge-litert {version('ai-edge-litert')}, {platform.machine()}, "
            f"{arguments.threads} thread(s), {arguments.rounds} rounds",
            "",
            "| file | MB | source | target | encoder, ms | tokens/s |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )
    print(table)
    if arguments.out:
        with atomic_file(arguments.out) as stream:
            stream.write(table + "\n")


def measure(files: dict[str, TFLiteSeq2Seq], source_length: int, arguments) -> list[str]:
    """The table's rows of one source length: by target length, then by file."""
    sources = {
        path: random_source(file, source_length)
        for path, file in files.items()
        if source_length <= file.sequence_length
    }
    encoding = times(
        {path: partial(files[path].encode, sources[path]) for path in sources}, arguments
    )
    rows = []
    for target_length in arguments.target_lengths:
        decoders = {
            path: partial(decode, files[path], ids, target_length)
            for path, ids in sources.items()
            if target_length <= files[path].target_length
        }
        for path, timing in times(decoders, arguments).items():
            rates = [1000 * target_length / ms for ms in (timing.median_ms, timing.min_ms)]
            rows.append(
                f"| {Path(path).name} | {files[path].size_bytes / 1e6:.1f} | {source_length} "
                f"| {target_length} | {encoding[path].median_ms:.2f} "
                f"| {rates[0]:.0f} ({rates[1]:.0f}) |"
            )
    return rows


def decode(file: TFLiteSeq2Seq, ids: np.ndarray, steps: int) -> list[int]:
    """`TFLiteSeq2Seq.greedy` that does not stop at the end token."""
    source, caches = file.encode(ids), file.empty_caches()
    tokens = [file.begin_id]
    for position in range(steps):
        logits, caches = file.step(tokens[-1], position, source, caches)
        tokens.append(int(logits.argmax()))
    return tokens[1:]


def random_source(file: TFLiteSeq2Seq, length: int) -> np.ndarray:
    rows = file.tokenizer.vocabulary_size
    return np.random.default_rng(0).integers(FIRST_TOKEN, rows, length).astype("int32")


def times(calls: dict, arguments) -> dict[str, Latency]:
    """The latency of each callable; they take turns."""
    if not calls:
        return {}
    turns = {name: timed(call) for name, call in calls.items()}
    found = take_turns(turns, rounds=arguments.rounds, calls=arguments.calls)
    return {name: timing.latency for name, timing in found.items()}


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
