"""Writes src/tinybert/text/UnicodeTables.java from what Hugging Face's `tokenizers` does.

Which characters are removed, are spaces, punctuation or accents, how a character is lowercased
and how it decomposes: `tokenizers` answers each from the Unicode version of another Rust library,
a JVM from its own and an Android device from its system's. So the tables are not taken from any
Unicode file: every code point is put through `tokenizers` once, and what came out is written down.

    python android_demo_assets/java/make_unicode_tables.py            # writes the file
    python android_demo_assets/java/make_unicode_tables.py --check    # says whether it is current

Numbers are written in base 64, five bits a character and the sixth set where more follow (as in
source maps); CodePoints.java reads them.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unicodedata import combining

import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

FILE = Path(__file__).parent / "src" / "tinybert" / "text" / "UnicodeTables.java"
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ORDINARY, SPACE, PUNCTUATION, REMOVED, ACCENT, STARTER_ACCENT, CHINESE = range(7)
SYLLABLES = range(0xAC00, 0xD7A4)  # Hangul, decomposed by arithmetic
SURROGATES = range(0xD800, 0xE000)
CODE_POINTS = [code for code in range(0x110000) if code not in SURROGATES]

_OFF = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False}
clean = BertNormalizer(**{**_OFF, "clean_text": True}, lowercase=False).normalize_str
chinese = BertNormalizer(**{**_OFF, "handle_chinese_chars": True}, lowercase=False).normalize_str
strip = BertNormalizer(**{**_OFF, "strip_accents": True}, lowercase=False).normalize_str
lower = BertNormalizer(**_OFF, lowercase=True).normalize_str
decompose = NFD().normalize_str
cut = BertPreTokenizer().pre_tokenize_str


def kind(character: str) -> int:
    """What a character is to BERT's rules."""
    kept = clean(character)
    if not kept:
        return REMOVED
    if kept == " ":
        return SPACE
    words = [word for word, _ in cut(f"a{character}a")]
    if words == ["a", character, "a"]:
        return PUNCTUATION
    if not strip(character):
        return ACCENT if combining_class(character) else STARTER_ACCENT
    if chinese(character) != character:
        return CHINESE
    # A space that cleaning leaves would need a kind of its own; there is none.
    assert words == [f"a{character}a"], hex(ord(character))
    return ORDINARY


def combining_class(character: str) -> int:
    """The class by which NFD sorts marks (0: it does not sort this), found by sorting."""
    if not is_sorted(character):
        return 0
    return next(rank for rank, mark in MARKS if not swaps(character + mark))


def is_sorted(character: str) -> bool:
    """Whether NFD moves a character past the marks of the highest or the lowest class."""
    return swaps("\u0345" + character) or swaps(character + "\u0334")


def swaps(pair: str) -> bool:
    """Whether NFD swaps two characters that do not decompose."""
    return pair[0] != pair[1] and decompose(pair) == pair[::-1]


# A mark of each class, in their order: NFD keeps a character before those of its class or above.
MARKS = sorted({combining(mark): mark for mark in map(chr, CODE_POINTS) if is_sorted(mark)}.items())


# === Encoding ===


def number(value: int) -> str:
    """One number that is not negative."""
    text = ""
    while True:
        value, digit = value >> 5, value & 31
        text += DIGITS[digit | 32 if value else digit]
        if not value:
            return text


def signed(value: int) -> str:
    """One number of either sign: the lowest bit holds it."""
    return number(2 * value if value >= 0 else -2 * value - 1)


def ranges(value_of: Callable[[int], int]) -> str:
    """Runs of code points with the same value other than 0: gap, length, value."""
    found, end = "", 0
    for first, last, value in _runs(value_of):
        found += number(first - end) + number(last - first) + number(value)
        end = last
    return found


def _runs(value_of: Callable[[int], int]) -> Iterator[tuple[int, int, int]]:
    start, previous = 0, 0
    for code in [*CODE_POINTS, 0x110000]:
        value = value_of(code) if code < 0x110000 else 0
        if value != previous or code == SURROGATES.stop:
            if previous:
                yield (
                    start,
                    min(code, SURROGATES.start) if start < SURROGATES.start else code,
                    previous,
                )
            start, previous = code, value


def mapping(change: Callable[[str], str], skip: Iterable[int] = ()) -> str:
    """What changed characters become: gap, number of characters, the first less its code point
    and less the entry before's difference, the others less U+0300."""
    found, end, difference = "", 0, 0
    for code in CODE_POINTS:
        text = chr(code)
        changed = change(text)
        if changed == text or code in skip:
            continue
        first, *others = map(ord, changed)
        found += number(code - end) + number(len(changed)) + signed(first - code - difference)
        found += "".join(signed(other - 0x300) for other in others)
        end, difference = code, first - code
    return found


# === The file ===


def source() -> str:
    """The Java source."""
    kinds = ranges(lambda code: kind(chr(code)))
    classes = ranges(lambda code: 0 if not strip(chr(code)) else combining_class(chr(code)))
    for code in SYLLABLES:
        index = code - SYLLABLES.start
        jamo = [0x1100 + index // 588, 0x1161 + index % 588 // 28, 0x11A7 + index % 28]
        assert decompose(chr(code)) == "".join(map(chr, jamo[: 3 if index % 28 else 2])), hex(code)
    tables = {
        "KINDS": kinds,
        "COMBINING_CLASSES": classes,
        "DECOMPOSITIONS": mapping(decompose, SYLLABLES),
        "LOWERCASE": mapping(lower),
    }
    fields = "\n".join(_field(name, text) for name, text in tables.items())
    return (
        "package tinybert.text;\n\n"
        "/**\n"
        " * What each code point is to Hugging Face's tokenizers "
        f"{tokenizers.__version__}. Generated by\n"
        " * make_unicode_tables.py, which says how; CodePoints reads it.\n"
        " */\n"
        "final class UnicodeTables {\n"
        f"{fields}\n"
        "    private UnicodeTables() {}\n"
        "}\n"
    )


def _field(name: str, text: str) -> str:
    lines = [text[start : start + 88] for start in range(0, len(text), 88)]
    joined = '"\n        + "'.join(lines)
    return f'    static final String {name} =\n        "{joined}";\n'


def main() -> int:
    """Writes the file, or compares it."""
    text = source()
    if "--check" in sys.argv[1:]:
        same = FILE.read_text(encoding="ascii") == text
        print(f"{FILE.name} is {'current' if same else 'not what tokenizers does now'}")
        return 0 if same else 1
    FILE.write_text(text, encoding="ascii")
    print(f"wrote {FILE.name}, {len(text):,} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
