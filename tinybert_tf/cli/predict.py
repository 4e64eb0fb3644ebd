"""`tinybert-tf predict`: labels for texts."""

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tinybert_tf.cli import options
from tinybert_tf.cli.console import out, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.out_of_scope import detect

Texts = Annotated[
    list[str] | None,
    typer.Argument(help="Texts to classify.", show_default=False),
]
Pair = Annotated[
    str | None,
    typer.Option(
        "--pair",
        help="The second text of each pair; of --task qa the context that holds the answers.",
        show_default=False,
    ),
]
FileOption = Annotated[
    str | None,
    typer.Option(
        "--file",
        help="More texts: a table, a .txt with one text a line, or - for standard input.",
        show_default=False,
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        help="How many labels a text.",
        min=1,
        show_default="1; of a multi-label model those from 0.5 on",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a text.")]


# What stands for the label of a text that the file's threshold finds out of scope.
OUT_OF_SCOPE = "(out of scope)"
# And for the labels of one that has none, of several that it could have.
NO_LABEL = "(none)"


@guarded
def predict(
    model: options.RunOrFile,
    texts: Texts = None,
    pair: Pair = None,
    file: FileOption = None,
    task: options.Task = None,
    top: Top = None,
    as_json: Json = False,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    debug: options.Debug = False,
) -> None:
    """Classify texts with a trained run or an exported file, or do what its task is.

    On a terminal it prints a table, into a pipe lines of label, probability and text;
    entities, answers, scores, vectors and generated texts of the other tasks one a line.

    Examples:

        tinybert-tf predict runs/student "turn the lights off" "wake me at six"
        tinybert-tf predict model.tflite --file messages.csv --json
        tinybert-tf predict runs/ner "a day in New York"
        tinybert-tf predict qa.tflite "Who wrote it?" --pair "Ada Lovelace wrote it."
    """
    texts, pairs = list(texts or []), None
    if file:
        more, pairs = _read(file, text_column, pair_column)
        texts += more
    if pairs is not None and len(pairs) < len(texts):
        raise TinyBertError(
            "Expected texts either on the command line or, in pairs, from --file. Received: both"
        )
    if not texts:
        raise TinyBertError("Expected texts to classify, or --file. Received: none")
    with working("loading the model"):
        from tinybert_tf.cli.models import load_any

        found = load_any(model, None if task is None else task.value)
    if pair is not None:
        pairs = [pair] * len(texts)
    if found.kind == "spans" and pairs is None:
        raise TinyBertError(
            "Expected the context that answers the questions: --pair TEXT. Received: pair=None"
        )
    if found.kind in ("tokens", "embedding", "seq2seq") and pair is not None:
        raise TinyBertError(f"Expected no --pair for this model. Received: pair={pair!r}")
    single = pairs is None or found.kind in ("tokens", "embedding", "seq2seq")
    inputs = texts if single else (texts, pairs)
    if found.kind in ("classes", "labels"):
        _print(_labels(found, texts, inputs, top), as_json)
    else:
        _print_others(texts, OTHERS[found.kind](found, inputs), as_json)


def _labels(classifier, texts: list[str], inputs, top: int | None) -> list:
    """The best labels of each text with their probabilities; of several at once those it has."""
    probabilities = classifier.predict_proba(inputs)
    order = probabilities.argsort(axis=1)[:, ::-1]
    if top is None and classifier.kind == "labels":
        order = [row[probabilities[place, row] >= 0.5] for place, row in enumerate(order)]
    else:
        order = order[:, : top or 1]
    found = [
        (text, [(classifier.labels[column], float(row[column])) for column in best])
        for text, row, best in zip(texts, probabilities, order, strict=True)
    ]
    threshold = getattr(classifier, "out_of_scope", None)
    if threshold is None:
        return found
    refused = detect(threshold.scores(probabilities), threshold)
    return [
        (text, [(OUT_OF_SCOPE, best[0][1])] if out else best)
        for (text, best), out in zip(found, refused, strict=True)
    ]


def _scores(model, inputs) -> list[dict]:
    return [{"score": float(row[0])} for row in model.predict_scores(inputs)]


def _entities(model, inputs) -> list[dict]:
    found = model.find_entities(inputs)
    return [
        {"entities": [{**e, "score": round(float(e["score"]), 6)} for e in row]} for row in found
    ]


def _answers(model, inputs) -> list[dict]:
    return [
        {"answer": found.text, "start": found.start, "end": found.end, "score": float(found.score)}
        for found in model.answer(*inputs)
    ]


def _embeddings(model, inputs) -> list[dict]:
    return [{"embedding": [round(float(x), 6) for x in row]} for row in model.embed(inputs)]


def _generated(model, inputs) -> list[dict]:
    name = "summary" if task_of(model).name == "summarization" else "translation"
    return [{name: text} for text in model.generate(inputs)]


# What the models without classes answer, by the kind of their logits.
OTHERS = {
    "score": _scores,
    "tokens": _entities,
    "spans": _answers,
    "embedding": _embeddings,
    "seq2seq": _generated,
}


def _read(
    file: str, column: str | None, pair_column: str | None
) -> tuple[list[str], list[str] | None]:
    """Texts of a file, and the second texts of pairs; of questions their contexts."""
    from tinybert_tf.text.readers import read_examples
    from tinybert_tf.text.squad import read_squad
    from tinybert_tf.text.tables import read_text

    if file == "-":
        return [line for line in sys.stdin.read().split("\n") if line.strip()], None
    if Path(file).suffix.lower() == ".txt":
        return [line for line in read_text(file).split("\n") if line.strip()], None
    if column is None and Path(file.removesuffix(".gz")).suffix.lower() in (".json", ".jsonl"):
        with contextlib.suppress(TinyBertError):  # texts in JSON lines are no questions
            found = read_squad(file, require_answers=False)
            return found.questions, found.contexts
    examples = read_examples(file, text=column, text_pair=pair_column, require_labels=False)
    return examples.texts, examples.pairs


def _print(rows: list, as_json: bool) -> None:
    if as_json:
        for text, best in rows:
            labels = [{"label": name, "probability": round(p, 6)} for name, p in best]
            print(json.dumps({"text": text, "labels": labels}, ensure_ascii=False))
    elif out.is_terminal:
        table = Table("text", "label", box=None, padding=(0, 2))
        table.add_column("probability", justify="right")
        for text, best in rows:
            shown = text if len(text) <= 80 else f"{text[:79]}…"
            for position, (name, p) in enumerate(best):
                table.add_row("" if position else escape(shown), escape(name), f"{p:.3f}")
            if not best:
                table.add_row(escape(shown), NO_LABEL, "")
        out.print(table)
    else:
        for text, best in rows:
            for name, p in best:
                print(f"{name}\t{p:.6f}\t{' '.join(text.split())}")
            if not best:
                print(f"{NO_LABEL}\t\t{' '.join(text.split())}")


def _print_others(texts: list[str], found: list[dict], as_json: bool) -> None:
    """Prints what is no label: JSON, or a line a text."""
    for text, row in zip(texts, found, strict=True):
        if as_json:
            print(json.dumps({"text": text, **row}, ensure_ascii=False))
        else:
            print(f"{' '.join(text.split())}\t{_brief(row)}")


def _brief(row: dict) -> str:
    """One answer in a few words."""
    if "entities" in row:
        shown = [f"{e['text']} ({e['type']} {e['score']:.2f})" for e in row["entities"]]
        return ", ".join(shown) or "none"
    if "embedding" in row:
        return " ".join(f"{x:.4f}" for x in row["embedding"])
    if "score" in row and "answer" not in row:
        return f"{row['score']:.4f}"
    (name, text), *_ = row.items()  # an answer, a translation or a summary comes first
    return text or ("none" if name == "answer" else "")
