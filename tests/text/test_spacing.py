"""Decoded text is written as people write it."""

import pytest

from tinybert_tf.text.spacing import join_words
from tinybert_tf.text.wordpiece import WordPiece

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "I don't know what you're talking about.",
    "The state-of-the-art model costs $3.50 (about 20% less).",
    '"Come in," she said; it\'s raining.',
    "We've paid 1,000,000 at 10:30, and/or later: see [1].",
    "O'Neil waits... @ada wrote #one!",
    "c'est l'eau qu'il boit",
    "他花了3.5元买苹果。",
    "1, 2 and 3, 45 apples",
]


@pytest.mark.parametrize("text", TEXTS)
def test_ordinary_text_comes_back(text):
    characters = sorted(set("".join(TEXTS)) - {" "})
    vocabulary = [*SPECIALS, *characters, *(f"##{c}" for c in characters)]
    wordpiece = WordPiece(vocabulary, lowercase=False)
    (ids,) = wordpiece.piece_ids([text])
    assert join_words(wordpiece.decode(ids)) == text
