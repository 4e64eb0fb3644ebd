"""Sentences of English and Chinese texts, with their place."""

import re

# Full stops that end a sentence before white space (Chinese and Japanese ones need none), with the
# quotes and brackets that close after them.
_END = re.compile(r"""[.!?]+["'”’)\]]*(?=\s)|[。！？…]+[”’」』）]*|\n+""")
# Words whose full stop ends no sentence, and initials such as those of J. C. Jackson.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Gen|Col|Lt|Capt|Sgt|Rev|St|Mt|No|vs|ca|cf|e\.g|i\.e)"
    r"\.$"
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Finds the sentences of a text.

    A sentence ends at `. ! ?` before white space that no lowercase letter follows, at
    `。 ！ ？ …`, and at a line break. `Dr. J. C. Jackson` is not cut.

    Args:
        text: string.

    Returns:
        list of pairs (start, end) of characters, without the white space around sentences.
    """
    spans, start = [], 0
    for found in _END.finditer(text):
        if _ends(text, start, found):
            spans.append((start, found.end()))
            start = found.end()
    spans.append((start, len(text)))
    stripped = []
    for start, end in spans:
        own = text[start:end]
        if own.strip():
            start += len(own) - len(own.lstrip())
            stripped.append((start, start + len(own.strip())))
    return stripped


def split_sentences(text: str) -> list[str]:
    """The sentences of a text; see `sentence_spans`."""
    return [text[start:end] for start, end in sentence_spans(text)]


def _ends(text: str, start: int, found: re.Match) -> bool:
    """Whether a full stop ends the sentence that began at `start`."""
    if found.group()[0] not in ".!?":
        return True
    rest = text[found.end() :].lstrip(" \t")[:1]
    return not rest.islower() and not _ABBREVIATION.search(text, start, found.end())
