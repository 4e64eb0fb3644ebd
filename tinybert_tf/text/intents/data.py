"""The phone-assistant intent data: training and dev sentences made, test sentences read."""

import csv
import dataclasses
import os
import random
from pathlib import Path

from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.intents.grammar import FOLDER, Grammar
from tinybert_tf.text.intents.noise import add_noise, normalize, pick, shuffle

DEV_SHARE = 0.2  # dev sentences per training sentence
MAX_REPEATS = 500  # repeated sentences in a row before the grammar counts as exhausted

Split = tuple[list[str], list[str]]


@dataclasses.dataclass(frozen=True)
class IntentData:
    """Texts and labels of the three splits, and the label names in alphabetical order.

    Train and dev come from the same grammar and share no sentence; the test is written by hand and
    shares no template with them.
    """

    train: Split
    dev: Split
    test: Split
    labels: list[str]


def load_intents(seed: int = 0, per_intent: int = 200) -> IntentData:
    """Makes the data set: the same sentences for the same arguments, on every machine.

    Args:
        seed: int. Defaults to `0`.
        per_intent: int. Training sentences per intent; dev gets a fifth of it (at least one).
            Defaults to `200`.

    Raises:
        TinyBertError: If `per_intent` is not positive, or more than the grammar has sentences for.
    """
    if per_intent < 1:
        raise TinyBertError(
            f"Expected `per_intent` of at least 1. Received: per_intent={per_intent}"
        )
    grammar = Grammar()
    test = read_test()
    seen = {normalize(text) for text in test[0]}
    dev_size = max(1, round(per_intent * DEV_SHARE))
    train, dev = [], []
    for intent in grammar.labels:
        rng = random.Random(f"{seed}/{intent}")
        texts = distinct_sentences(grammar, intent, per_intent + dev_size, rng, seen)
        train += [(text, intent) for text in texts[:per_intent]]
        dev += [(text, intent) for text in texts[per_intent:]]
    rng = random.Random(f"{seed}/order")
    shuffle(rng, train)
    shuffle(rng, dev)
    return IntentData(_columns(train), _columns(dev), test, grammar.labels)


def distinct_sentences(
    grammar: Grammar, intent: str, count: int, rng: random.Random, seen: set[str]
) -> list[str]:
    """Draws `count` noisy sentences whose normalized forms are new to `seen`, and adds them.

    Raises:
        TinyBertError: If the grammar has fewer.
    """
    texts: list[str] = []
    repeats = 0
    while len(texts) < count and repeats < MAX_REPEATS:
        clean = grammar.sample(pick(rng, grammar.templates[intent]), rng)
        noisy = add_noise(clean, rng)
        keys = {normalize(clean), normalize(noisy)}
        if keys & seen:
            repeats += 1
            continue
        repeats = 0
        seen |= keys
        texts.append(noisy)
    if len(texts) < count:
        raise TinyBertError(
            f"Expected at most {len(texts)} sentences (training and dev) for intent {intent!r}: "
            f"the grammar has few more. Received: {count}."
        )
    return texts


def read_test() -> Split:
    """Reads the hand-written test sentences and their labels."""
    with open(FOLDER / "test.tsv", encoding="ascii", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return _columns(rows[1:])


def write_intents(folder: str | os.PathLike, data: IntentData) -> list[Path]:
    """Writes train.csv, dev.csv and test.csv (columns text, label) and returns their paths.

    Raises:
        TinyBertError: If the folder cannot be written.
    """
    paths = []
    for name in ("train", "dev", "test"):
        path = Path(folder) / f"{name}.csv"
        with atomic_file(path) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["text", "label"])
            writer.writerows(zip(*getattr(data, name), strict=True))
        paths.append(path)
    return paths


def _columns(rows: list) -> Split:
    """Turns (text, label) rows into two lists."""
    return [text for text, _ in rows], [label for _, label in rows]
