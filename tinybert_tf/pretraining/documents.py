"""Documents and their sentences from plain text files."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text
from tinybert_tf.text.sentences import split_sentences

_SUFFIXES = (".txt", ".txt.gz")


def find_files(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """The text files among `paths`, and all in the folders among them, sorted by name.

    Raises:
        TinyBertError: If a path does not exist or there is no .txt or .txt.gz file.
    """
    paths = [Path(path) for path in paths]
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.name.lower().endswith(_SUFFIXES))
        elif path.is_file():
            found.append(path)
        else:
            raise TinyBertError(
                f"Expected an existing file or folder of texts. Received: {str(path)!r}"
            )
    if not found:
        raise TinyBertError(
            f"Expected text files ({' or '.join(_SUFFIXES)}). "
            f"Received: {', '.join(map(str, paths)) or 'no path'}"
        )
    return found


def read_documents(path: str | os.PathLike) -> Iterator[list[str]]:
    """Yields the documents of a file, each a list of sentences.

    A blank line ends a document; every other line is a sentence or a paragraph, which is split
    after full stops.

    Args:
        path: path of a UTF-8 text file, gzip-compressed if its name ends in .gz.
    """
    sentences: list[str] = []
    for line in read_text(path).split("\n"):
        line = line.strip()
        if line:
            sentences += split_sentences(line)
        elif sentences:
            yield sentences
            sentences = []
    if sentences:
        yield sentences
