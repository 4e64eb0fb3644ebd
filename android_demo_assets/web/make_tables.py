"""Writes page/unicode_tables.js: which characters the tokenizers of Python remove, strip and cut.

    python android_demo_assets/web/make_tables.py

A browser knows the newest Unicode; Hugging Face's tokenizers and MediaPipe were built with older
ones. So the classes are read off them, one code point at a time.
"""

from pathlib import Path

from tokenizers import normalizers, pre_tokenizers

from tinybert_tf.text.mediapipe_rules import MediaPipeRules

TARGET = Path(__file__).parent / "page" / "unicode_tables.js"
HEADER = """// Written by make_tables.py. The insides of regular expressions' brackets (flag "u").
"""


def scan(is_member) -> list[int]:
    """The code points that satisfy a condition on their character; no surrogates."""
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    return [point for point in points if is_member(chr(point))]


def bracketed(points: list[int]) -> list[str]:
    """Runs of code points as `\\u{first}-\\u{last}`."""
    runs: list[list[int]] = []
    for point in points:
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return [
        f"\\\\u{{{first:x}}}" + (f"-\\\\u{{{last:x}}}" if last > first else "")
        for first, last in runs
    ]


def constant(name: str, comment: str, points: list[int]) -> str:
    """A JavaScript constant in lines of at most 100 columns."""
    lines = [""]
    for run in bracketed(points):
        if len(lines[-1]) + len(run) > 90:
            lines.append("")
        lines[-1] += run
    joined = ' +\n  "'.join(f'{line}"' for line in lines)
    return f'\n// {comment}\nexport const {name} =\n  "{joined};\n'


def bert_normalizer(**on: bool) -> normalizers.BertNormalizer:
    """BERT's normalizer with one step switched on."""
    steps = dict.fromkeys(
        ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"), False
    )
    return normalizers.BertNormalizer(**{**steps, **on})


def tables() -> str:
    """The text of the file."""
    clean, accents = bert_normalizer(clean_text=True), bert_normalizer(strip_accents=True)
    chinese = bert_normalizer(handle_chinese_chars=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    mediapipe = MediaPipeRules({}, 0)
    classes = [
        ("REMOVED", "BERT: what cleaning removes.", lambda c: not clean.normalize_str(c)),
        ("NONSPACING", "BERT: accents.", lambda c: not accents.normalize_str(c)),
        ("CHINESE", "BERT: words of one character.", lambda c: chinese.normalize_str(c) != c),
        (
            "PUNCTUATION",
            "BERT: punctuation, each a word.",
            lambda c: len(splitter.pre_tokenize_str(f"a{c}a")) == 3,
        ),
        (
            "MEDIAPIPE_ALONE",
            "MediaPipe: words of one character.",
            lambda c: len(mediapipe.words(f"a{c}a")) == 3,
        ),
    ]
    return HEADER + "".join(
        constant(name, comment, scan(is_member)) for name, comment, is_member in classes
    )


if __name__ == "__main__":
    TARGET.write_text(tables(), encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
