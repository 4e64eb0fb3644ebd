"""A corpus tokenizes exactly as before; other words keep a reading."""

import random

import pytest

from tinybert_tf.compress import choose_tokens
from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.readers import read_examples
from tinybert_tf.text.vocabulary import SPECIAL_TOKENS
from tinybert_tf.text.wordpiece import WordPiece
from tinybert_tf.text.words import count_words

# Texts with everything that the tokenizer treats apart.
ODD_TEXTS = [
    *("Résumé of the İstanbul straße", "don't-stop, U.S.A.!!", "[SEP] in a text [unused1]"),
    *("中国 и Ελλάδα 한국어 today", "naïve ☃ snow☃man 😀", "x" * 101, "a\x00b\u200bc", ""),
]


def prune(wordpiece: WordPiece, texts, **arguments) -> WordPiece:
    kept = choose_tokens(wordpiece, count_words(wordpiece, texts), **arguments)
    assert kept == sorted(set(kept))
    return WordPiece([wordpiece.vocabulary[index] for index in kept], **wordpiece.get_config())


def differing(before: WordPiece, after: WordPiece, texts) -> list[str]:
    return [text for text in texts if before.tokenize(text) != after.tokenize(text)]


class TestTheCorpusTokenizesAsBefore:
    def test_intents_and_odd_texts(self, minilm, intents):
        texts = intents[0] + ODD_TEXTS
        after = prune(minilm, texts)
        assert not differing(minilm, after, texts)
        assert after.vocabulary_size < minilm.vocabulary_size / 10
        # Without the texts it would be otherwise: they need tokens of their own.
        assert differing(minilm, prune(minilm, ODD_TEXTS), intents[0])

    @pytest.mark.parametrize("seed", range(5))
    def test_any_subset_that_holds_the_pieces(self, minilm, intents, seed):
        """The proof's condition: more tokens of the old vocabulary change nothing."""
        generator = random.Random(seed)
        more = generator.sample(minilm.vocabulary, 5000)
        after = prune(minilm, intents[0], keep=more)
        assert set(more) <= set(after.vocabulary)
        assert not differing(minilm, after, intents[0])

    def test_random_vocabularies(self):
        """Vocabularies of random pieces have dead ends: words that turn out `[UNK]` late."""
        generator = random.Random(0)
        dead_ends = 0
        for _ in range(200):
            pieces = ["".join(generator.choices("abc", k=generator.randint(1, 3))) for _ in "x" * 9]
            vocabulary = [
                *SPECIAL_TOKENS,
                *dict.fromkeys(f"##{p}" if p < "b" else p for p in pieces),
            ]
            before = WordPiece(vocabulary)
            words = ["".join(generator.choices("abc", k=generator.randint(1, 7))) for _ in "x" * 40]
            texts = [" ".join(words[:20])]
            assert not differing(before, prune(before, texts), texts)
            dead_ends += before.tokenize(texts[0]).count("[UNK]")
        assert dead_ends > 100

    def test_a_dead_end_stays_one(self):
        """Without `ab`, the word `abc` would split into `a` and `##bc`."""
        before = WordPiece([*SPECIAL_TOKENS, "ab", "a", "##b", "##bc", "d"])
        assert before.tokenize("abc") == ["[UNK]"]
        assert prune(before, ["abc a"]).tokenize("abc") == ["[UNK]"]
        assert "d" in prune(before, ["abc a"]).vocabulary  # a letter of every keyboard

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "table", ["sst2/train_sentences.tsv", "clinc150/train.tsv", "wnut17", "tatoeba_cmn_eng"]
    )
    def test_public_data(self, minilm, data_folder, table):
        path = data_folder / table
        if path.is_dir():
            names = {"wnut17": "dev.conll", "tatoeba_cmn_eng": "dev.tsv.gz"}
            texts = read_lines(path / names[table])
        else:
            texts = read_examples(path).texts
        after = prune(minilm, texts)
        assert not differing(minilm, after, texts)
        assert after.vocabulary_size < minilm.vocabulary_size / 2


def read_lines(path) -> list[str]:
    """A file's lines as texts, whatever its format: hashtags, Chinese and markup among them."""
    from tinybert_tf.text.files import read_text

    return [line for line in read_text(path).split("\n") if line]


class TestOtherWordsKeepAReading:
    def test_held_out_texts(self, minilm, intents):
        after = prune(minilm, intents[0])
        changed = differing(minilm, after, intents[1])
        assert changed  # else this says nothing
        for text in changed:
            old, new = minilm.tokenize(text), after.tokenize(text)
            assert "[UNK]" not in new
            assert join(new) == join(old)

    def test_random_words_of_known_characters(self, minilm, intents):
        after = prune(minilm, ["ok", "Привет"])
        generator = random.Random(0)
        letters = "abcdefghijklmnopqrstuvwxyzéßœ0123456789_'-.,!?’“”…€приветПРИВЕТ"
        for _ in range(500):
            text = "".join(generator.choices(letters, k=generator.randint(1, 20)))
            new = after.tokenize(text)
            assert "[UNK]" not in new
            assert join(new) == join(minilm.tokenize(text))

    def test_unseen_characters_become_unknown(self, minilm):
        assert prune(minilm, ["ok"]).tokenize("привет") == ["[UNK]"]
        assert prune(minilm, ["ok"], alphabet="all").tokenize("привет") == [
            *("п", "##р", "##и", "##в", "##е", "##т")
        ]

    def test_a_vocabulary_without_continuations_keeps_what_needs_them(self):
        """`##i` is no token: only `playing` or `##ing` can spell the word."""
        letters = [f"{prefix}{letter}" for letter in "playng" for prefix in ("", "##")]
        before = WordPiece([*SPECIAL_TOKENS, *letters, "play", "##ing", "##gs", "plan", "i"])
        after = prune(before, ["plan"])
        assert after.tokenize("playing plan") == [*("p", "##l", "##a", "##y", "##ing"), "plan"]
        assert "##gs" in after.vocabulary  # `##s` is no token
        assert "play" not in after.vocabulary

    def test_continuations_that_cannot_occur_are_dropped(self, minilm):
        vocabulary = set(prune(minilm, ["中国!"]).vocabulary)
        assert {"中", "国", "!", "a", "##a", "7", "##7", "’", "ß", "##ß"} <= vocabulary
        assert not {"##中", "##!", "##’", "[unused1]", "A"} & vocabulary


def join(tokens: list[str]) -> str:
    return "".join(token.removeprefix("##") for token in tokens)


class TestSmaller:
    TEXTS = ["play playing played", "play play", "zebra zebra", "guitar"]

    def test_min_count(self, minilm):
        assert {"playing", "played", "guitar"} <= set(prune(minilm, self.TEXTS).vocabulary)
        after = prune(minilm, self.TEXTS, min_count=2)
        words = {token for token in after.vocabulary if len(token) > 3 and token.isalpha()}
        assert words == {"play", "zebra"}
        assert after.tokenize("playing")[0] == "play"

    def test_max_size_keeps_the_most_frequent(self, minilm):
        least = len(prune(minilm, self.TEXTS, min_count=100).vocabulary)
        after = prune(minilm, self.TEXTS, max_size=least + 2)
        assert after.vocabulary_size == least + 2
        assert {"play", "zebra"} <= set(after.vocabulary)
        assert prune(minilm, self.TEXTS, max_size=9999) == prune(minilm, self.TEXTS)

    def test_fill_takes_words_in_the_order_of_ids(self, minilm):
        before = set(prune(minilm, self.TEXTS).vocabulary)
        after = prune(minilm, self.TEXTS, max_size=len(before) + 50, fill=True)
        added = [token for token in after.vocabulary if token not in before]
        assert len(added) == 50
        assert added[:5] == ["the", "of", "and", "in", "to"]
        everything = prune(minilm, self.TEXTS, max_size=10**6, fill=True)
        assert everything.vocabulary_size < minilm.vocabulary_size
        assert not any("[unused" in token for token in everything.vocabulary)

    def test_keep(self, minilm):
        assert "guitar" not in prune(minilm, ["ok"]).vocabulary
        assert "guitar" in prune(minilm, ["ok"], keep=("guitar",)).vocabulary

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"min_count": 0}, "min_count=0"),
            ({"max_size": 0}, "max_size=0"),
            ({"max_size": 20}, r"at least \d+: special tokens, single characters.*max_size=20"),
            ({"fill": True}, "fill=True, max_size=None"),
            ({"keep": ["qwertz"]}, "'qwertz', which it lacks"),
            ({"alphabet": "latin"}, "alphabet='latin'"),
        ],
    )
    def test_errors(self, tiny_vocabulary, arguments, message):
        with pytest.raises(TinyBertError, match=message):
            prune(WordPiece(tiny_vocabulary), ["a film"], **arguments)
