"""Which tokens of a vocabulary a corpus needs."""

import string
from collections import Counter
from collections.abc import Iterable, Mapping

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.vocabulary import SPECIAL_TOKENS
from tinybert_tf.text.wordpiece import WordPiece
from tinybert_tf.text.words import longest_pieces, split_words

ALPHABETS = ("corpus", "all")
# What people type in Latin script, whatever the corpus: ASCII, letters with marks (which most
# tokenizers reduce to ASCII), and what keyboards make of quotes, dashes and dots.
_TYPED = " ".join(
    [
        *(string.ascii_letters + string.digits + string.punctuation),
        *(chr(code) for code in range(0xC0, 0x180) if chr(code).isalpha()),
        *"‘’“”„«»–—…•·°€£¥§¡¿",
    ]
)


def choose_tokens(
    wordpiece: WordPiece,
    word_counts: Mapping[str, int],
    min_count: int = 1,
    keep: Iterable[str] = (),
    max_size: int | None = None,
    fill: bool = False,
    alphabet: str = "corpus",
) -> list[int]:
    """Returns the ids of the tokens to keep, ascending.

    Always kept are the special tokens, `keep`, and the alphabet: single characters and their
    continuations (`a`, `##a`), with which every word of known characters still splits into
    pieces that exist. Of the other tokens those stay that the corpus is made of.

    With all of a word's pieces kept, greedy matching splits it as before: where it took the
    longest of all pieces, that piece is still there, and no longer one has come. So with
    `min_count=1` and no `max_size` the corpus tokenizes exactly as before.

    Args:
        wordpiece: `WordPiece`.
        word_counts: dict of word to number. The corpus, from `count_words`.
        min_count: int. Tokens that the corpus holds less often are dropped; then words that
            contain them split differently. Defaults to `1`.
        keep: list of strings. Tokens to keep besides. Defaults to none.
        max_size: int. Most tokens to keep, all counted: those most frequent in the corpus.
            Defaults to `None`: no limit.
        fill: bool. Whether tokens that the corpus lacks fill what is left of `max_size`, in the
            order of their ids, which in BERT's vocabularies is roughly that of their frequency.
            Defaults to `False`.
        alphabet: string. `"corpus"`: the characters of the corpus, ASCII, and the Latin letters
            and signs that keyboards offer; `"all"`: every character that is a token. Defaults
            to `"corpus"`.

    Raises:
        TinyBertError: If arguments are out of range, a token of `keep` is unknown, or what must
            be kept exceeds `max_size`.
    """
    _check_arguments(min_count, max_size, fill, alphabet)
    ids = {token: index for index, token in enumerate(wordpiece.vocabulary)}
    wanted = list(dict.fromkeys(keep))
    unknown = [token for token in wanted if token not in ids]
    if unknown:
        raise TinyBertError(
            "Expected tokens of the vocabulary in `keep`. "
            f"Received: {', '.join(map(repr, unknown[:10]))}, which it lacks"
        )
    characters = set("".join(split_words(wordpiece, _TYPED))).union(*word_counts)
    if alphabet == "all":
        characters.update(token for token in ids if len(token) == 1)
    required = {*SPECIAL_TOKENS, *wanted, *_alphabet(wordpiece, ids, characters)}
    required |= _without_substitute(ids, characters)

    counts = count_pieces(word_counts, ids, wordpiece.max_input_chars_per_word)
    ranked = sorted(
        (token for token, count in counts.items() if count >= min_count and token not in required),
        key=lambda token: (-counts[token], ids[token]),
    )
    if max_size is not None:
        if len(required) > max_size:
            raise TinyBertError(
                f"Expected max_size of at least {len(required)}: special tokens, single "
                f"characters and `keep`. Received: max_size={max_size}"
            )
        if fill:
            taken = required.union(ranked)
            ranked += [
                token
                for token in wordpiece.vocabulary
                if token not in taken and _is_word(token) and characters.issuperset(_text(token))
            ]
        ranked = ranked[: max_size - len(required)]
    return sorted(ids[token] for token in required.union(ranked))


def count_pieces(
    word_counts: Mapping[str, int], vocabulary: Mapping[str, int], max_chars: int = 100
) -> Counter[str]:
    """Counts the pieces of counted words.

    Those on the way to the place where a word turns out to be `[UNK]` count too: without them
    it could split into something.
    """
    counts: Counter[str] = Counter()
    for word, count in word_counts.items():
        for piece in longest_pieces(word, vocabulary, max_chars)[0]:
            counts[piece] += count
    return counts


def _alphabet(wordpiece: WordPiece, ids: Mapping[str, int], characters: set[str]) -> set[str]:
    """Single characters and, where a word can go on with them, their continuations."""
    found = characters & ids.keys()
    for character in characters:
        # Punctuation and Chinese characters are words of their own: nothing continues with them.
        continues = split_words(wordpiece, f"a{character}") == [f"a{character}"]
        if continues and f"##{character}" in ids:
            found.add(f"##{character}")
    return found


def _without_substitute(ids: Mapping[str, int], characters: set[str]) -> set[str]:
    """Tokens of known characters that single characters cannot spell.

    There are none in BERT's own vocabularies, which hold both forms of every character.
    """
    found = set()
    for token in ids:
        text = _text(token)
        first = text[:1] if text == token else f"##{text[:1]}"
        spelled = {first, *(f"##{character}" for character in text[1:])}
        if _is_word(token) and characters.issuperset(text) and not ids.keys() >= spelled:
            found.add(token)
    return found


def _text(token: str) -> str:
    return token.removeprefix("##")


def _is_word(token: str) -> bool:
    """Whether a token has a text of several characters, which `[unused1]` and `[PAD]` lack."""
    return len(_text(token)) > 1 and not (token.startswith("[") and token.endswith("]"))


def _check_arguments(min_count: int, max_size: int | None, fill: bool, alphabet: str) -> None:
    if min_count < 1:
        raise TinyBertError(f"Expected min_count of at least 1. Received: min_count={min_count}")
    if max_size is not None and max_size < 1:
        raise TinyBertError(f"Expected max_size of at least 1. Received: max_size={max_size}")
    if fill and max_size is None:
        raise TinyBertError("Expected max_size with fill. Received: fill=True, max_size=None")
    if alphabet not in ALPHABETS:
        raise TinyBertError(f"Expected an alphabet of {ALPHABETS}. Received: alphabet={alphabet!r}")
