"""What `--task` means: how a task's data are read, and which model learns it."""

from collections.abc import Callable
from dataclasses import dataclass

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.corpus import corpus_texts, is_plain
from tinybert_tf.text.examples import Examples, check_classes, check_label_sets, listed
from tinybert_tf.text.lead_sentences import read_lead_sentences
from tinybert_tf.text.parallel import read_parallel
from tinybert_tf.text.readers import read_examples
from tinybert_tf.text.squad import read_squad
from tinybert_tf.text.tagging import check_tags, read_tagged


@dataclass
class TaskData:
    """Examples as a task's model reads them, row by row.

    Attributes:
        inputs: list, or tuple of two lists.
        labels: list, or `None` for none.
        place: callable. Row number to `"file:line"`.
        groups: list. Rows of one group are held out together: the contexts of questions, equal
            sources. Defaults to `None`: rows stand alone, and labels that are strings each give
            their share.
        source: string. The file, for messages. Defaults to `""`.
    """

    inputs: list | tuple
    labels: list | None
    place: Callable[[int], str]
    groups: list | None = None
    source: str = ""

    def __len__(self) -> int:
        return len(self.parts[0])

    @property
    def parts(self) -> tuple:
        """The lists of the inputs."""
        return self.inputs if isinstance(self.inputs, tuple) else (self.inputs,)

    def take(self, rows: list[int]) -> "TaskData":
        """Some rows."""
        parts = tuple([part[row] for row in rows] for part in self.parts)
        return TaskData(
            parts if isinstance(self.inputs, tuple) else parts[0],
            None if self.labels is None else [self.labels[row] for row in rows],
            lambda row: self.place(rows[row]),
            None if self.groups is None else [self.groups[row] for row in rows],
            self.source,
        )


@dataclass(frozen=True)
class Task:
    """A task of the command line.

    Attributes:
        name: string. What `--task` calls it.
        kinds: tuple of strings. Kinds of logits that belong to it; see `TinyBertTask`.
        model: string. The class in `tinybert_tf.models`.
        rows: string. What a row of the data is called.
        sequence_length: int. Longest input in tokens unless told.
        learning_rate: float. Of fine-tuning, unless told.
    """

    name: str
    kinds: tuple[str, ...]
    model: str
    rows: str = "texts"
    sequence_length: int = 128
    learning_rate: float = 5e-5

    @property
    def generates(self) -> bool:
        """Whether the model writes texts."""
        return False

    def read(self, path: str, columns: dict, multi_label: bool, require_labels: bool) -> TaskData:
        """Reads a file of the task."""
        examples = read_examples(
            path, multi_label=multi_label, require_labels=require_labels, **columns
        )
        return from_examples(examples)

    def check(self, train: TaskData, dev: TaskData | None) -> dict:
        """Checks the labels, and returns the arguments of a model that learns them."""
        labels = check_classes(_labels_of(train))
        if dev is not None and dev.labels is not None:
            check_label_sets(_labels_of(train), _labels_of(dev))
        return {"labels": labels}

    def check_known(self, data: TaskData, model) -> None:
        """Checks that a model knows all labels of the data."""
        known = set(model.labels)
        for row, own in enumerate(data.labels or []):
            for name in [own] if isinstance(own, str) else own:
                if name not in known:
                    raise TinyBertError(
                        f"Expected labels that the model knows: {listed(model.labels)}. "
                        f"Received: {name!r} at {data.place(row)}"
                    )


class Regression(Task):
    """Scores of texts, or of pairs of them."""

    def read(self, path: str, columns: dict, multi_label: bool, require_labels: bool) -> TaskData:
        examples = read_examples(path, require_labels=require_labels, scores=True, **columns)
        data = from_examples(examples)
        if data.labels is not None:
            data.labels = [_number(own, data.place(row)) for row, own in enumerate(data.labels)]
        return data

    def check(self, train: TaskData, dev: TaskData | None) -> dict:
        return {"num_classes": 1, "multi_label": False}

    def check_known(self, data: TaskData, model) -> None:
        """Every number is a score."""


class Tagging(Task):
    """Tags of words."""

    def read(self, path: str, columns: dict, multi_label: bool, require_labels: bool) -> TaskData:
        found = read_tagged(path, columns["text"], columns["label"], require_tags=require_labels)
        return TaskData(found.words, found.tags, found.place)

    def check(self, train: TaskData, dev: TaskData | None) -> dict:
        return {"labels": check_tags(train.labels, None if dev is None else dev.labels)}

    def check_known(self, data: TaskData, model) -> None:
        for row, tags in enumerate(data.labels or []):
            unknown = [tag for tag in tags if tag not in model.labels]
            if unknown:
                raise TinyBertError(
                    f"Expected tags that the model knows: {listed(model.labels)}. "
                    f"Received: {unknown[0]!r} at {data.place(row)}"
                )


class QuestionAnswering(Task):
    """Answers in contexts."""

    def read(self, path: str, columns: dict, multi_label: bool, require_labels: bool) -> TaskData:
        found = read_squad(path, require_answers=require_labels)
        inputs = found.questions, found.contexts
        return TaskData(inputs, found.answers, found.place, groups=found.contexts)

    def check(self, train: TaskData, dev: TaskData | None) -> dict:
        return {}

    def check_known(self, data: TaskData, model) -> None:
        """Any answer of the context will do."""


class Embedding(Regression):
    """Vectors of texts: trained on texts alone, judged on pairs with scores."""

    def read(self, path: str, columns: dict, multi_label: bool, require_labels: bool) -> TaskData:
        if require_labels:
            data = super().read(path, columns, multi_label, True)
            if not isinstance(data.inputs, tuple):
                raise TinyBertError(
                    "Expected pairs of texts with scores to judge an embedder by: two text columns "
                    f"and one of scores. Received: {path!r} with single texts"
                )
            return data
        examples = read_examples(path, require_labels=False, **columns)
        texts = [*examples.texts, *(examples.pairs or [])]
        count = len(examples)
        return TaskData(
            texts, None, lambda row: examples.place(row % count), source=examples.source
        )

    def check(self, train: TaskData, dev: TaskData | None) -> dict:
        raise TinyBertError(
            "Expected a task with labels to fine-tune: an embedder is distilled from a sentence "
            "encoder ('tinybert-tf distill TEXTS --task embedding --teacher ENCODER'). "
            "Received: --task embedding"
        )


class Generation(Task):
    """Texts from texts, which a decoder writes."""

    @property
    def generates(self) -> bool:
        return True

    def read(self, path: str, columns: dict, multi_label: bool, require_labels: bool) -> TaskData:
        if self.name == "summarization" and is_plain(path):
            found = read_lead_sentences(path)
        else:
            found = read_parallel(path, columns["text"], columns["label"])
        inputs = found.sources
        return TaskData(inputs, found.targets, found.place, groups=inputs, source=found.source)

    def check(self, train: TaskData, dev: TaskData | None) -> dict:
        return {"purpose": self.name}

    def check_known(self, data: TaskData, model) -> None:
        """Any text will do."""


TASKS = {
    task.name: task
    for task in (
        Task("classification", ("classes", "labels"), "TinyBertTextClassifier"),
        Regression("regression", ("score",), "TinyBertTextClassifier"),
        Tagging("ner", ("tokens",), "TinyBertTokenClassifier", "sentences"),
        QuestionAnswering("qa", ("spans",), "TinyBertQuestionAnswering", "questions", 384),
        Embedding("embedding", ("embedding",), "TinyBertSentenceEmbedder"),
        Generation("translation", ("seq2seq",), "TinyBertSeq2Seq", "pairs", 128, 5e-4),
        Generation("summarization", ("seq2seq",), "TinyBertSeq2Seq", "pairs", 256, 5e-4),
    )
}


def task_of(model) -> Task:
    """The task of a model or an exported file, by the kind of its logits, or its purpose."""
    if getattr(model, "purpose", None) in TASKS:
        return TASKS[model.purpose]
    return next(task for task in TASKS.values() if model.kind in task.kinds)


def check_task(model, name: str | None, path) -> Task:
    """The task of a model; if one was named, it has to be that.

    Raises:
        TinyBertError: If the model is of another task.
    """
    found = task_of(model)
    if name is not None and found.name != name:
        raise TinyBertError(
            f"Expected a model for --task {name}. Received: {str(path)!r}, a model for "
            f"--task {found.name}"
        )
    return found


def texts_of(model, paths: list[str], **columns):
    """Raw examples of a model from files: what calibrates it, and chooses its vocabulary.

    Args:
        model: a task model.
        paths: list of strings. Of a tagger or a question-answering model files of the task; of
            others tables or raw text.
        **columns: names of the columns, `text` and `text_pair`.
    """
    task = task_of(model)
    if task.name not in ("ner", "qa"):
        return corpus_texts(paths, **columns)
    columns = {"text": None, "text_pair": None, "label": None, **columns}
    found = [task.read(path, columns, False, False).parts for path in paths]
    parts = tuple([row for part in column for row in part] for column in zip(*found, strict=True))
    return parts if len(parts) > 1 else parts[0]


def refuse_generation(model, command: str) -> None:
    """Raises for a model that writes texts, which a command cannot take.

    Raises:
        TinyBertError: If it is one.
    """
    if task_of(model).generates:
        raise TinyBertError(
            f"Expected a model without a decoder for '{command}'. Received: a model for --task "
            f"{task_of(model).name}"
        )


def from_examples(examples: Examples) -> TaskData:
    """Texts, or pairs of them, with their labels."""
    inputs = examples.texts if examples.pairs is None else (examples.texts, examples.pairs)
    return TaskData(inputs, examples.labels, examples.place, source=examples.source)


def _labels_of(data: TaskData) -> Examples:
    """Labels that know their places, for the checks of `text.examples`."""
    found = Examples(data.parts[0], data.labels, source=data.source)
    found.place = data.place
    return found


def _number(value: str, place: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise TinyBertError(f"Expected a number as score. Received: {place}: {value!r}") from error
