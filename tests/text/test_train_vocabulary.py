import subprocess
import sys

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.train_vocabulary import train_wordpiece

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ENGLISH = [
    "The lower tower is lowest.",
    "Slower towers, lower flowers!",
    "The newest is newer.",
] * 2
CHINESE = ["我喜欢茶。", "我不喜欢咖啡，我喜欢茶。", "他喜欢 Tea。", "咖啡茶茶茶"]


def test_layout_and_coverage():
    wordpiece = train_wordpiece(ENGLISH, 80)
    vocabulary = wordpiece.vocabulary
    assert vocabulary[:5] == SPECIALS
    assert len(vocabulary) <= 80
    assert len(set(vocabulary)) == len(vocabulary)
    for text in ENGLISH:
        tokens = wordpiece.tokenize(text)
        assert "[UNK]" not in tokens
        assert "".join(tokens).replace("##", "") == text.lower().replace(" ", "")
    assert {"the", "lower"} <= set(vocabulary)


def test_a_larger_vocabulary_needs_fewer_pieces():
    small, large = (train_wordpiece(ENGLISH, size) for size in (35, 60))
    assert small.vocabulary_size < large.vocabulary_size
    assert len(small.tokenize(ENGLISH[0])) > len(large.tokenize(ENGLISH[0]))


def test_every_frequent_chinese_character_is_a_token_and_no_word_is():
    wordpiece = train_wordpiece(CHINESE, 100, min_frequency=2)
    chinese = [token for token in wordpiece.vocabulary if token[-1] > "\u2fff"]
    # By falling frequency: 茶 six times, 喜 and 欢 four, 我 and 。 three, 咖 and 啡 twice.
    assert chinese == ["茶", "喜", "欢", "。", "我", "咖", "啡"]
    assert wordpiece.tokenize("他喜欢茶") == ["[UNK]", "喜", "欢", "茶"]
    everything = train_wordpiece(CHINESE, 100, min_frequency=1)
    assert "[UNK]" not in everything.tokenize("".join(CHINESE))


def test_a_small_size_keeps_the_most_frequent_characters():
    assert train_wordpiece(CHINESE, 7).vocabulary == [*SPECIALS, "茶", "喜"]


def test_chinese_words_without_character_words():
    wordpiece = train_wordpiece(["喜欢 喜欢 喜欢 欢喜"], 20, chinese_characters=False)
    assert "喜欢" in wordpiece.vocabulary
    assert not wordpiece.tokenize_chinese_chars


def test_case_is_kept_when_asked():
    assert "T" in train_wordpiece(ENGLISH, 60, lowercase=False).vocabulary
    assert "T" not in train_wordpiece(ENGLISH, 60).vocabulary


def test_other_processes_learn_the_same():
    """The library's hash tables are seeded anew in each process."""
    code = (
        "from tinybert_tf.text.train_vocabulary import train_wordpiece\n"
        f"print('|'.join(train_wordpiece({ENGLISH + CHINESE!r}, 90).vocabulary))"
    )
    expected = "|".join(train_wordpiece(ENGLISH + CHINESE, 90).vocabulary)
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code], capture_output=True, check=True
        )
        assert done.stdout.decode("utf-8").strip() == expected


@pytest.mark.parametrize(
    "texts, size, message",
    [
        (["a a"], 5, "size=5"),
        ("a a", 20, "`texts` is expected to be a list of strings"),
        ([], 20, "Expected texts with a character"),
        (["abc"], 20, "occurs 2 times"),
    ],
)
def test_errors(texts, size, message):
    with pytest.raises(TinyBertError, match=message):
        train_wordpiece(texts, size)
