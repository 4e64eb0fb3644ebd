"""Scores of taggers (entities, slots): whole entities count, as in CoNLL's evaluation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.markup import escape
from rich.table import Table

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.report import ClassResult
from tinybert_tf.text.tags import to_bio


@dataclass(frozen=True)
class EntityReport:
    """Results of a tagger on tagged sentences; `evaluate_entities` makes it.

    An entity is right if its type, start and end are.

    Args:
        num_sentences: int. Number of sentences.
        num_entities: int. Number of entities in the gold tags.
        precision: float. Share of the predicted entities that are right.
        recall: float. Share of the gold entities that were found.
        f1: float. Harmonic mean of the two.
        token_accuracy: float. Share of words with the right tag.
        per_type: tuple of `ClassResult`. Types of gold and predicted entities, sorted.
    """

    num_sentences: int
    num_entities: int
    precision: float
    recall: float
    f1: float
    token_accuracy: float
    per_type: tuple[ClassResult, ...]

    def to_dict(self) -> dict:
        """Returns everything as a dict that JSON can hold."""
        return {**asdict(self), "per_type": [asdict(result) for result in self.per_type]}

    def summary(self) -> dict[str, float]:
        """Returns the scalar scores by name."""
        names = ("precision", "recall", "f1", "token_accuracy")
        return {name: getattr(self, name) for name in names}

    def to_text(self, digits: int = 3) -> str:
        """Returns the table that seqeval's `classification_report` prints, and a summary.

        Args:
            digits: int. Decimal places. Defaults to `3`.
        """
        width = max(len("weighted avg"), *(len(result.label) for result in self.per_type), 0)
        head = ("precision", "recall", "f1-score", "support")
        lines = [f"{'':>{width}} " + "".join(f" {name:>9}" for name in head), ""]

        def line(result: ClassResult) -> str:
            scores = (result.precision, result.recall, result.f1)
            cells = "".join(f" {score:>9.{digits}f}" for score in scores)
            return f"{result.label:>{width}} {cells} {result.support:>9}"

        lines += [*map(line, self.per_type), "", *map(line, self._averages()), ""]
        lines.append(
            f"F1 {self.f1:.{digits}f}, precision {self.precision:.{digits}f}, "
            f"recall {self.recall:.{digits}f}, token accuracy {self.token_accuracy:.{digits}f}"
        )
        return "\n".join(lines)

    def rich_table(self, title: str | None = None) -> Table:
        """Returns a table for the terminal.

        Args:
            title: string. Title of the table. Defaults to the number of sentences.
        """
        title = title or f"Entities in {self.num_sentences:,} sentences"
        table = Table(title=title, caption=f"token accuracy {self.token_accuracy:.3f}")
        table.add_column("type")
        for name in ("precision", "recall", "F1", "entities"):
            table.add_column(name, justify="right")
        for results in (self.per_type, self._averages()):
            for result in results:
                scores = (f"{x:.3f}" for x in (result.precision, result.recall, result.f1))
                table.add_row(escape(result.label), *scores, f"{result.support:,}")
            table.add_section()
        return table

    def __rich__(self) -> Table:
        return self.rich_table()

    def __str__(self) -> str:
        return self.to_text()

    def _averages(self) -> list[ClassResult]:
        """Rows below the types."""
        scores = np.array([(t.precision, t.recall, t.f1) for t in self.per_type]).reshape(-1, 3)
        support = np.array([t.support for t in self.per_type], "int64")
        macro = scores.mean(axis=0) if len(scores) else np.zeros(3)
        weighted = support @ scores / max(self.num_entities, 1)
        micro = (self.precision, self.recall, self.f1)
        return [
            ClassResult(f"{name} avg", *map(float, row), self.num_entities)
            for name, row in (("micro", micro), ("macro", macro), ("weighted", weighted))
        ]


def evaluate_entities(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityReport:
    """Scores predicted tags against gold tags; equals seqeval's default mode.

    Args:
        gold: list of lists of tags, one list a sentence.
        predicted: list of lists of tags of the same lengths.

    Raises:
        TinyBertError: If there are no sentences, the lengths differ (naming the row), or a tag
            is of no accepted scheme (see `to_bio`).
    """
    if len(gold) != len(predicted) or not len(gold):
        raise TinyBertError(
            "Expected gold and predicted tags of as many sentences, at least one. "
            f"Received: {len(gold)} and {len(predicted)} sentences"
        )
    hits, found, support = Counter(), Counter(), Counter()
    num_words = num_right = 0
    for row, (gold_tags, tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(tags):
            raise TinyBertError(
                "Expected one predicted tag per gold tag. "
                f"Received: row {row} with {len(gold_tags)} gold and {len(tags)} predicted tags"
            )
        gold_spans = entity_spans(gold_tags, f"gold[{row}]")
        spans = entity_spans(tags, f"predicted[{row}]")
        support.update(kind for kind, _, _ in gold_spans)
        found.update(kind for kind, _, _ in spans)
        hits.update(kind for kind, _, _ in set(gold_spans) & set(spans))
        num_words += len(tags)
        num_right += sum(map(str.__eq__, gold_tags, tags))
    micro = _scores(hits.total(), found.total(), support.total())
    return EntityReport(
        num_sentences=len(gold),
        num_entities=support.total(),
        **dict(zip(("precision", "recall", "f1"), micro, strict=True)),
        token_accuracy=num_right / max(num_words, 1),
        per_type=tuple(
            ClassResult(kind, *_scores(hits[kind], found[kind], support[kind]), support[kind])
            for kind in sorted(found | support)
        ),
    )


def _scores(hits: int, found: int, support: int) -> tuple[float, float, float]:
    """Returns precision, recall and F1; 0 where there is nothing to divide by."""
    return hits / max(found, 1), hits / max(support, 1), 2 * hits / max(found + support, 1)


# === Spans ===


def entity_spans(tags: Sequence[str], source: str = "tags") -> list[tuple[str, int, int]]:
    """Returns the entities of one sentence as `(type, start, end)`, end exclusive.

    As in CoNLL's conlleval and seqeval's default mode, an I-X that continues no entity of type X
    starts one.

    Args:
        tags: list of strings, BIO or any scheme that `to_bio` accepts.
        source: string. What the message names. Defaults to `"tags"`.

    Raises:
        TinyBertError: If a tag is of no accepted scheme.
    """
    spans: list[tuple[str, int, int]] = []
    for position, tag in enumerate(to_bio(tags, source)):
        prefix, _, kind = tag.partition("-")
        if prefix == "B":
            spans.append((kind, position, position + 1))
        elif prefix == "I":
            spans[-1] = (kind, spans[-1][1], position + 1)
    return spans


def repair_bio(tags: Sequence[str]) -> list[str]:
    """Returns the tags with each I-X that follows neither B-X nor I-X made B-X.

    The entities (`entity_spans`) stay the same.

    Args:
        tags: list of strings, BIO.

    Raises:
        TinyBertError: If a tag is malformed.
    """
    return to_bio(tags)


def spans_to_entities(
    word_offsets: Sequence[tuple[int, int]], tags: Sequence[str], scores: Sequence[float]
) -> list[dict]:
    """Returns the entities of a text, with the characters that they cover.

    Args:
        word_offsets: list of pairs of ints. `(start, end)` of each word in the text, as
            `split_words` returns them.
        tags: list of strings. The tag of each word.
        scores: list of floats. The probability of each word's tag.

    Returns:
        A dict for each entity: `type`; `start` of its first and `end` of its last word, in
        characters; `score`, the mean of its words' scores.

    Raises:
        TinyBertError: If the lengths differ or a tag is malformed.
    """
    if not len(word_offsets) == len(tags) == len(scores):
        raise TinyBertError(
            "Expected one tag and one score per word. Received: "
            f"{len(word_offsets)} words, {len(tags)} tags and {len(scores)} scores"
        )
    return [
        {
            "type": kind,
            "start": int(word_offsets[start][0]),
            "end": int(word_offsets[end - 1][1]),
            "score": float(np.mean(scores[start:end])),
        }
        for kind, start, end in entity_spans(tags)
    ]
