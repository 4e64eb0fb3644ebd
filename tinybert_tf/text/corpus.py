"""Texts for what needs no labels, from any number of files."""

import os
from collections.abc import Iterable

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text
from tinybert_tf.text.readers import read_examples

_PLAIN = (".txt", ".txt.gz")


def is_plain(path: str | os.PathLike) -> bool:
    """Whether a path means a text a line, by its name."""
    return os.fspath(path).lower().endswith(_PLAIN)


def corpus_texts(
    paths: Iterable[str | os.PathLike], text: str | None = None, text_pair: str | None = None
) -> list[str]:
    """Reads the texts of tables and plain text files; labels do not matter.

    Args:
        paths: list of paths. A .txt holds a text a line, blank lines aside; everything else is
            read as `read_examples` reads it, second texts included.
        text: string. The column of the texts. Defaults to `None`: recognized.
        text_pair: string. The column of the second texts. Defaults to `None`: recognized.

    Raises:
        TinyBertError: If a file is unreadable, malformed or empty.
    """
    texts: list[str] = []
    for path in paths:
        if is_plain(path):
            lines = [line.strip() for line in read_text(path).split("\n")]
            found = [line for line in lines if line]
            if not found:
                raise TinyBertError(
                    f"Expected a text a line. Received: {str(path)!r}, which holds none"
                )
            texts += found
        else:
            examples = read_examples(path, text=text, text_pair=text_pair, require_labels=False)
            texts += [*examples.texts, *(examples.pairs or [])]
    return texts
