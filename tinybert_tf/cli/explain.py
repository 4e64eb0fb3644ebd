"""`tinybert-tf explain`: what a model looks at, or which words count, in the terminal."""

from enum import Enum
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tinybert_tf.cli import options
from tinybert_tf.cli.console import hint, out, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.errors import TinyBertError

_WORDS = 12
_BAR = 24
# Blue counts for the answer, vermilion against it; Okabe and Ito's hues.
_FOR, _AGAINST, _PAPER = (0, 114, 178), (213, 94, 0), (28, 32, 38)


class By(str, Enum):
    """How words are weighed."""

    attention = "attention"
    masking = "masking"


SentenceArgument = Annotated[str, typer.Argument(help="The text.", show_default=False)]
Pair = Annotated[
    str | None, typer.Option("--pair", help="The second text of a pair.", show_default=False)
]
ByOption = Annotated[
    By | None,
    typer.Option(
        "--by",
        help="attention of the last block, or masking: how the answer changes without a word.",
        show_default="attention; of a .tflite file masking",
    ),
]
Top = Annotated[int, typer.Option(help="How many labels.", min=1)]


@guarded
def explain(
    model: options.RunOrFile,
    text: SentenceArgument,
    pair: Pair = None,
    by: ByOption = None,
    top: Top = 5,
    debug: options.Debug = False,
) -> None:
    """Show where a classifier looks in a text, or which of its words count.

    Of a Keras model: how much the classification token takes from each token in
    the last block. Of a .tflite file, whose attention is not visible: how far the
    answer falls when a word is masked.

    Examples:

        tinybert-tf explain runs/student "wake me at six"
        tinybert-tf explain runs/student "wake me at six" --by masking
        tinybert-tf explain model.tflite "wake me at six"
    """
    from tinybert_tf.cli.models import is_tflite, load_any

    if not text.strip():
        raise TinyBertError(f"Expected a text with words in it. Received: {text!r}")
    from_file = is_tflite(model)
    if from_file and by is By.attention:
        raise TinyBertError(
            "Expected --by masking for an exported file, whose attention is not visible. "
            f"Received: --by attention, {str(model)!r}"
        )
    with working("loading the model"):
        found = load_any(model)
    if found.kind not in ("classes", "labels", "score"):
        raise TinyBertError(
            "Expected a model for --task classification or regression. "
            f"Received: {str(model)!r}, a model for --task {task_of(found).name}"
        )
    by = by or (By.masking if from_file else By.attention)
    with working("reading the text"):
        from tinybert_tf.report import attention_maps, word_influence

        read = attention_maps if by is By.attention else word_influence
        seen = read(found, text, pair)
        outputs = found.predict_outputs([text] if pair is None else ([text], [pair]))[0]
    _print_outputs(found, outputs, top)
    if by is By.attention:
        _print_attention(seen)
    else:
        _print_influence(found, seen)


def _print_attention(maps) -> None:
    """Tokens shaded by how much [CLS] takes from them."""
    weights = maps.of_classification_token()
    special = np.array([token in ("[CLS]", "[SEP]") for token in maps.tokens])
    out.print("[bold]attention[/] of the classification token, last block, mean of its heads")
    _print_words(maps.tokens, np.where(special, 0.0, weights), special, "{:.3f}")
    share = f"{100 * float(weights[special].sum()):.0f} %"
    hint(
        f"{share} of the attention goes to [CLS] and [SEP]. Attention shows where the model looks, "
        "not why it decides: --by masking measures that"
    )


def _print_influence(model, found) -> None:
    """Words shaded by how far the answer falls without them."""
    label = "the score" if model.kind == "score" else repr(model.labels[found.column])
    out.print(
        f"[bold]influence by masking[/]: how far {escape(label)} falls when a word becomes "
        "\\[MASK]",
        soft_wrap=True,
    )
    _print_words(found.words, found.influence, np.zeros(len(found.words), bool), "{:+.3f}")
    hint("below 0 the answer rises without the word")


def _print_words(words: list[str], weights: np.ndarray, special: np.ndarray, form: str) -> None:
    """The text with shaded words, then the words that weigh most."""
    largest = float(np.abs(weights).max(initial=0.0)) or 1.0
    line = Text()
    for word, weight, dim in zip(words, weights, special, strict=True):
        line.append(word, style="dim" if dim else _shade(weight / largest))
        line.append(" ")
    out.print(line)
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    order = [k for k in np.argsort(-np.abs(weights), kind="stable") if not special[k]]
    for place in order[:_WORDS]:
        size = round(_BAR * abs(weights[place]) / largest)
        color = "blue" if weights[place] >= 0 else "red"
        table.add_row(
            escape(words[place]), form.format(weights[place]), f"[{color}]{'█' * size}[/]"
        )
    out.print(table)
    if len(order) > _WORDS:
        hint(f"{len(order) - _WORDS} more words weigh less")


def _shade(weight: float) -> str:
    """A background between the terminal's paper and full colour, with ink that reads on it."""
    color = _FOR if weight >= 0 else _AGAINST
    mixed = [round(p + (c - p) * min(abs(weight), 1.0)) for p, c in zip(_PAPER, color, strict=True)]
    return f"#f4f6f8 on #{mixed[0]:02x}{mixed[1]:02x}{mixed[2]:02x}"


def _print_outputs(model, outputs: np.ndarray, top: int) -> None:
    """The most probable labels, or the score, and an empty line."""
    if model.kind == "score":
        out.print(f"score {float(outputs[0]):.4f}\n")
        return
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    for column in np.argsort(-outputs, kind="stable")[:top]:
        share = float(outputs[column])
        name = model.labels[column]
        size = round(_BAR * share)
        table.add_row(escape(name), f"{100 * share:.1f} %", f"[blue]{'█' * size}[/]")
    out.print(table)
    out.print()
