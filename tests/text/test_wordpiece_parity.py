"""Our tokens against transformers' `BertTokenizer`, on generated Unicode."""

import random

import pytest

from tinybert_tf.text.wordpiece import WordPiece

transformers = pytest.importorskip("transformers", reason="parity needs transformers")

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SNIPPETS = [
    *(" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028", "\x1f", "\x00", "\x7f"),
    *("the", "Hello", "playing", "Résumé", "re\u0301sume\u0301", "naïve", "STRASSE", "Straße"),
    *("İstanbul", "ΣΊΣΥΦΟΣ", "don't", "##ing", "3.14", "a_b", "e-mail", "http://x.y/?z=1"),
    *("[SEP]", "[CLS]", "[MASK]", "[UNK]", "[PAD]", "[sep]", "[SEP", "SEP]", "[unused1]"),
    *(
        "\u200b",
        "\u200d",
        "\u200e",
        "\ufeff",
        "\ufffd",
        "\u00ad",
        "😀",
        "👩\u200d👩\u200d👧",
        "🇨🇭",
        "❤\ufe0f",
    ),
    *(
        "中国",
        "今日は",
        "한국어",
        "ｆｕｌｌ",
        "ＷＩＤＥ",
        "１２３",
        "。",
        "、",
        "«»",
        "…",
        "—",
        "€",
    ),
    *("x" * 99, "x" * 100, "x" * 101, "é" * 100, "中" * 40),
]
RANGES = [
    *[(0x20, 0x7F)] * 6,
    *((0x00, 0x20), (0x7F, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700)),
    *((0x900, 0xE80), (0x1E00, 0x2070), (0x20A0, 0x2C00), (0x3000, 0x3130), (0x3400, 0x3500)),
    *((0x4E00, 0x5200), (0xAC00, 0xAD00), (0xE000, 0xE010), (0xF900, 0xFB10), (0xFE00, 0xFFFF)),
    *((0x10400, 0x10450), (0x1D400, 0x1D500), (0x1F300, 0x1FAFF), (0x20000, 0x20050)),
    (0x10FFF0, 0x110000),
]


def generated_texts(number: int, seed: int) -> list[str]:
    """Strings of up to 30 snippets and random code points."""
    generator = random.Random(seed)

    def piece() -> str:
        if generator.random() < 0.4:
            return generator.choice(SNIPPETS)
        return chr(generator.randrange(*generator.choice(RANGES)))

    return ["".join(piece() for _ in range(generator.randint(0, 30))) for _ in range(number)]


def characters(*ranges: tuple[int, int]) -> list[str]:
    singles = [chr(code) for start, end in ranges for code in range(start, end)]
    singles = [char for char in singles if not char.isspace() and char.isprintable()]
    return singles + [f"##{char}" for char in singles]


def cased_vocabulary() -> list[str]:
    words = ["the", "Hello", "play", "##ing", "Résumé", "Resume", "STRASSE", "Straße", "don", "😀"]
    return [*SPECIAL_TOKENS, *words, *characters((0x21, 0x7F), (0xC0, 0x180), (0x391, 0x3CA))]


def chinese_vocabulary() -> list[str]:
    words = ["the", "hello", "##ing", "今日", "한국어", "##국"]
    return [*SPECIAL_TOKENS, *words, *characters((0x21, 0x7F), (0x3041, 0x30FF), (0x4E00, 0x5100))]


@pytest.fixture(scope="module", params=["uncased", "cased", "accents", "chinese"])
def tokenizers(request):
    """Our tokenizer and transformers' of one vocabulary and its settings."""
    if request.param == "uncased":
        folder = request.getfixturevalue("minilm_folder")
        return WordPiece.from_folder(folder), transformers.BertTokenizerFast.from_pretrained(folder)
    vocabulary, ours, theirs = {
        "cased": (cased_vocabulary(), {"lowercase": False}, {"do_lower_case": False}),
        "accents": (
            cased_vocabulary(),
            {"lowercase": True, "strip_accents": False, "tokenize_chinese_chars": False},
            {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False},
        ),
        "chinese": (chinese_vocabulary(), {}, {}),
    }[request.param]
    folder = request.getfixturevalue("tmp_path_factory").mktemp(request.param)
    text = "".join(f"{token}\n" for token in vocabulary)
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    return (
        WordPiece(vocabulary, **ours),
        transformers.BertTokenizer.from_pretrained(folder, **theirs),
    )


def test_generated_texts(tokenizers):
    ours, theirs = tokenizers
    texts = generated_texts(3000, seed=1)
    token_ids = [row.tolist() for row in ours.encode(texts, max_length=64).token_ids]
    expected = theirs(texts, truncation=True, max_length=64)["input_ids"]
    differing = [text for text, a, b in zip(texts, token_ids, expected, strict=True) if a != b]
    assert not differing
    # The comparison is about something: many rows hold more than [UNK].
    assert sum(len(set(row) - {ours.unk_id}) > 4 for row in token_ids) > 1000


def test_every_code_point(tokenizers):
    ours, theirs = tokenizers
    singles = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    texts = ["a".join(singles[start : start + 64]) for start in range(0, len(singles), 64)]
    token_ids = [row.tolist() for row in ours.encode(texts, max_length=10_000).token_ids]
    assert token_ids == theirs(texts, truncation=True, max_length=10_000)["input_ids"]


def test_generated_pairs(tokenizers):
    ours, theirs = tokenizers
    first, second = generated_texts(150, seed=2), generated_texts(150, seed=3)
    for max_length in (5, 6, 17, 64):
        encoded = ours.encode(first, second, max_length=max_length)
        expected = theirs(first, second, truncation="longest_first", max_length=max_length)
        assert [row.tolist() for row in encoded.token_ids] == expected["input_ids"]
        assert [row.tolist() for row in encoded.segment_ids] == expected["token_type_ids"]


def test_tokenize_and_decode(tokenizers):
    ours, theirs = tokenizers
    for text in generated_texts(300, seed=4):
        assert ours.tokenize(text) == theirs.tokenize(text)
        token_ids = ours.encode([text]).token_ids[0]
        assert ours.decode(token_ids) == theirs.decode(token_ids, skip_special_tokens=True)


def test_transformers_loads_what_we_save(tokenizers, tmp_path):
    ours, _ = tokenizers
    ours.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = generated_texts(500, seed=5)
    expected = theirs(texts, truncation=True, max_length=32)["input_ids"]
    assert [row.tolist() for row in ours.encode(texts, max_length=32).token_ids] == expected
    assert len(theirs) == ours.vocabulary_size


def test_we_load_what_transformers_saves(tokenizers, tmp_path):
    ours, theirs = tokenizers
    theirs.save_pretrained(tmp_path)
    assert WordPiece.from_folder(tmp_path) == ours
