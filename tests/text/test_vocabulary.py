import json

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.vocabulary import read_vocabulary
from tinybert_tf.text.wordpiece import WordPiece

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "Hello"]


def tokenizer_json(**changes) -> dict:
    """A tokenizer.json as transformers writes it for a cased model."""
    content = {
        "added_tokens": [{"id": index, "content": TOKENS[index]} for index in range(5)],
        "normalizer": {
            "type": "BertNormalizer",
            "lowercase": False,
            "strip_accents": None,
            "handle_chinese_chars": False,
        },
        "model": {
            "type": "WordPiece",
            "vocab": {token: index for index, token in enumerate(TOKENS)},
            "max_input_chars_per_word": 50,
        },
    }
    return {**content, **changes}


def write(folder, vocab=None, tokenizer=None, config=None):
    if vocab is not None:
        (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    if tokenizer is not None:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    "vocabulary, message",
    [
        ([], "at least one token"),
        (TOKENS[1:], r"without \[PAD\]"),
        (["hello"], r"without \[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\]"),
        ([*TOKENS, "hello"], "'hello' as entries 5 and 7"),
        ([*TOKENS, "two\nlines"], "entry 7 is"),
        ([*TOKENS, 8], "entry 7 is 8"),
    ],
)
def test_refused_vocabularies(vocabulary, message):
    with pytest.raises(TinyBertError, match=message):
        WordPiece(vocabulary)


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(TOKENS).encode(),
        ("\n".join(TOKENS) + "\n\n\n").encode(),
        ("\r\n".join(TOKENS) + "\r\n").encode(),
        b"\xef\xbb\xbf" + "\n".join(TOKENS).encode(),
    ],
    ids=["no last line end", "blank lines at the end", "CRLF", "byte order mark"],
)
def test_vocabulary_files(tmp_path, data):
    (tmp_path / "vocab.txt").write_bytes(data)
    assert read_vocabulary(tmp_path / "vocab.txt") == TOKENS
    assert WordPiece(tmp_path / "vocab.txt") == WordPiece(TOKENS)
    assert WordPiece(str(tmp_path / "vocab.txt")) == WordPiece(TOKENS)


def test_refused_vocabulary_files(tmp_path):
    path = tmp_path / "vocab.txt"
    with pytest.raises(TinyBertError, match=r"existing file.*vocab.txt"):
        read_vocabulary(path)
    path.write_bytes(b"\n\n")
    with pytest.raises(TinyBertError, match=r"vocab.txt' is empty"):
        read_vocabulary(path)
    path.write_bytes(b"[PAD]\n[UNK]\ncaf\xe9\n")
    with pytest.raises(TinyBertError, match=r"vocab.txt:3: byte 4 is 0xe9"):
        read_vocabulary(path)


def test_folder_with_vocabulary_alone_is_lowercase(tmp_path):
    assert WordPiece.from_folder(write(tmp_path, TOKENS)) == WordPiece(TOKENS)
    cased = WordPiece.from_folder(tmp_path, lowercase=False)
    assert cased == WordPiece(TOKENS, lowercase=False)


def test_folder_with_tokenizer_json_alone(tmp_path):
    wordpiece = WordPiece.from_folder(write(tmp_path, tokenizer=tokenizer_json()))
    assert wordpiece == WordPiece(
        TOKENS, lowercase=False, tokenize_chinese_chars=False, max_input_chars_per_word=50
    )


def test_tokenizer_config_wins_over_tokenizer_json(tmp_path):
    config = {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": None}
    write(tmp_path, tokenizer=tokenizer_json(), config=config)
    assert WordPiece.from_folder(tmp_path).get_config() == {
        "lowercase": True,
        "strip_accents": False,
        "tokenize_chinese_chars": False,
        "max_input_chars_per_word": 50,
    }


def test_vocabulary_file_wins_over_tokenizer_json(tmp_path):
    write(tmp_path, [*TOKENS, "more"], tokenizer_json())
    wordpiece = WordPiece.from_folder(tmp_path)
    assert wordpiece.vocabulary == [*TOKENS, "more"]
    assert not wordpiece.lowercase


def test_folder_without_vocabulary(tmp_path):
    with pytest.raises(TinyBertError, match=r"vocab.txt or tokenizer.json is expected.*folder="):
        WordPiece.from_folder(write(tmp_path, config={}))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": {"type": "BPE", "vocab": {"a": 0}}}, "holds a BPE model"),
        ({"model": None}, "holds a None model"),
        ({"normalizer": {"type": "NFKC"}}, "holds NFKC"),
        ({"normalizer": None}, "holds None"),
        ({"added_tokens": [{"id": 7, "content": "<url>"}]}, "adds '<url>'"),
        ({"model": {"vocab": {"[PAD]": 0, "a": 2}}, "added_tokens": []}, "gaps or repeats"),
    ],
)
def test_refused_tokenizer_json(tmp_path, changes, message):
    with pytest.raises(TinyBertError, match=message):
        WordPiece.from_folder(write(tmp_path, tokenizer=tokenizer_json(**changes)))


@pytest.mark.parametrize("content", ["{", "[]", '{"model": '])
def test_refused_json(tmp_path, content):
    write(tmp_path, TOKENS)
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(TinyBertError, match=r"JSON.*tokenizer_config.json"):
        WordPiece.from_folder(tmp_path)


def test_minilm(minilm_folder, tmp_path):
    wordpiece = WordPiece.from_folder(minilm_folder)
    assert wordpiece.vocabulary_size == 30522
    assert wordpiece.lowercase
    assert wordpiece.encode(["Hello, world!"]).token_ids[0].tolist() == [
        *(101, 7592, 1010, 2088, 999, 102)
    ]
    alone = tmp_path / "tokenizer.json"
    alone.write_bytes((minilm_folder / "tokenizer.json").read_bytes())
    assert WordPiece.from_folder(tmp_path) == wordpiece
