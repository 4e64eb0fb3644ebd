"""BERT vocabularies and tokenizer settings, from the files that checkpoints ship."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.files import read_text

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def check_vocabulary(vocabulary: Sequence[str]) -> dict[str, int]:
    """Returns the id of each token.

    Args:
        vocabulary: list of strings. The tokens in the order of their ids.

    Raises:
        TinyBertError: If it is empty, holds something that is no one-line string, repeats a token
            or lacks a special token.
    """
    if not vocabulary:
        raise TinyBertError("A vocabulary with at least one token is expected. Received: none.")
    ids: dict[str, int] = {}
    for index, token in enumerate(vocabulary):
        if not isinstance(token, str) or "\n" in token or "\r" in token:
            raise TinyBertError(
                "Vocabulary entries are expected to be strings without line breaks. "
                f"Received: entry {index} is {token!r}"
            )
        if token in ids:
            raise TinyBertError(
                "Vocabulary entries are expected to be distinct. "
                f"Received: {token!r} as entries {ids[token]} and {index}"
            )
        ids[token] = index
    missing = [token for token in SPECIAL_TOKENS if token not in ids]
    if missing:
        raise TinyBertError(
            f"The vocabulary is expected to hold the special tokens {', '.join(SPECIAL_TOKENS)}. "
            f"Received: {len(ids)} tokens without {', '.join(missing)}"
        )
    return ids


def read_vocabulary(path: str | os.PathLike) -> list[str]:
    """Reads a `vocab.txt`: one token a line, the line number is the id.

    Raises:
        TinyBertError: If the file is absent, empty or not UTF-8.
    """
    # Only line feeds end a line here (str.splitlines would also cut at U+2028 and others, which
    # are tokens of multilingual vocabularies).
    tokens = read_text(path).replace("\r\n", "\n").split("\n")
    while tokens and not tokens[-1]:
        tokens.pop()
    if not tokens:
        raise TinyBertError(
            f"A vocabulary with one token a line is expected. Received: {str(path)!r} is empty."
        )
    return tokens


def read_folder_settings(folder: str | os.PathLike) -> tuple[list[str], dict]:
    """Reads vocabulary and `WordPiece` settings from a checkpoint folder.

    Args:
        folder: path. Holds `vocab.txt` or `tokenizer.json`, and perhaps
            `tokenizer_config.json`, whose settings win.

    Returns:
        The list of tokens and a dict of those `WordPiece` arguments that the files state.

    Raises:
        TinyBertError: If there is no vocabulary or the tokenizer is not BERT's WordPiece.
    """
    folder = Path(folder)
    settings: dict = {}
    vocabulary = None
    if (folder / "tokenizer.json").is_file():
        vocabulary, settings = _read_tokenizer_json(folder / "tokenizer.json")
    if (folder / "vocab.txt").is_file():
        vocabulary = read_vocabulary(folder / "vocab.txt")
    if vocabulary is None:
        raise TinyBertError(
            "A folder with vocab.txt or tokenizer.json is expected. "
            f"Received: folder={str(folder)!r}"
        )
    if (folder / "tokenizer_config.json").is_file():
        config = _read_json(folder / "tokenizer_config.json")
        names = {
            "do_lower_case": "lowercase",
            "strip_accents": "strip_accents",
            "tokenize_chinese_chars": "tokenize_chinese_chars",
            "max_input_chars_per_word": "max_input_chars_per_word",
            "rules": "rules",
        }
        for hf, ours in names.items():
            # Null means "as lowercase" for accents, and nothing for the others.
            if hf in config and (config[hf] is not None or hf == "strip_accents"):
                settings[ours] = config[hf]
    return vocabulary, settings


def _read_tokenizer_json(path: Path) -> tuple[list[str], dict]:
    content = _read_json(path)
    model = content.get("model") or {}
    if model.get("type", "WordPiece") != "WordPiece" or not isinstance(model.get("vocab"), dict):
        raise TinyBertError(
            "A WordPiece vocabulary is expected. "
            f"Received: {str(path)!r} holds a {model.get('type')} model"
        )
    ids = dict(model["vocab"])
    ids.update({token["content"]: token["id"] for token in content.get("added_tokens") or []})
    extra = [token for token in ids if token not in model["vocab"]]
    if extra:
        raise TinyBertError(
            "Added tokens are expected to be entries of the vocabulary. "
            f"Received: {str(path)!r} adds {', '.join(map(repr, extra[:5]))}"
        )
    if sorted(ids.values()) != list(range(len(ids))):
        raise TinyBertError(
            f"Token ids are expected to be 0 to {len(ids) - 1}, each once. "
            f"Received: {str(path)!r} has gaps or repeats"
        )
    normalizer = content.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer":
        raise TinyBertError(
            "BERT's normalizer (BertNormalizer) is expected. "
            f"Received: {str(path)!r} holds {normalizer.get('type')}"
        )
    settings = {
        "lowercase": normalizer.get("lowercase", True),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
        "max_input_chars_per_word": model.get("max_input_chars_per_word", 100),
    }
    return sorted(ids, key=ids.__getitem__), settings


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise TinyBertError(f"JSON is expected. Received: {str(path)!r}: {error}") from error
    if not isinstance(content, dict):
        raise TinyBertError(
            f"A JSON object is expected. Received: {str(path)!r} holds {type(content).__name__}"
        )
    return content


def write_folder(folder: str | os.PathLike, vocabulary: Sequence[str], settings: dict) -> None:
    """Writes `vocab.txt` and `tokenizer_config.json`, which `read_folder_settings` takes.

    Args:
        folder: path.
        vocabulary: list of strings.
        settings: dict. As `WordPiece.get_config` returns it.

    Raises:
        TinyBertError: If the folder cannot be written.
    """
    folder = Path(folder)
    others = {name: value for name, value in settings.items() if name != "lowercase"}
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": settings["lowercase"],
        **others,
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL_TOKENS},
    }
    with atomic_file(folder / "vocab.txt", "wb") as stream:
        stream.write("".join(f"{token}\n" for token in vocabulary).encode("utf-8"))
    with atomic_file(folder / "tokenizer_config.json") as stream:
        json.dump(config, stream, indent=2)
