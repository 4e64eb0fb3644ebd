"""Words and their pieces, against the tokenizer they describe."""

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.wordpiece import WordPiece
from tinybert_tf.text.words import count_words, longest_pieces, split_words

TEXTS = [
    *(
        "The Résumé: playing, straße!",
        "[SEP]play[CLS] er[MASK]",
        "中国国 hello",
        "\ud800 a\x00\u200bs",
    ),
    *("playings " + "a" * 101, "a" * 100, "", "[sep] [SEP", "İ ΣΊΣΥΦΟΣ 😀"),
]


def spelled(wordpiece: WordPiece, text: str) -> list[str]:
    """Tokens of a text, word by word."""
    vocabulary = set(wordpiece.vocabulary)
    tokens = []
    for word in split_words(wordpiece, text):
        pieces, whole = longest_pieces(word, vocabulary, wordpiece.max_input_chars_per_word)
        tokens += pieces if whole else ["[UNK]"]
    return tokens


def ordinary(tokens: list[str]) -> list[str]:
    return [token for token in tokens if token not in ("[SEP]", "[CLS]", "[MASK]", "[PAD]")]


@pytest.mark.parametrize("lowercase", [True, False])
def test_word_by_word_is_the_tokenizer(small_vocabulary, lowercase):
    wordpiece = WordPiece(small_vocabulary, lowercase=lowercase)
    for text in TEXTS:
        assert spelled(wordpiece, text) == ordinary(wordpiece.tokenize(text))


@pytest.mark.slow
def test_word_by_word_is_the_tokenizer_on_real_text(minilm_folder, data_folder):
    from tinybert_tf.text.readers import read_examples

    wordpiece = WordPiece.from_folder(minilm_folder)
    for text in TEXTS + read_examples(data_folder / "clinc150" / "val.tsv").texts:
        assert spelled(wordpiece, text) == ordinary(wordpiece.tokenize(text))


def test_count_words(small_vocabulary):
    counts = count_words(WordPiece(small_vocabulary), ["Play the, PLAY", "[SEP] the"])
    assert counts == {"play": 2, "the": 2, ",": 1}
    with pytest.raises(TinyBertError, match="`texts`"):
        count_words(WordPiece(small_vocabulary), "a text")


def test_pieces_up_to_a_dead_end():
    vocabulary = {"ab", "a", "##bc", "##c"}
    assert longest_pieces("abcc", vocabulary) == (["ab", "##c", "##c"], True)
    assert longest_pieces("abx", vocabulary) == (["ab"], False)
    assert longest_pieces("abc", vocabulary, max_chars=2) == ([], False)
