"""Texts that leave nothing of Unicode out, the same each time."""

import random
import unicodedata
from functools import cache

from tokenizers.normalizers import BertNormalizer

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HAN = [range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0x20000, 0x32000)]
HANGUL = range(0xAC00, 0xD7A4)
SNIPPETS = [
    *(" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028", "\x85", "\x1f", "\x00", "\x7f"),
    *("the", "Hello", "playing", "Résumé", "re\u0301sume\u0301", "naïve", "STRASSE", "Straße"),
    *("İstanbul", "DIYARBAKIR", "ıI", "ΣΊΣΥΦΟΣ", "ΟΔΟΣ ΟΔΟΣ.", "ǅ", "ﬁnal", "ẞ", "K", "Å"),
    *(
        "Საქართველო",
        "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ",
        "საქართველო",
        "Ꭰꭰ",
        "Ａｌｌ ＷＩＤＥ",
        "１２３",
        "𐐀𐐨",
        "𝔘𝔫𝔦",
        "Ⅷ",
    ),
    *("[SEP]", "[CLS]", "[MASK]", "[UNK]", "[PAD]", "[sep]", "[SEP", "SEP]", "[unused1]", "##ing"),
    *("\u200b", "\u200d", "\u200e", "\ufeff", "\ufffd", "\u00ad", "\ue000", "\ud83d", "\udc00"),
    *(
        "😀",
        "👩\u200d👩\u200d👧",
        "🇨🇭",
        "❤\ufe0f",
        "👍🏽",
        "1\ufe0f\u20e3",
        "🏴\U000e0067\U000e007f",
    ),
    *(
        "中国",
        "今日は",
        "한국어",
        "\u1112\u1161\u11ab",
        "。",
        "、",
        "«»",
        "…",
        "—",
        "€",
        "\u4e2d\ufe00",
    ),
    *("مَرْحَبًا", "שָׁלוֹם", "ภาษาไทย", "ກຳ", "हिन्दी", "வணக்கம்", "བོད་ཡིག", "မြန်မာ", "ខ្មែរ", "አማርኛ"),
    *("x" * 99, "x" * 100, "x" * 101, "é" * 100, "é" * 101, "中" * 40, "a" + "\u0301" * 150),
    *("\u0915\u094d\u302e", "\u0301", "\u302f\u1b44", "e\U0001d165\U0001d16d\u1b44", "a_b", "3.14"),
]


@cache
def assigned() -> list[str]:
    """Every character that Python's Unicode knows, private ones left out."""
    found = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    return [char for char in found if unicodedata.category(char) not in ("Cn", "Co")]


@cache
def unassigned() -> list[str]:
    """Every other character but surrogates."""
    found = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    return [char for char in found if unicodedata.category(char) in ("Cn", "Co")]


@cache
def unicode_texts() -> list[str]:
    """More than 5,000 texts that hold every assigned character, in words of their neighbours."""
    generator = random.Random(6)
    texts = []
    characters = assigned()
    for start in range(0, len(characters), 28):
        neighbours = characters[start : start + 28]
        generator.shuffle(neighbours)
        words = []
        while neighbours:
            length = generator.randint(1, 6)
            words.append("".join(neighbours[:length]))
            del neighbours[:length]
            if generator.random() < 0.3:
                words.append(generator.choice(SNIPPETS))
        texts.append("".join(word + generator.choice(("", " ")) for word in words))
    return texts


@cache
def mixed_texts(number: int, seed: int) -> list[str]:
    """Texts of up to 30 snippets and characters of any block."""
    generator = random.Random(seed)

    def piece() -> str:
        return generator.choice(SNIPPETS if generator.random() < 0.5 else assigned())

    return ["".join(piece() for _ in range(generator.randint(0, 30))) for _ in range(number)]


@cache
def texts_of_marks(number: int) -> list[str]:
    """Letters with marks of every combining class in any order."""
    generator = random.Random(7)
    marks = [char for char in assigned() if unicodedata.category(char)[0] == "M"]
    by_class = {unicodedata.combining(mark): mark for mark in marks}
    # Those that stay when accents are stripped, and are sorted all the same, are rare: more often.
    strip = BertNormalizer(strip_accents=True).normalize_str
    kept = [mark for mark in marks if unicodedata.combining(mark) and strip(mark)]
    pools = [marks, list(by_class.values()), kept, kept, list("aÉω֎ ")]

    def piece() -> str:
        return generator.choice(generator.choice(pools))

    return ["".join(piece() for _ in range(generator.randint(2, 24))) for _ in range(number)]


def character_vocabulary() -> list[str]:
    """A token for every character but some Han and Hangul: ids then show each character."""
    tail = {chr(code) for block in (*HAN, HANGUL) for code in block[300:]}
    characters = [char for char in assigned() if char not in tail and not char.isspace()]
    characters = [char for char in characters if unicodedata.category(char) != "Cc"]
    return [*SPECIAL_TOKENS, *characters, *(f"##{char}" for char in characters)]


def chinese_vocabulary() -> list[str]:
    """A small vocabulary with Chinese characters, Kana and a few words."""
    characters = [chr(code) for code in (*range(0x21, 0x7F), *range(0x3041, 0x3097))]
    characters += [chr(code) for code in range(0x4E00, 0x5900)]
    words = ["the", "hello", "##ing", "今日", "한국어", "##국"]
    return [*SPECIAL_TOKENS, *words, *characters, *(f"##{char}" for char in characters)]
