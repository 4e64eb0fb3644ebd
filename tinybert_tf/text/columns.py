"""Which column of a table holds the text, the label and the second text."""

from dataclasses import dataclass

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.examples import listed

# In the order of preference; compared without case.
TEXT_NAMES = (
    "text",
    "sentence",
    "utterance",
    "question",
    "query",
    "review",
    "content",
    "comment",
    "tweet",
    "message",
    "document",
    "body",
    "headline",
    "title",
    "phrase",
    "tokens",
)
LABEL_NAMES = (
    "label",
    "labels",
    "intent",
    "class",
    "category",
    "target",
    "sentiment",
    "topic",
    "coarse",
)
# A regression's; elsewhere a column of this name is no label.
SCORE_NAMES = ("score", "similarity", "rating")
PAIR_NAMES = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("text_a", "text_b"),
    ("text1", "text2"),
)


@dataclass(frozen=True)
class Roles:
    """Column positions; `label` and `text_pair` may be None."""

    text: int
    label: int | None
    text_pair: int | None


def find_roles(
    columns: list[str],
    source: str,
    text: str | None = None,
    label: str | None = None,
    text_pair: str | None = None,
    require_labels: bool = True,
    scores: bool = False,
) -> Roles:
    """Chooses columns by the given names, else by the usual ones; of scores by theirs too.

    Raises:
        TinyBertError: If a column is missing; the message lists those found.
    """
    position = {name.casefold(): index for index, name in reversed(list(enumerate(columns)))}

    def given(argument: str, name: str) -> int:
        if name not in columns:
            raise TinyBertError(
                f"The {argument} column {name!r} is expected. "
                f"Received: {source} with the columns {listed(columns)}{_hint(columns)}"
            )
        return columns.index(name)

    def usual(names: tuple[str, ...]) -> int | None:
        return next((position[name] for name in names if name in position), None)

    text_index = None if text is None else given("text", text)
    pair_index = None if text_pair is None else given("text_pair", text_pair)
    label_names = (*LABEL_NAMES, *SCORE_NAMES) if scores else LABEL_NAMES
    label_index = usual(label_names) if label is None else given("label", label)
    if text is None and text_pair is None:
        for names in PAIR_NAMES:
            if all(name in position for name in names):
                text_index, pair_index = (position[name] for name in names)
                break
    if text_index is None:
        text_index = usual(TEXT_NAMES)
    for argument, index, names in (
        ("text", text_index, TEXT_NAMES),
        ("label", label_index if require_labels else 0, label_names),
    ):
        if index is None:
            raise TinyBertError(
                f"A {argument} column is expected: one of {', '.join(names)}, or the one that the "
                f"argument `{argument}` names; the first row holds the names. "
                f"Received: {source} with the columns {listed(columns)}{_hint(columns)}"
            )
    return Roles(text_index, label_index, pair_index)


def _hint(columns: list[str]) -> str:
    """Guesses the delimiter of a file that came out as one column."""
    for delimiter, name in ((";", "';'"), ("\t", "a tab"), ("|", "'|'"), (",", "','")):
        if len(columns) == 1 and delimiter in columns[0]:
            return f". Is the delimiter {name}? Then pass it as `delimiter`"
    return ""
