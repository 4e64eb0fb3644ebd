"""What happens to a sentence between a person and the classifier: speech, haste, typos.

Draws use `random.Random.random` alone, whose sequence Python guarantees across versions.
"""

import random
import re
import string
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

SPEECH_RATE = 0.45  # speech recognition: lower case, no punctuation, no typos
CAREFUL_RATE = 0.25  # typed with capitals and punctuation; the rest is typed carelessly
TYPO_RATE = 0.25  # of typed sentences
SECOND_TYPO_RATE = 0.2  # of sentences with a typo
FILLER_RATE = 0.15
LOST_APOSTROPHE_RATE = 0.5  # of spoken and careless sentences

OPENERS = ("um", "uh", "hey", "ok", "okay", "so", "hi", "well", "hey assistant", "ok so")
HESITATIONS = ("um", "uh", "er", "like", "you know")
FILLER_WORDS = re.compile(r"\b(?:you know|um|uh|er|hey|hi|ok|okay|so|well|like|please|assistant)\b")
QUESTION_STARTS = frozenset(
    "what whats how hows where wheres when whens which who is are am do does did can could will "
    "would should has have any why".split()
)
KEY_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
MIN_TYPO_WORD = 4  # letters


def pick(rng: random.Random, items: Sequence[Item]) -> Item:
    """Returns one item; uses `rng.random()` alone."""
    return items[int(rng.random() * len(items))]


def shuffle(rng: random.Random, items: list) -> None:
    """Shuffles in place; uses `rng.random()` alone."""
    for last in range(len(items) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        items[last], items[other] = items[other], items[last]


def normalize(text: str) -> str:
    """Undoes case, punctuation, apostrophes and fillers (not typos)."""
    text = re.sub(r"[^\w\s]", lambda match: "" if match[0] == "'" else " ", text.lower())
    return " ".join(FILLER_WORDS.sub(" ", text).split())


def add_noise(text: str, rng: random.Random) -> str:
    """Returns `text` as one person might say or type it."""
    if rng.random() < FILLER_RATE:
        text = add_filler(text, rng)
    style = rng.random()
    if style < CAREFUL_RATE:
        text = capitalize(text, rng)
    else:
        if rng.random() < LOST_APOSTROPHE_RATE:
            text = text.replace("'", "")
        if style < CAREFUL_RATE + SPEECH_RATE:
            return text.lower()
        if rng.random() < 0.5:
            text = text.lower()
    if rng.random() < TYPO_RATE:
        text = add_typo(text, rng)
        if rng.random() < SECOND_TYPO_RATE:
            text = add_typo(text, rng)
    return text


def add_filler(text: str, rng: random.Random) -> str:
    """Opens with "um", "hey", ... or hesitates between two words."""
    words = text.split()
    if rng.random() < 0.7 or len(words) < 3:
        return f"{pick(rng, OPENERS)} {text}"
    place = 1 + int(rng.random() * (len(words) - 1))
    return " ".join(words[:place] + [pick(rng, HESITATIONS)] + words[place:])


def capitalize(text: str, rng: random.Random) -> str:
    """Starts with a capital, writes "I", and ends with a mark."""
    question = text.split()[0].lower().replace("'", "") in QUESTION_STARTS
    text = re.sub(r"\bi\b", "I", text)
    mark = "?" if question else pick(rng, (".", ".", "", "!"))
    return text[0].upper() + text[1:] + mark


def add_typo(text: str, rng: random.Random) -> str:
    """Changes one letter of one word: a neighboring key, a drop, a swap or a doubling.

    Text without a word of at least `MIN_TYPO_WORD` letters comes back unchanged.
    """
    words = [match for match in re.finditer("[A-Za-z]+", text) if len(match[0]) >= MIN_TYPO_WORD]
    if not words:
        return text
    match = pick(rng, words)
    word = match[0]
    place = 1 + int(rng.random() * (len(word) - 2))  # the first and last letters stay mostly right
    kind = pick(rng, ("neighbor", "drop", "swap", "double"))
    head, letter, tail = word[:place], word[place], word[place + 1 :]
    if kind == "swap" and tail[0] != letter:
        changed = head + tail[0] + letter + tail[1:]
    elif kind == "drop":
        changed = head + tail
    elif kind == "double":
        changed = head + letter + letter + tail
    else:
        changed = head + neighbor_key(letter, rng) + tail
    return text[: match.start()] + changed + text[match.end() :]


def neighbor_key(letter: str, rng: random.Random) -> str:
    """Returns a key beside `letter` on the same row of a QWERTY keyboard, in its case."""
    row = next(row for row in KEY_ROWS if letter.lower() in row)
    place = row.index(letter.lower())
    near = pick(rng, [row[i] for i in (place - 1, place + 1) if 0 <= i < len(row)])
    return near.upper() if letter in string.ascii_uppercase else near
