"""Run folders, and a reader of pages that knows what HTML has to look like."""

import base64
import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from tinybert_tf.runs import Run

HISTORY = {
    "intermediate": {
        "loss": [6.0, 3.0],
        "attention_loss": [4.0, 2.0],
        "hidden_loss": [2.0, 1.0],
        "val_loss": [6.5, 3.5],
    },
    "prediction": {"loss": [0.9], "prediction_loss": [0.9], "val_accuracy": [0.875]},
}
DEV = [
    ("the film was good", "positive"),
    ("the plot was awful", "negative"),
    ("a lovely scene", "positive"),
    ("a dull cast", "negative"),
    ("the movie was really great !", "positive"),
    ("poor film", "negative"),
    ("quite fine", "positive"),
    ("the scene was very bad", "negative"),
]
VOID = {"meta", "circle", "line", "path", "polyline", "rect"}


def write_run(folder: Path, command: str, model, metrics: dict) -> Path:
    settings = {"train_rows": 160, "dev_rows": 8, "teacher": "teacher 4d836e41", "seed": 0}
    run = Run.open(folder, command, settings, notes={"paths": {"dev": "data/dev.csv"}})
    run.finish(model, metrics)
    return folder


def write_data(path: Path, rows: list, header=("text", "label")) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


class Page(HTMLParser):
    """A page as a flat list of elements with the text directly inside them.

    Raises:
        AssertionError: If elements are not closed in the order they were opened.
    """

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.source = source
        self.elements: list[dict] = []
        self._open: list[dict] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        sections = [e["attrs"].get("id") for e in self._open if e["tag"] == "section"]
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "section": (sections or [""])[0]}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": "", "section": ""})
        if self._open:
            sections = [e["attrs"].get("id") for e in self._open if e["tag"] == "section"]
            self.elements[-1]["section"] = (sections or [""])[0]

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open[-1:]:
            element["text"] += data

    def all(self, tag: str, section: str | None = None) -> list[dict]:
        return [e for e in self.elements if e["tag"] == tag and section in (None, e["section"])]

    def tips(self, section: str) -> list[str]:
        found = (e["attrs"].get("data-tip") for e in self.elements if e["section"] == section)
        return [tip for tip in found if tip]

    def text(self, section: str) -> str:
        return " ".join(e["text"] for e in self.elements if e["section"] == section)

    @property
    def sections(self) -> list[str]:
        return [e["attrs"]["id"] for e in self.all("section")]

    def attention(self) -> list[dict]:
        (data,) = (e for e in self.elements if e["attrs"].get("id") == "attention-data")
        return json.loads(data["text"])


def unpacked(model: dict) -> np.ndarray:
    """Probabilities (layers, heads, length, length) as the page's script reads them."""
    length = len(model["tokens"])
    numbers = np.frombuffer(base64.b64decode(model["data"]), "<u2") / 65535
    return numbers.reshape(model["layers"], model["heads"], length, length)
