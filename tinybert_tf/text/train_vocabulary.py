"""WordPiece vocabularies learned from texts."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.strings import check_strings, valid_text
from tinybert_tf.text.vocabulary import SPECIAL_TOKENS
from tinybert_tf.text.wordpiece import WordPiece

PREFIX = "##"


def train_wordpiece(
    texts: Iterable[str],
    size: int,
    lowercase: bool = True,
    chinese_characters: bool = True,
    min_frequency: int = 2,
) -> WordPiece:
    """Learns a vocabulary with the `tokenizers` library, the same each time.

    First come the special tokens, then the characters that occur often enough, the most frequent
    ones where they do not all fit, and then the pieces that merging makes. With
    `chinese_characters` each Chinese character is a word, so that of Chinese the vocabulary holds
    every frequent character and nothing else.

    Args:
        texts: list or other iterable of strings.
        size: int. Most tokens; of few texts there are fewer.
        lowercase: bool. Whether text is lowercased and stripped of accents. Defaults to `True`.
        chinese_characters: bool. Whether each Chinese character is a word. Defaults to `True`.
        min_frequency: int. How often a character, or a pair that is merged, has to occur. Defaults
            to `2`.

    Returns:
        The `WordPiece`.

    Raises:
        TinyBertError: If `texts` are not strings or hold no character that is frequent enough, or
            `size` has no room for one beside the special tokens.
    """
    if size <= len(SPECIAL_TOKENS):
        raise TinyBertError(
            f"Expected a size of more than {len(SPECIAL_TOKENS)}, the special tokens. "
            f"Received: size={size}"
        )
    words = _count_words(check_strings(texts, "texts"), lowercase, chinese_characters)
    characters = _frequent_pieces(words, min_frequency)[: size - len(SPECIAL_TOKENS)]
    if not characters:
        raise TinyBertError(
            f"Expected texts with a character that occurs {min_frequency} times. Received: none"
        )
    kept = {*characters}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", continuing_subword_prefix=PREFIX))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        # Characters of their own order of discovery would make the ids a matter of chance.
        special_tokens=[*SPECIAL_TOKENS, *characters],
        continuing_subword_prefix=PREFIX,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_repeated(words, kept), trainer)
    ids = tokenizer.get_vocab()
    return WordPiece(
        sorted(ids, key=ids.__getitem__),
        lowercase=lowercase,
        tokenize_chinese_chars=chinese_characters,
    )


def _count_words(texts: list[str], lowercase: bool, chinese_characters: bool) -> Counter:
    """How often each word occurs, cut as `WordPiece` cuts."""
    normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=chinese_characters,
        strip_accents=None,
        lowercase=lowercase,
    )
    splitter = pre_tokenizers.BertPreTokenizer()
    words: Counter = Counter()
    for text in texts:
        normalized = normalizer.normalize_str(valid_text(text))
        words.update(word for word, _ in splitter.pre_tokenize_str(normalized))
    return words


def _pieces(word: str) -> list[str]:
    """Its characters, those after the first with the prefix."""
    return [word[0], *(PREFIX + character for character in word[1:])]


def _frequent_pieces(words: Counter, min_frequency: int) -> list[str]:
    counts: Counter = Counter()
    for word, count in words.items():
        for piece in _pieces(word):
            counts[piece] += count
    frequent = [piece for piece, count in counts.items() if count >= min_frequency]
    return sorted(frequent, key=lambda piece: (-counts[piece], piece))


def _repeated(words: Counter, kept: set[str]) -> Iterator[str]:
    """Each word as often as it occurs, those with an unknown piece left out: they are [UNK]."""
    for word in sorted(words):
        if kept.issuperset(_pieces(word)):
            for _ in range(words[word]):
                yield word
