"""Data that a tiny encoder learns in seconds."""

import csv
import random
from pathlib import Path

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "dull", "poor")
# A rate at which the tiny encoder learns in seconds.
TRAINING = ["--epochs", "6", "--batch-size", "16", "--learning-rate", "1e-2", "--max-length", "24"]


def make_rows(count: int, seed: int) -> list[tuple[str, str]]:
    """Sentences whose label hangs on one word."""
    generator = random.Random(seed)
    rows = []
    for index in range(count):
        words, label = (GOOD, "positive") if index % 2 else (BAD, "negative")
        noun = generator.choice(("film", "movie", "plot", "cast", "scene"))
        degree = generator.choice(("", "very ", "really ", "quite "))
        rows.append((f"the {noun} was {degree}{generator.choice(words)}", label))
    return rows


def write_table(path: Path, rows: list, header=("text", "label")) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path
