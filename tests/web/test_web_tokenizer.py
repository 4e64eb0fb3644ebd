"""The page's tokenizer against Python's: Hugging Face's rules and MediaPipe's, all of Unicode."""

import json
import unicodedata

import numpy as np
import pytest
from web_sites import WEB

import tinybert_tf as tb
from tinybert_tf.export.golden import HARD_TEXTS
from tinybert_tf.text.bert_rules import BertRules
from tinybert_tf.text.mediapipe_rules import MediaPipeRules

pytestmark = pytest.mark.slow  # a browser

CUT = """async ([settings, vocabulary, texts]) => {
    const { WordPiece } = await import("./tokenizer.js");
    const tokenizer = new WordPiece(settings, vocabulary);
    return texts.map((text) => tokenizer.encode(text).ids);
}"""
WORDS = """async ([settings, vocabulary, texts]) => {
    const { WordPiece } = await import("./tokenizer.js");
    const tokenizer = new WordPiece(settings, vocabulary);
    return texts.map((text) => [...tokenizer.words(text)]);
}"""


def settings_of(**changes) -> dict:
    """The field `tokenizer` of a manifest."""
    return {
        "kind": "bert",
        "lowercase": True,
        "strip_accents": True,
        "split_chinese": True,
        "max_length": 24,
        "max_characters_per_word": 100,
        "unknown": "[UNK]",
        "classify": "[CLS]",
        "separate": "[SEP]",
        "pad": "[PAD]",
        "mask": "[MASK]",
        **changes,
    }


@pytest.fixture
def page(new_page, web_sites):
    page = new_page()
    page.goto(f"{web_sites[1]}/universal/index.html")
    return page


def extended(vocabulary: list[str]) -> list[str]:
    """With letters and marks, so that texts differ in more than the number of unknown words."""
    letters = [chr(point) for point in (*range(0x21, 0x600), *range(0x1E00, 0x2000), 0x6211)]
    return list(dict.fromkeys([*vocabulary, *letters, *(f"##{letter}" for letter in letters)]))


def random_texts(count: int) -> list[str]:
    """Seeded strings of characters of many scripts, marks, controls and word pieces."""
    generator = np.random.default_rng(5)
    assigned = [
        chr(point)
        for point in [*range(1, 0x3100), *range(0xA000, 0xD800), *range(0xF900, 0x20000)]
        if unicodedata.category(chr(point)) != "Cn"
    ]
    usual = [*"abcdefghijklmnopqrstuvwxyzABCÉÜßİΣςﬁéÅ .,'-", " ", " ", "[SEP]", "[UNK]", "film"]
    pools = [usual, [*usual, *map(chr, range(0x300, 0x370))], assigned, [*usual, *assigned[:3000]]]
    return [
        "".join(generator.choice(pools[row % len(pools)], size=generator.integers(1, 60)))
        for row in range(count)
    ]


@pytest.mark.parametrize(
    "lowercase, strip_accents, split_chinese",
    [(True, None, True), (False, None, True), (True, False, False), (False, True, True)],
)
def test_bert_ids(lowercase, strip_accents, split_chinese, page, tiny_vocabulary):
    vocabulary = extended(tiny_vocabulary)
    texts = [*HARD_TEXTS, *random_texts(400), "x" * 100, "x" * 101, "a" * 3000]
    wordpiece = tb.WordPiece(
        vocabulary,
        lowercase=lowercase,
        strip_accents=strip_accents,
        tokenize_chinese_chars=split_chinese,
    )
    settings = settings_of(
        lowercase=lowercase,
        strip_accents=lowercase if strip_accents is None else strip_accents,
        split_chinese=split_chinese,
    )
    expected = [ids.tolist() for ids in wordpiece.encode(texts, max_length=24).token_ids]
    assert page.evaluate(CUT, [settings, vocabulary, texts]) == expected
    assert len({tuple(ids) for ids in expected}) > 250


def test_mediapipe_ids(page, tiny_vocabulary):
    vocabulary = extended(tiny_vocabulary)
    texts = [*HARD_TEXTS, *random_texts(400), "x" * 100, "é" * 50, "é" * 51, "film\0good"]
    wordpiece = tb.WordPiece(vocabulary, rules="mediapipe")
    expected = [ids.tolist() for ids in wordpiece.encode(texts, max_length=24).token_ids]
    settings = settings_of(kind="mediapipe")
    assert page.evaluate(CUT, [settings, vocabulary, texts]) == expected


@pytest.mark.parametrize("kind", ["bert", "mediapipe"])
def test_every_character(kind, page, tiny_vocabulary):
    # Planes 3 to 13 are empty, 15 and 16 are private. Each between letters, many in one text.
    points = [*range(0xD800), *range(0xE000, 0x32400), *range(0xE0000, 0xE0200)]
    points += [0x3FFFD, 0xD0000, 0xF0000, 0xFFFFD, 0x100000, 0x10FFFD, 0x10FFFF]
    texts = [
        "".join(f"a{chr(point)}b" for point in points[start : start + 64])
        for start in range(0, len(points), 64)
    ]
    ids = {token: place for place, token in enumerate(tiny_vocabulary)}
    rules = BertRules(ids, True, None, True, 100) if kind == "bert" else MediaPipeRules(ids, 1)
    expected = [rules.words(text) for text in texts]
    own = page.evaluate(WORDS, [settings_of(kind=kind), tiny_vocabulary, texts])
    different = [place for place in range(len(texts)) if own[place] != expected[place]]
    assert [json.dumps(texts[place]) for place in different[:3]] == []


def test_lone_surrogates(page, tiny_vocabulary):
    for kind in ("bert", "mediapipe"):
        wordpiece = tb.WordPiece(tiny_vocabulary, rules=kind)
        (expected,) = wordpiece.encode(["good\ud800film \udc00a"], max_length=24).token_ids
        own = page.evaluate(
            """async ([settings, vocabulary]) => {
                const { WordPiece } = await import("./tokenizer.js");
                const text = "good" + String.fromCharCode(0xd800) + "film "
                    + String.fromCharCode(0xdc00) + "a";
                return new WordPiece(settings, vocabulary).encode(text).ids;
            }""",
            [settings_of(kind=kind), tiny_vocabulary],
        )
        assert own == expected.tolist()


@pytest.mark.slow
def test_tables_are_current():
    """make_tables.py writes what is committed."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_tables", WEB / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text("utf-8") == module.tables()
