"""Sentence templates with choices, optional parts and slots; and their regular expressions.

The notation of `templates/*.txt`, `slots.txt` and `phrases.txt`:

    (set|make)     one of
    [for me]       may be left out; `[a|b]` one of, or nothing
    {time}         a slot: any value listed under `time:` in slots.txt (itself in this notation)
    <want>         a wording listed under `want:` in phrases.txt
    > set an alarm a request: may be framed by a politeness ("could you ...", "... thanks")

A section starts with its unindented name and a colon; its entries are indented, one per line
(in slots.txt and phrases.txt a line holds several, divided by `|`).
"""

import dataclasses
import functools
import random
import re
from pathlib import Path

from tinybert_tf.text.intents.noise import FILLER_WORDS, normalize, pick

FOLDER = Path(__file__).parent

REQUEST_PREFIX_RATE = 0.3
REQUEST_SUFFIX_RATE = 0.15
OPTION_RATE = 0.5


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several sequences of nodes, or nothing if `optional`."""

    options: tuple[tuple, ...]
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class Reference:
    """A slot (`{name}`) or a wording (`<name>`)."""

    name: str
    slot: bool


@dataclasses.dataclass(frozen=True)
class Template:
    """One line of `templates/*.txt`.

    Args:
        intent: string. The label of its sentences.
        source: string. The line as written, without the request mark.
        request: bool. Whether politeness may frame it.
        nodes: tuple. What `parse` made of `source`.
    """

    intent: str
    source: str
    request: bool
    nodes: Choice


def parse(source: str) -> Choice:
    """Parses the notation above into nested `Choice`, `Reference` and literal strings.

    Raises:
        ValueError: If brackets do not match.
    """
    tokens = re.findall(r"[()\[\]|]|\{\w+\}|<\w+>|[^()\[\]|{}<>]+", source)
    if "".join(tokens) != source:
        raise ValueError(f"Expected well-formed slots and wordings. Received: {source!r}")
    return _parse_choice(tokens, 0, None)[0]


def _parse_choice(tokens: list[str], start: int, closing: str | None) -> tuple[Choice, int]:
    """Parses alternatives up to `closing`; returns them and the position after it."""
    options, sequence, position = [], [], start
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token == closing:
            options.append(tuple(sequence))
            return Choice(tuple(options), optional=closing == "]"), position
        if token in "([":
            node, position = _parse_choice(tokens, position, ")" if token == "(" else "]")
            sequence.append(node)
        elif token == "|":
            options.append(tuple(sequence))
            sequence = []
        elif token in ")]":
            raise ValueError(f"Expected matching brackets. Received: {''.join(tokens)!r}")
        elif token[0] in "{<":
            sequence.append(Reference(token[1:-1], slot=token[0] == "{"))
        else:
            sequence.append(token)
    if closing is not None:
        raise ValueError(f"Expected {closing!r}. Received: {''.join(tokens)!r}")
    options.append(tuple(sequence))
    return Choice(tuple(options)), position


def read_sections(path: Path) -> dict[str, list[str]]:
    """Reads the sections of one file: name -> lines."""
    sections: dict[str, list[str]] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        if line and not line.startswith(" "):
            lines = sections.setdefault(line.rstrip(":"), [])
        elif line.strip():
            lines.append(line.strip())
    return sections


class Grammar:
    """The templates of every intent, with their slots.

    Attributes:
        templates: dict. Intent -> list of `Template`.
    """

    def __init__(self, folder: Path = FOLDER):
        self._references = {}
        for file, slot in (("slots.txt", True), ("phrases.txt", False)):
            for name, lines in read_sections(folder / file).items():
                alternatives = re.sub(r" *\| *", "|", "|".join(lines))
                self._references[Reference(name, slot)] = parse(alternatives)
        self.templates: dict[str, list[Template]] = {}
        for path in sorted((folder / "templates").glob("*.txt")):
            for intent, lines in read_sections(path).items():
                self.templates[intent] = [_template(intent, line) for line in lines]

    @property
    def labels(self) -> list[str]:
        """The intents in alphabetical order."""
        return sorted(self.templates)

    def sample(self, template: Template, rng: random.Random) -> str:
        """Returns one clean sentence of `template`."""
        text = self._sample(template.nodes, rng)
        if template.request:
            draw = rng.random()
            if draw < REQUEST_PREFIX_RATE:
                text = f"{self._sample(Reference('ask', slot=False), rng)} {text}"
            elif draw < REQUEST_PREFIX_RATE + REQUEST_SUFFIX_RATE:
                text = f"{text} {self._sample(Reference('thanks', slot=False), rng)}"
        return " ".join(text.split())

    def _sample(self, node: str | Choice | Reference, rng: random.Random) -> str:
        if isinstance(node, str):
            return node
        if isinstance(node, Reference):
            return self._sample(self._references[node], rng)
        if node.optional and rng.random() >= OPTION_RATE:
            return ""
        return "".join(self._sample(child, rng) for child in pick(rng, node.options))

    def matches(self, text: str, intent: str | None = None) -> list[Template]:
        """Returns the templates that `text` could come from.

        Case, punctuation, apostrophes, fillers and politeness make no difference; typos do.

        Args:
            text: string. A sentence.
            intent: string. Look at this intent's templates alone, and let a slot take any words, as
                many as its longest listed value has: a new name or city does not hide a shared
                template. If `None`, look at every intent; slots take listed values only. Defaults
                to `None`.
        """
        text = normalize(text)
        intents = self.labels if intent is None else [intent]
        return [
            template
            for name in intents
            for template, pattern in self._patterns(name, intent is not None)
            if pattern.fullmatch(text)
        ]

    @functools.cache  # noqa: B019 (a grammar lives as long as the process)
    def _patterns(self, intent: str, any_words: bool) -> list[tuple[Template, re.Pattern]]:
        ask, thanks = (
            self._expression(Reference(name, slot=False), any_words) for name in ("ask", "thanks")
        )
        return [
            (
                template,
                re.compile(
                    rf"(?:{ask}\b *)?{self._expression(template.nodes, any_words)} *(?:{thanks})?"
                ),
            )
            for template in self.templates[intent]
        ]

    def _expression(self, node: str | Choice | Reference, any_words: bool) -> str:
        """Returns the regular expression of `node` over normalized text."""
        if isinstance(node, str):
            return _literal_expression(node)
        if isinstance(node, Reference):
            if node.slot and any_words:
                return rf"\w+(?: \w+){{0,{self._longest(node) - 1}}}"
            return self._expression(self._references[node], any_words)
        options = "|".join(
            "".join(self._expression(child, any_words) for child in option)
            for option in node.options
        )
        return f"(?:{options})" + ("?" if node.optional else "")

    def _longest(self, node: str | Choice | Reference) -> int:
        """Returns how many words `node` has at most."""
        if isinstance(node, str):
            return len(normalize(node).split())
        if isinstance(node, Reference):
            return self._longest(self._references[node])
        return max(sum(map(self._longest, option)) for option in node.options)


def _template(intent: str, line: str) -> Template:
    """Makes the template of one line of `templates/*.txt`."""
    source = line.removeprefix("> ")
    return Template(intent, source, request=line != source, nodes=parse(source))


def _literal_expression(text: str) -> str:
    """Normalizes literal text as `normalize` does; a space matches where parts were left out."""
    text = re.sub(r"[^\w\s]", lambda match: "" if match[0] == "'" else " ", text.lower())
    text = FILLER_WORDS.sub(" ", text)
    return re.sub(" +", r"\\b *", text)
