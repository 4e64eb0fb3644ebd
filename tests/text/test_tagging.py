"""Tagged sentences: file formats, tag schemes, and errors that name the line."""

import gzip
import json
import random

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.tagging import (
    TaggedSentences,
    check_tags,
    entity_tags,
    read_tagged,
    to_bio,
)

WORDS = [["Ada", "Lovelace", "wrote"], ["London", "!"]]
TAGS = [["B-PER", "I-PER", "O"], ["B-LOC", "O"]]


@pytest.fixture
def write(tmp_path):
    """Writes a file and returns its path."""

    def write_file(name, content):
        path = tmp_path / name
        data = content.encode("utf-8")
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write_file


# === CoNLL ===

CONLL = "Ada\tB-PER\nLovelace\tI-PER\nwrote\tO\n\nLondon\tB-LOC\n!\tO\n"


@pytest.mark.parametrize(
    "name, content, lines",
    [
        ("a.conll", CONLL, [1, 5]),
        ("a.CONLL", CONLL.rstrip("\n"), [1, 5]),
        ("a.txt.gz", CONLL, [1, 5]),
        ("a.bio", CONLL.replace("\t", " "), [1, 5]),
        ("a.iob2", CONLL.replace("\t", "   "), [1, 5]),
        ("a.conll", CONLL.replace("\t", " \t "), [1, 5]),
        ("no_extension", CONLL.replace("\n", "\r\n"), [1, 5]),
        ("a.iob", "\ufeff\n\n \n" + CONLL.replace("\n\n", "\n\t\n\n \n") + "\n\n", [4, 10]),
        ("a.conll", CONLL.replace("\t", "\tNN\tB-NP\t"), [1, 5]),
        ("a.conll", CONLL.replace("\t", " NN B-NP ").replace("\n", " \n"), [1, 5]),
        ("a.conll", "-DOCSTART- -X- O O\n\n" + CONLL, [3, 7]),
        ("a.conll", CONLL.replace("\n\n", "\n-DOCSTART- O\n"), [1, 5]),
        ("a.conll", "# text = a # O\n# newdoc\n" + CONLL, [3, 7]),
    ],
)
def test_conll(write, name, content, lines):
    path = write(name, content)
    sentences = read_tagged(path)
    assert sentences.words == WORDS
    assert sentences.tags == TAGS
    assert sentences.lines == lines
    assert len(sentences) == 2
    assert sentences.place(1) == f"{path}:{lines[1]}"


def test_hash_signs_are_words_too(write):
    path = write("a.conll", "# O\n#tag B-X\n\n#\tO\na\tO\n# O\n\n# a comment\nb O\n")
    sentences = read_tagged(path)
    assert sentences.words == [["#", "#tag"], ["#", "a", "#"], ["b"]]
    assert sentences.tags == [["O", "B-X"], ["O", "O", "O"], ["O"]]


def test_words_with_odd_characters(write):
    words = ["a\u2028b", "\u00a0", "\u3000x", "New York", "\u0085", "'\"'"]
    path = write("a.conll", "".join(f"{word}\tO\n" for word in words))
    assert read_tagged(path).words == [words]


def test_numbers_choose_columns(write):
    path = write("a.conll", "1\tAda\tB-PER\t-\n2\twrote\tO\t-\n")
    sentences = read_tagged(path, words="2", tags="3")
    assert (sentences.words, sentences.tags) == ([["Ada", "wrote"]], [["B-PER", "O"]])
    for value in ("tokens", "0", "-1", "1.0"):
        with pytest.raises(TinyBertError, match="number of a column, from 1"):
            read_tagged(path, words=value)


def test_files_without_tags(write):
    path = write("a.txt", "Ada\nwrote\n\n# text = !\n!\n")
    sentences = read_tagged(path, require_tags=False)
    assert (sentences.words, sentences.tags) == ([["Ada", "wrote"], ["!"]], None)
    with pytest.raises(TinyBertError, match=r"a\.txt:1: 'Ada'"):
        read_tagged(path)
    assert read_tagged(write("b.txt", CONLL), require_tags=False).tags == TAGS


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "at least one sentence"),
        ("\n \n# text = a\n\n-DOCSTART- O\n", "at least one sentence"),
        ("a\tO\nb\n", r"a\.conll:2: 'b'"),
        ("a O\n\nb\n", r"a\.conll:3: 'b'"),
        ("a\tO\n\tO\n", r"a\.conll:2: ' O'"),
        ("a\tO\nb\t\tO\nc\t\t\n", r"a\.conll:3: 'c'"),
        ("a\tO\n\n# a\nb\tO\nc\tPER\n", r"a\.conll:5: the tag of 'c' is 'PER'"),
        ("a\tO\n# a comment\n", r"a\.conll:2: the tag of '#' is 'comment'"),
        ("# a\tPER\n", r"a\.conll:1: the tag of '# a' is 'PER'"),
        ("a\tB-\n", "'B-'"),
        ("a\tb-PER\n", r"O, B-X or I-X \(IOB1, IOB2\).*IOBES.*BILOU.*'b-PER'"),
        ("a\tPER-B\n", "'PER-B'"),
        ("a\tB\n", "is 'B'"),
    ],
)
def test_conll_errors(write, content, message):
    path = write("a.conll", content)
    with pytest.raises(TinyBertError, match=message):
        read_tagged(path)


def test_unreadable_files(tmp_path):
    with pytest.raises(TinyBertError, match="existing file"):
        read_tagged(tmp_path / "absent.conll")
    with pytest.raises(TinyBertError, match="path=3"):
        read_tagged(3)
    (tmp_path / "latin.conll").write_bytes(b"a\tO\ncaf\xe9\tO\n")
    with pytest.raises(TinyBertError, match=r"latin\.conll:2: byte 4"):
        read_tagged(tmp_path / "latin.conll")


# === Tables ===


def json_lines(words, tags):
    rows = (json.dumps({"tokens": w, "tags": t}) for w, t in zip(words, tags, strict=True))
    return "\n".join(rows)


@pytest.mark.parametrize(
    "name, content",
    [
        (
            "a.tsv",
            "id\ttokens\ttags\n1\tAda Lovelace wrote\tB-PER I-PER O\n2\tLondon !\tB-LOC O",
        ),
        ("a.csv.gz", 'Text,Slots\n"Ada  Lovelace wrote ",B-PER I-PER  O\nLondon !,B-LOC O\n'),
        (
            "a.tsv",
            'words\tslots\n["Ada", "Lovelace", "wrote"]\tB-PER I-PER O\nLondon !\tB-LOC O',
        ),
        (
            "a.csv",
            'tokens,ner_tags\nAda Lovelace wrote,"[""B-PER"", ""I-PER"", ""O""]"\nLondon !,B-LOC O',
        ),
        ("a.jsonl", json_lines(WORDS, TAGS)),
        ("a.jsonl.gz", json_lines(map(" ".join, WORDS), map(json.dumps, TAGS))),
        ("a.jsonl", json_lines(WORDS, TAGS).replace('"tokens"', '"text": 3, "tokens"')),
    ],
)
def test_tables(write, name, content):
    sentences = read_tagged(write(name, content))
    assert sentences.words == WORDS
    assert sentences.tags == TAGS


def test_lists_keep_their_words(write):
    words = ["New York", "[", "", "\u00a0"]
    path = write("a.jsonl", json_lines([words], [["B-LOC", "O", "O", "O"]]))
    assert read_tagged(path).words == [words]
    path = write("a.tsv", "tokens\ttags\n[ 1 ] x\u00a0y\tO O O O\n[1]\tO\n")
    assert read_tagged(path).words == [["[", "1", "]", "x\u00a0y"], ["[1]"]]


def test_named_columns(write):
    path = write("a.csv", "tokens,tags,heard,slot\na,O,b c,B-X O\n")
    sentences = read_tagged(path, words="heard", tags="slot")
    assert (sentences.words, sentences.tags) == ([["b", "c"]], [["B-X", "O"]])
    with pytest.raises(TinyBertError, match="tags column 'slots'.*'tokens', 'tags', 'heard'"):
        read_tagged(path, tags="slots")


def test_tables_without_tags(write):
    path = write("a.csv", "text,label\nAda wrote,1\n")
    sentences = read_tagged(path, require_tags=False)
    assert (sentences.words, sentences.tags) == ([["Ada", "wrote"]], None)
    with pytest.raises(TinyBertError, match="tags column is expected.*'text', 'label'$"):
        read_tagged(path)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.tsv", "", "is empty"),
        ("a.tsv", "tokens\ttags\n", "has none"),
        ("a.tsv", "tokens\ttags\na\tO\n\na b c\tO O\n", r"a\.tsv:4 has 3 words and 2 tags"),
        ("a.tsv", "tokens\ttags\na b\tO X\n", r"a\.tsv:2: tag 2 is 'X'"),
        ("a.tsv", "tokens\ttags\n \tO\n", r"'tokens'.*a\.tsv:2: \[\]"),
        ("a.jsonl", '{"tokens": ["a"], "tags": [0]}', r"'tags'.*a\.jsonl:1: \[0\]"),
        ("a.jsonl", '{"tokens": ["a"]}', "tags column is expected"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a"]}', r"a\.jsonl:2: None"),
        ("a.tsv", "Ada\tB-PER\nwrote\tO\n", r"a\.tsv with.*let its name end in \.conll"),
    ],
)
def test_table_errors(write, name, content, message):
    path = write(name, content)
    with pytest.raises(TinyBertError, match=message):
        read_tagged(path)


def test_hub_names(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="hf: names need datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    names = datasets.ClassLabel(names=["O", "B-PER", "I-PER", "B-LOC"])
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(names),
        }
    )
    numbers = [[names.str2int(tag) for tag in tags] for tags in TAGS]
    table = datasets.Dataset.from_dict({"tokens": WORDS, "ner_tags": numbers}, features=features)
    folder = tmp_path / "names"
    folder.mkdir()
    table.to_parquet(folder / "train-00000-of-00001.parquet")
    sentences = read_tagged(f"hf:{folder}")
    assert (sentences.words, sentences.tags) == (WORDS, TAGS)
    assert sentences.place(1) == f"hf:{folder}:1"


# === Tags ===


@pytest.mark.parametrize(
    "tags, bio",
    [
        ("", ""),
        ("O B-a I-a I-a O B-a B-a", "O B-a I-a I-a O B-a B-a"),  # IOB2
        ("I-a I-a O I-b B-b I-b I-a", "B-a I-a O B-b B-b I-b B-a"),  # IOB1
        ("B-a I-a E-a S-a S-b B-b E-b O", "B-a I-a I-a B-a B-b B-b I-b O"),  # IOBES
        ("B-a I-a L-a U-a U-b B-b L-b O", "B-a I-a I-a B-a B-b B-b I-b O"),  # BILOU
        (
            "E-a E-a I-a S-a I-a O L-b I-b L-b",
            "B-a B-a B-a B-a B-a O B-b B-b I-b",
        ),  # ends come first
        ("B-a I-b I-b E-a", "B-a B-b I-b B-a"),  # types change
        (
            "B-creative-work I-creative-work I-creative",
            "B-creative-work I-creative-work B-creative",
        ),
    ],
)
def test_to_bio(tags, bio):
    assert to_bio(tags.split()) == bio.split()


def test_to_bio_restores_every_scheme():
    generator = random.Random(0)
    for _ in range(200):
        bio, iobes, bilou, iob1 = [], [], [], []
        last = None  # the type of an entity that ends right here
        for _ in range(generator.randint(0, 8)):
            kind, size = generator.choice([None, "a", "b"]), generator.randint(1, 3)
            if kind is None:
                for tags in (bio, iobes, bilou, iob1):
                    tags.append("O")
            else:
                inner = [f"I-{kind}"] * (size - 1)
                bio += [f"B-{kind}", *inner]
                iob1 += [f"{'B' if last == kind else 'I'}-{kind}", *inner]
                for tags, end, single in ((iobes, "E", "S"), (bilou, "L", "U")):
                    several = [f"B-{kind}", *inner[:-1], f"{end}-{kind}"]
                    tags += several if size > 1 else [f"{single}-{kind}"]
            last = kind
        assert to_bio(bio) == to_bio(iob1) == to_bio(iobes) == to_bio(bilou) == bio


def test_files_are_converted(write):
    assert read_tagged(write("a.conll", "a I-X\nb I-X\nc B-X\n")).tags == [["B-X", "I-X", "B-X"]]
    assert read_tagged(write("a.tsv", "tokens\ttags\na b\tS-X U-X\n")).tags == [["B-X", "B-X"]]


def test_malformed_tags_are_named():
    with pytest.raises(TinyBertError, match=r"tags\[1\] is 'M-a'"):
        to_bio(["O", "M-a"])
    with pytest.raises(TinyBertError, match=r"row\[0\] is 3"):
        to_bio([3], "row")


def test_entity_tags():
    assert entity_tags([["O", "I-b"], [], ["B-a-c", "B-a"]]) == (
        ["O", "B-a", "I-a", "B-a-c", "I-a-c", "B-b", "I-b"]
    )
    assert entity_tags([["O"]]) == ["O"]


def test_check_tags():
    train = TaggedSentences(WORDS, TAGS, "train.conll", [1, 5])
    known = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert check_tags(train) == check_tags(TAGS) == known
    # I-LOC does not occur in the training data, but its type does.
    assert check_tags(train, [["B-LOC", "I-LOC"]]) == known
    assert check_tags(train, TaggedSentences(WORDS, None)) == known
    dev = TaggedSentences([["a"], ["b", "c"]], [["O"], ["B-ORG", "I-MISC"]], "dev.conll", [1, 3])
    message = r"'LOC', 'PER'\. Received: 'ORG' at dev\.conll:3, 'MISC' at dev\.conll:3$"
    with pytest.raises(TinyBertError, match=message):
        check_tags(train, dev)
    with pytest.raises(TinyBertError, match="'ORG' at row 1"):
        check_tags(TAGS, [["O"], ["B-ORG"]])
    many = [[f"B-{number:02}" for number in range(12)]]
    with pytest.raises(TinyBertError, match="'09' at row 0 and 2 more$"):
        check_tags(TAGS, many)


def test_check_tags_needs_entities():
    for train in ([], [["O"]], TaggedSentences(WORDS), TaggedSentences(WORDS, [["O"]])):
        with pytest.raises(TinyBertError, match="at least one entity"):
            check_tags(train)
    with pytest.raises(TinyBertError, match=r"train\.txt without any"):
        check_tags(TaggedSentences(WORDS, None, "train.txt"))
    with pytest.raises(TinyBertError, match=r"tags\[1\]\[0\] is 'X'"):
        check_tags([["O"], ["X"]])


# === Real files ===


@pytest.mark.parametrize(
    "name, sentences, words, entities, types",
    [
        ("wnut17/train.conll", 3394, 62730, 1975, 6),
        ("wnut17/dev.conll", 1009, 15733, 836, 6),
        ("btc/train.conll.gz", 6338, 99933, 8779, 3),
        ("btc/dev.conll", 1001, 15027, 1730, 3),
        ("snips_nlu/train.tsv.gz", 13084, 117700, None, 39),
        ("snips_nlu/valid.tsv", 700, 6384, None, 39),
    ],
)
def test_public_data(data_folder, name, sentences, words, entities, types):
    data = read_tagged(data_folder / name)
    assert (len(data), sum(map(len, data.words))) == (sentences, words)
    assert list(map(len, data.tags)) == list(map(len, data.words))
    assert len(check_tags(data)) == 1 + 2 * types
    starts = sum(tag.startswith("B-") for tags in data.tags for tag in tags)
    assert entities is None or starts == entities


def test_public_train_and_dev_fit(data_folder):
    wnut = [read_tagged(data_folder / "wnut17" / f"{name}.conll") for name in ("train", "dev")]
    assert check_tags(*wnut) == entity_tags(wnut[1].tags)
    with pytest.raises(TinyBertError, match=r"'ORG' at .*dev\.conll:1, 'PER'"):
        check_tags(wnut[0], read_tagged(data_folder / "btc" / "dev.conll"))


def test_comments_with_tabs(write):
    path = write("a.conll", "# id 7f2c\tdomain=en\nAda\tB-PER\n\n# id 8\tdomain=en\nx\tO\n")
    assert read_tagged(path).words == [["Ada"], ["x"]]
