"""The embedded intent data: reproducible, clean, and a test that training does not give away."""

import collections
import csv
import hashlib
import json
import random
import subprocess
import sys

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.intents import load_intents, write_intents
from tinybert_tf.text.intents.data import distinct_sentences, read_test
from tinybert_tf.text.intents.grammar import Grammar, parse
from tinybert_tf.text.intents.noise import MIN_TYPO_WORD, add_typo, normalize

# Changes whenever the grammar, the noise or the test do: published results are then out of date.
SEED_0_DIGEST = "c19c66d4f236243b5b521ddb1af97d6183018d4087f3cda93e19692eb525d049"


@pytest.fixture(scope="module")
def grammar():
    return Grammar()


@pytest.fixture(scope="module")
def data():
    return load_intents()


def digest(data):
    rows = [data.train, data.dev, data.test, data.labels]
    return hashlib.sha256(json.dumps(rows).encode("ascii")).hexdigest()


class TestSplits:
    def test_same_seed_same_data(self, data):
        assert load_intents(0) == data
        assert digest(data) == SEED_0_DIGEST

    def test_other_seed_other_training(self, data):
        other = load_intents(seed=1)
        shared = set(other.train[0]) & set(data.train[0])
        assert len(shared) < len(data.train[0]) / 2
        assert other.test == data.test

    def test_hash_randomization_changes_nothing(self, tmp_path, data):
        for hash_seed in ("1", "2"):
            subprocess.run(
                [sys.executable, "-m", "tinybert_tf.text.intents", tmp_path / hash_seed],
                env={"PYTHONHASHSEED": hash_seed},
                check=True,
                capture_output=True,
            )
        for name in ("train.csv", "dev.csv", "test.csv"):
            assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()

    def test_sizes(self, data):
        assert 20 <= len(data.labels) <= 22
        assert data.labels == sorted(data.labels)
        train, dev, test = (
            collections.Counter(labels) for _, labels in (data.train, data.dev, data.test)
        )
        assert set(train) == set(dev) == set(test) == set(data.labels)
        assert set(train.values()) == {200}
        assert set(dev.values()) == {40}
        assert min(test.values()) >= 15
        assert test.total() >= 320

    def test_per_intent(self):
        data = load_intents(per_intent=3)
        assert set(collections.Counter(data.train[1]).values()) == {3}
        assert set(collections.Counter(data.dev[1]).values()) == {1}

    @pytest.mark.parametrize("per_intent", [0, -5])
    def test_per_intent_not_positive(self, per_intent):
        with pytest.raises(TinyBertError, match=f"at least 1. Received: per_intent={per_intent}"):
            load_intents(per_intent=per_intent)

    def test_grammar_exhausted(self, tmp_path):
        (tmp_path / "templates").mkdir()
        (tmp_path / "templates" / "tiny.txt").write_text("hello:\n  good (morning|evening) {who}\n")
        (tmp_path / "slots.txt").write_text("who:\n  world | moon\n")
        (tmp_path / "phrases.txt").write_text("")
        tiny = Grammar(tmp_path)
        texts = distinct_sentences(tiny, "hello", 4, random.Random(0), set())
        assert len({tuple(text.lower().split()) for text in texts}) == 4
        with pytest.raises(TinyBertError, match="'hello'.*Received: 1000"):
            distinct_sentences(tiny, "hello", 1000, random.Random(0), set())

    def test_no_sentence_twice(self, data):
        texts = [*data.train[0], *data.dev[0], *data.test[0]]
        keys = [normalize(text) for text in texts]
        assert [key for key, count in collections.Counter(keys).items() if count > 1] == []

    def test_printable_ascii(self, data):
        for text in [*data.train[0], *data.dev[0], *data.test[0]]:
            assert text.isascii() and text.isprintable()
            assert text == " ".join(text.split())
            assert not any(mark in text for mark in "{}<>[]()|")


class TestHandWrittenTest:
    def test_no_template_shared_with_training(self, grammar):
        texts, labels = read_test()
        shared = [
            (text, template.source)
            for text, label in zip(texts, labels, strict=True)
            for template in grammar.matches(text, label) + grammar.matches(text)
        ]
        assert shared == []

    def test_no_near_copy_in_training(self, data):
        train = [set(normalize(text).split()) for text in data.train[0]]
        for text in data.test[0]:
            words = set(normalize(text).split())
            overlap = max(len(words & other) / len(words | other) for other in train)
            assert overlap < 0.8, text


class TestTemplates:
    def test_many_templates_per_intent(self, grammar):
        for intent, templates in grammar.templates.items():
            sources = [template.source for template in templates]
            assert len(set(sources)) == len(sources) >= 15, intent

    def test_sentences_match_their_template(self, grammar):
        """The matcher behind the test above finds what it should find."""
        rng = random.Random(0)
        for intent in grammar.labels:
            for template in grammar.templates[intent]:
                text = grammar.sample(template, rng)
                assert template in grammar.matches(text), (template.source, text)
                assert template in grammar.matches(text, intent), (template.source, text)

    @pytest.mark.parametrize(
        "text",
        [
            "set an alarm for 7:30 am tomorrow",
            "Um, could you please set an alarm for 7:30 AM tomorrow?",
            "hey SET an alarm for eleven seventeen tomorrow thanks",
        ],
    )
    def test_matcher_sees_through_noise_and_new_values(self, grammar, text):
        sources = [template.source for template in grammar.matches(text, "set_alarm")]
        assert any(source.startswith("(set|make|create|add") for source in sources)

    def test_matcher_needs_the_literal_words(self, grammar):
        assert grammar.matches("the alarm of my neighbor woke the whole street", "set_alarm") == []

    @pytest.mark.parametrize("source", ["(a|b", "a]", "[a)", "{a", "a|b)", "<a"])
    def test_malformed_template(self, source):
        with pytest.raises(ValueError, match="Received: "):
            parse(source)


class TestNoise:
    def test_typo_rate(self, data, grammar):
        """Words no clean sentence has: typos, and little else."""
        rng = random.Random(0)
        clean = {
            word
            for intent in grammar.labels
            for template in grammar.templates[intent]
            for _ in range(100)
            for word in normalize(grammar.sample(template, rng)).split()
        }
        misspelled = [
            text
            for text in data.train[0]
            if any(len(w) >= MIN_TYPO_WORD - 1 and w not in clean for w in normalize(text).split())
        ]
        assert 0.08 < len(misspelled) / len(data.train[0]) < 0.2

    def test_styles(self, data):
        texts = data.train[0]
        share = {
            "lower case": sum(text == text.lower() for text in texts),
            "final mark": sum(text[-1] in ".?!" for text in texts),
            "apostrophe": sum("'" in text for text in texts),
            "no apostrophe": sum(" dont " in f" {text.lower()} " for text in texts),
            "filler": sum(text.lower().split()[0] in ("um", "uh", "hey", "so") for text in texts),
        }
        share = {name: count / len(texts) for name, count in share.items()}
        assert 0.5 < share["lower case"] < 0.8
        assert 0.1 < share["final mark"] < 0.3
        assert share["apostrophe"] > 0.05
        assert share["no apostrophe"] > 0.003
        assert 0.03 < share["filler"] < 0.15

    def test_typo_changes_one_place(self):
        rng = random.Random(0)
        seen = set()
        for _ in range(200):
            text = add_typo("to Paris", rng)
            assert text != "to Paris"
            assert text.startswith("to P")
            assert abs(len(text) - len("to Paris")) <= 1
            seen.add(len(text))
        assert seen == {7, 8, 9}

    def test_short_words_stay(self):
        assert add_typo("is it on", random.Random(0)) == "is it on"


class TestCommand:
    def test_writes_csv(self, tmp_path, data):
        out = tmp_path / "made" / "intents"
        paths = write_intents(out, data)
        assert sorted(path.name for path in out.iterdir()) == ["dev.csv", "test.csv", "train.csv"]
        for path, split in zip(paths, (data.train, data.dev, data.test), strict=True):
            with open(path, encoding="utf-8", newline="") as stream:
                header, *rows = csv.reader(stream)
            assert header == ["text", "label"]
            assert ([text for text, _ in rows], [label for _, label in rows]) == split

    def test_unwritable_folder(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        result = subprocess.run(
            [sys.executable, "-m", "tinybert_tf.text.intents", tmp_path / "file"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 2
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.stderr
