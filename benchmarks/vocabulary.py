"""What a pruned vocabulary costs without any retraining: RESULTS.md's table.

    python benchmarks/vocabulary.py --task sst2 --model PRESET [--data ../shared/data]

Prunes a trained classifier to the training texts of a public task in several ways and scores
each on dev. The word table's size is that of a student of width 312 in 4 bits, as in the
profile `small`. With `--general` it also keeps the tokens that raw English text (wiki_en_text)
holds at least that often.
"""

from pathlib import Path

import command_line

import tinybert_tf as tb
from tinybert_tf.compress import measure_coverage, prune_vocabulary
from tinybert_tf.compress.token_choice import count_pieces
from tinybert_tf.text.corpus import corpus_texts
from tinybert_tf.text.words import count_words

TASKS = {
    "sst2": ("sst2/train_sentences.tsv", "sst2/dev.tsv"),
    "clinc150": ("clinc150/train.tsv", "clinc150/val.tsv"),
}
GENERAL = "wiki_en_text/train.txt.gz"
WIDTH = 312
WAYS = {
    "tokens of the training texts": {},
    "... seen twice or more": {"min_count": 2},
    "... seen three times or more": {"min_count": 3},
    "at most 6,000": {"max_size": 6000},
    "at most 7,000": {"max_size": 7000},
    "7,000, filled up": {"max_size": 7000, "fill": True},
    "8,000, filled up": {"max_size": 8000, "fill": True},
}
HEADINGS = ("tokens kept", "number", "MB", "pieces a word", "texts as before", "dev accuracy")


def main() -> None:
    parser = command_line.parser(__doc__, data=True)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--model", type=Path, required=True, help="Preset of the classifier.")
    parser.add_argument("--general", type=int, nargs="*", default=[])
    arguments = parser.parse_args()

    train, dev = (tb.read_examples(arguments.data / path) for path in TASKS[arguments.task])
    classifier = tb.TinyBertTextClassifier.from_preset(str(arguments.model))
    ways = dict(WAYS)
    if arguments.general:
        ways.update(general_ways(classifier.wordpiece, arguments.data, arguments.general))

    print_row(HEADINGS)
    print_row(["---", *["---:"] * (len(HEADINGS) - 1)])
    report(classifier, classifier, "all", train, dev)
    for name, settings in ways.items():
        pruned = prune_vocabulary(classifier, train.texts, **settings).classifier
        report(classifier, pruned, name, train, dev)


def general_ways(wordpiece, data: Path, counts: list[int]) -> dict:
    """Ways that keep the tokens which raw English text holds often."""
    ids = {token: index for index, token in enumerate(wordpiece.vocabulary)}
    pieces = count_pieces(count_words(wordpiece, corpus_texts([data / GENERAL])), ids)
    return {
        f"training texts, and {count} times in English": {
            "keep": [token for token, found in pieces.items() if found >= count]
        }
        for count in counts
    }


def report(before, after, name: str, train, dev) -> None:
    """Prints a model's row."""
    coverage = measure_coverage(before.wordpiece, after.wordpiece, WIDTH, train.texts, dev.texts)
    accuracy = tb.evaluate_classifier(after, dev.texts, dev.labels).accuracy
    print_row(
        [
            name,
            f"{coverage.size_after:,}",
            f"{coverage.table_bytes('int4')[1] / 1e6:.2f}",
            f"{coverage.dev.pieces_per_word_after:.3f}",
            f"{100 * coverage.dev.unchanged_texts:.1f} %",
            f"{100 * accuracy:.2f}",
        ]
    )


def print_row(cells) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
