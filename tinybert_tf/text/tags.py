"""Tags of words: the schemes that files use, converted to BIO."""

import re
from collections.abc import Iterable, Sequence

from tinybert_tf.errors import TinyBertError

_TAG = re.compile(r"O|[BIELSU]-\S.*")


def to_bio(tags: Sequence[str], source: str = "tags") -> list[str]:
    """Converts the tags of one sentence to BIO (IOB2): each entity is one B-X, then I-X.

    Accepted are IOB1 (B-X only between neighbours of one type), IOB2, IOBES (E-X ends an entity,
    S-X is one of a single word) and BILOU (L-X and U-X the same). An entity that starts without
    B-X gets it.

    Args:
        tags: list of strings.
        source: string. What the message names. Defaults to `"tags"`.

    Raises:
        TinyBertError: If a tag is of none of these forms.
    """
    bio, open_type = [], None
    for position, tag in enumerate(tags):
        check_tag(tag, f"{source}[{position}]")
        prefix, _, kind = tag.partition("-")
        if prefix == "O":
            bio.append("O")
            open_type = None
            continue
        starts = prefix in "BSU" or kind != open_type
        bio.append(f"{'B' if starts else 'I'}-{kind}")
        open_type = None if prefix in "ESLU" else kind
    return bio


def entity_tags(tag_rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns the labels of a tagger: `"O"`, then B-X and I-X of each type X, types sorted.

    Args:
        tag_rows: list of lists of tags.
    """
    types = sorted({tag.partition("-")[2] for tags in tag_rows for tag in tags if tag != "O"})
    return ["O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]


def check_tag(tag: str, place: str) -> None:
    """Raises `TinyBertError`, naming `place`, for what is no tag of an accepted scheme."""
    if not is_tag(tag):
        raise TinyBertError(
            "A tag is expected to be O, B-X or I-X (IOB1, IOB2), or else E-X, S-X (IOBES), L-X or "
            f"U-X (BILOU), where X is the type of an entity. Received: {place} is {tag!r}"
        )


def is_tag(tag: object) -> bool:
    """Tells whether `tag` is a tag of an accepted scheme."""
    return isinstance(tag, str) and _TAG.fullmatch(tag) is not None
