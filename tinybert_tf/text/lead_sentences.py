"""Summarization pairs without labels: what an article says first, and all that follows."""

import os
import re

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text
from tinybert_tf.text.parallel import ParallelTexts
from tinybert_tf.text.sentences import sentence_spans

_HAN = re.compile("[\u3400-\u9fff]")


def read_lead_sentences(
    path: str | os.PathLike, min_source: int = 20, min_target: int = 5
) -> ParallelTexts:
    """Reads articles as pairs: the rest of an article is the source, its lead sentence the target.

    The first sentence of an encyclopedia or newspaper sums an article up. It is cut out of the
    source, so that it cannot be copied.

    Args:
        path: path of a UTF-8 text file (perhaps .gz): a paragraph a line, a blank line after each
            article.
        min_source: int. Fewest words of a source; of Chinese each character is a word. Articles
            with less than either are left out. Defaults to `20`.
        min_target: int. Fewest words of a lead sentence. Defaults to `5`.

    Returns:
        `ParallelTexts`; the line of a pair is that of the lead sentence.

    Raises:
        TinyBertError: If the file is unreadable, or no article is long enough.
    """
    sources, targets, lines = [], [], []
    for line, paragraphs in _articles(read_text(path)):
        lead, rest = _cut(paragraphs)
        if _count(rest) >= min_source and _count(lead) >= min_target:
            sources.append(rest)
            targets.append(lead)
            lines.append(line)
    if not sources:
        raise TinyBertError(
            f"Expected articles with a lead sentence of at least {min_target} words and "
            f"{min_source} more after it. Received: {str(path)!r} without any"
        )
    return ParallelTexts(sources, targets, str(path), lines)


def _articles(text: str):
    """Yields the line of each article, from 1, and its paragraphs."""
    paragraphs: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            paragraphs.append(line.strip())
        elif paragraphs:
            yield number - len(paragraphs), paragraphs
            paragraphs = []


def _cut(paragraphs: list[str]) -> tuple[str, str]:
    """The lead sentence and the rest."""
    first, *others = paragraphs
    _, end = sentence_spans(first)[0]
    return first[:end], " ".join([first[end:].strip(), *others]).strip()


def _count(text: str) -> int:
    """Words; of Chinese, characters."""
    return len(_HAN.sub(" x ", text).split())
