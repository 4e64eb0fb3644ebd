"""Texts as callers pass them: checked, and made valid Unicode."""

from collections.abc import Iterable

from tinybert_tf.errors import TinyBertError


def check_strings(texts: Iterable[str], name: str) -> list[str]:
    """Returns `texts` as a list.

    Args:
        texts: list or other iterable of strings.
        name: string. The argument that the message names.

    Raises:
        TinyBertError: If `texts` is one string or no iterable, or a row is no string.
    """
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TinyBertError(
            f"`{name}` is expected to be a list of strings. "
            f"Received: {name}={_shortened(texts)} (type {type(texts).__name__})"
        )
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TinyBertError(
                f"`{name}` is expected to hold strings only. Received: row {row} is "
                f"{_shortened(text)} (type {type(text).__name__})"
            )
    return texts


def valid_text(text: str) -> str:
    """Returns `text` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
