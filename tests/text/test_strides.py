"""Windows of long contexts: their pieces, their places, the answers in them."""

import random

import numpy as np
import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.squad import Answer, read_squad
from tinybert_tf.text.strides import answer_positions, encode_questions
from tinybert_tf.text.wordpiece import WordPiece

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CLS, SEP = 2, 3
NUMBERS = [f"n{number}" for number in range(40)]


@pytest.fixture(scope="module")
def numbers():
    """A tokenizer whose piece `n7` has the id 12."""
    return WordPiece([*SPECIAL_TOKENS, *NUMBERS])


@pytest.fixture(scope="module")
def wordpiece(small_vocabulary):
    return WordPiece([*small_vocabulary, "re", "##sume", "cafe"])


def count_up(count):
    return " ".join(NUMBERS[:count])


def pieces_with_text(encoded, window, context):
    """Returns the text of each context piece."""
    mask = encoded.context_mask[window].astype(bool)
    return [context[start:end] for start, end in encoded.offsets[window][mask]]


# === Windows ===


def test_windows_by_hand(numbers):
    encoded = encode_questions(
        numbers, ["n30 n31", "n32"], [count_up(7), "n5"], max_length=9, stride=2, max_question=5
    )
    assert len(encoded) == 4
    assert encoded.num_questions == 2
    assert encoded.row.tolist() == [0, 0, 0, 1]
    assert [row.tolist() for row in encoded.token_ids] == [
        [CLS, 35, 36, SEP, 5, 6, 7, 8, SEP],
        [CLS, 35, 36, SEP, 7, 8, 9, 10, SEP],
        [CLS, 35, 36, SEP, 9, 10, 11, SEP],
        [CLS, 37, SEP, 10, SEP],
    ]
    assert [row.tolist() for row in encoded.segment_ids] == [
        [0] * 4 + [1] * 5,
        [0] * 4 + [1] * 5,
        [0] * 4 + [1] * 4,
        [0] * 3 + [1] * 2,
    ]
    assert encoded.context_mask[2].tolist() == [0, 0, 0, 0, 1, 1, 1, 0]
    assert encoded.offsets[2].tolist() == [[-1, -1]] * 4 + [[12, 14], [15, 17], [18, 20], [-1, -1]]
    # n2 opens the second window, n3 ends the first; n4 opens the third, n5 ends the second.
    rows = zip(encoded.best_context, encoded.context_mask, strict=True)
    assert [best[mask.astype(bool)].tolist() for best, mask in rows] == [
        [1, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 1, 1],
        [1],
    ]
    fields = ("token_ids", "segment_ids", "offsets", "context_mask", "best_context")
    for rows in (getattr(encoded, name) for name in fields):
        assert {row.dtype for row in rows} == {np.dtype("int32")}
        assert [len(row) for row in rows] == [9, 9, 8, 5]
    assert encoded.row.dtype == "int32"


def test_long_questions_are_cut(numbers):
    encoded = encode_questions(numbers, [count_up(9)], ["n20 n21"], max_length=7, max_question=3)
    assert [row.tolist() for row in encoded.token_ids] == [
        [CLS, 5, 6, 7, SEP, 25, SEP],
        [CLS, 5, 6, 7, SEP, 26, SEP],
    ]


def test_a_stride_beyond_the_window_leaves_no_gap(numbers):
    encoded = encode_questions(
        numbers, ["n1"], [count_up(8)], max_length=8, stride=100, max_question=3
    )
    assert [row[3:-1].tolist() for row in encoded.token_ids] == [[5, 6, 7, 8], [9, 10, 11, 12]]
    assert [row.sum() for row in encoded.best_context] == [4, 4]


def test_contexts_and_questions_without_pieces(numbers):
    encoded = encode_questions(numbers, ["n1", "", "n1"], ["", "n2", " \u200b\n"])
    assert [row.tolist() for row in encoded.token_ids] == [
        [CLS, 6, SEP, SEP],
        [CLS, SEP, 7, SEP],
        [CLS, 6, SEP, SEP],
    ]
    assert [row.sum() for row in encoded.context_mask] == [0, 1, 0]
    assert answer_positions(encoded, [[Answer("n1", 0)]] * 3).tolist() == [[0, 0], [2, 2], [0, 0]]


def test_no_questions(numbers):
    encoded = encode_questions(numbers, [], [])
    assert len(encoded) == encoded.num_questions == 0
    assert answer_positions(encoded, []).shape == (0, 2)


def run_squad_max_context(spans, current, position):
    """`_check_is_max_context` of google-research/bert's run_squad.py."""
    best_score, best_index = None, None
    for index, (start, length) in enumerate(spans):
        end = start + length - 1
        if position < start or position > end:
            continue
        score = min(position - start, end - position) + 0.01 * length
        if best_score is None or score > best_score:
            best_score, best_index = score, index
    return current == best_index


def run_squad_spans(count, room, stride):
    """The loop over `doc_spans` of google-research/bert's run_squad.py."""
    spans, start = [], 0
    while start < count:
        length = min(count - start, room)
        spans.append((start, length))
        if start + length == count:
            break
        start += min(length, stride)
    return spans


@pytest.mark.parametrize(
    ("room", "stride", "count"),
    [
        *((10, stride, count) for stride in (1, 3, 7, 20) for count in (1, 9, 10, 11, 23, 40)),
        # Spans that differ by more than 100 pieces: their length outweighs a piece of context.
        *((300, stride, count) for stride in (100, 150, 200) for count in (400, 410, 555)),
    ],
)
def test_windows_and_best_context_equal_run_squad(numbers, room, stride, count):
    context = " ".join(NUMBERS * (count // 40 + 1)).split()[:count]
    encoded = encode_questions(
        numbers, ["n0"], [" ".join(context)], max_length=room + 4, stride=stride, max_question=5
    )
    spans = run_squad_spans(count, room, stride)
    assert [mask.sum() for mask in encoded.context_mask] == [length for _, length in spans]
    for window, (start, length) in enumerate(spans):
        assert [numbers.vocabulary[token] for token in encoded.token_ids[window][3:-1]] == (
            context[start : start + length]
        )
        expected = [
            run_squad_max_context(spans, window, position)
            for position in range(start, start + length)
        ]
        assert encoded.best_context[window][3:-1].astype(bool).tolist() == expected
    assert sum(best.sum() for best in encoded.best_context) == count


# === Offsets ===


@pytest.mark.parametrize(
    ("context", "pieces"),
    [
        ("The   Playing\r\n\tplayers!", ["The", "Play", "ing", "play", "er", "s", "!"]),
        ("Résumé hello", ["Résumé", "hello"]),
        ("Re\u0301sume\u0301 hello", ["Re\u0301sume\u0301", "hello"]),
        ("Re\u0301sume\u0301", ["Re\u0301sume\u0301"]),
        ("Re\u0301sume\u0301s", ["Re\u0301sume\u0301", "s"]),
        ("cafe\u0301!", ["cafe\u0301", "!"]),
        ("中中国  中 a", ["中", "中", "国", "中", "a"]),
        ("😀 hello 👩\u200d👧 a", ["😀", "hello", "👩\u200d👧", "a"]),
        ("❤\ufe0f a", ["❤\ufe0f", "a"]),
        ("a he\u200bllo \x00\ufffd world", ["a", "he\u200bllo", "world"]),
        ("\ufeffhello\u00a0world\u3000a", ["hello", "world", "a"]),
        ("a [SEP] hello", ["a", "[SEP]", "hello"]),
        ("\ud83d\ude00 hello \ud800 😀a world", ["\ud83d\ude00", "hello", "😀a", "world"]),
        ("İs hello", ["İs", "hello"]),
    ],
)
def test_offsets_by_hand(wordpiece, context, pieces):
    encoded = encode_questions(wordpiece, ["a"], [context])
    assert pieces_with_text(encoded, 0, context) == pieces
    outside = encoded.offsets[0][encoded.context_mask[0] == 0]
    assert (outside == -1).all()


def test_accents_that_are_kept_belong_to_their_own_piece(small_vocabulary):
    wordpiece = WordPiece([*small_vocabulary, "##\u0301"], strip_accents=False)
    context = "hello\u0301 a"
    encoded = encode_questions(wordpiece, ["a"], [context])
    assert pieces_with_text(encoded, 0, context) == ["hello", "\u0301", "a"]


def test_offsets_of_generated_texts(wordpiece):
    generator = random.Random(0)
    words = {
        "hello": "hello",
        "World": "world",
        "straße": "straße",
        "Résumé": "resume",
        "re\u0301sume\u0301": "resume",
        "hel\u200blo": "hello",
        "中": "中",
        "😀": "[UNK]",
        "\ud83d\ude00": "[UNK]",
        "!": "!",
    }
    spaces = [" ", "  ", "\n\n", "\u00a0", "\u3000\t"]
    contexts, expected = [], []
    for _ in range(200):
        chosen = generator.choices(list(words), k=generator.randint(1, 40))
        contexts.append("".join(word + generator.choice(spaces) for word in chosen))
        expected.append(chosen)
    encoded = encode_questions(
        wordpiece, ["a"] * len(contexts), contexts, max_length=24, stride=7, max_question=4
    )
    assert len(encoded) > len(contexts)
    found = [[] for _ in contexts]
    for window, row in enumerate(encoded.row):
        best = encoded.best_context[window].astype(bool)
        spans, ids = encoded.offsets[window][best], encoded.token_ids[window][best]
        for (start, end), token in zip(spans.tolist(), ids, strict=True):
            found[row].append((start, contexts[row][start:end]))
            assert wordpiece.vocabulary[token] == words[found[row][-1][1]]
    assert [[text for _, text in sorted(pieces)] for pieces in found] == expected


def test_more_contexts_than_one_call_takes(wordpiece):
    contexts = ["hello " * (row % 5 + 1) + str(row) for row in range(2100)]
    encoded = encode_questions(wordpiece, ["a"] * 2100, contexts)
    assert [row.sum() for row in encoded.context_mask] == [row % 5 + 2 for row in range(2100)]


def test_windows_and_offsets_equal_transformers(minilm_folder, data_folder):
    transformers = pytest.importorskip("transformers", reason="parity needs transformers")
    theirs = transformers.BertTokenizerFast.from_pretrained(minilm_folder)
    ours = WordPiece.from_folder(minilm_folder)
    data = read_squad(data_folder / "squad_v2_halfdev" / "dev-v1-style-answerable.json.gz")
    for row in range(0, len(data), 100):
        question, context = data.questions[row], data.contexts[row]
        encoded = encode_questions(ours, [question], [context], max_length=80, stride=10)
        room = 80 - len(ours.encode([question], max_length=80).token_ids[0]) - 1
        expected = theirs(
            question,
            context,
            truncation="only_second",
            max_length=80,
            stride=room - 10,  # the overlap
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        assert [ids.tolist() for ids in encoded.token_ids] == expected["input_ids"]
        assert [ids.tolist() for ids in encoded.segment_ids] == expected["token_type_ids"]
        for window, offsets in enumerate(expected["offset_mapping"]):
            held = encoded.context_mask[window].astype(bool)
            places = [context[start:end] for start, end in encoded.offsets[window][held]]
            assert places == [
                context[start:end]
                for (start, end), is_context in zip(offsets, held, strict=True)
                if is_context
            ]


# === Answers ===


def test_answer_positions_by_hand(numbers):
    context = count_up(7)  # n0 n1 ... n6, two characters and a space each
    encoded = encode_questions(
        numbers, ["n9"] * 4, [context] * 4, max_length=8, stride=2, max_question=2
    )
    answers = [
        [Answer("n2 n3", 6), Answer("n0", 0)],
        [],
        [Answer(context, 0)],
        [Answer("3 ", 10)],
    ]
    # Windows n0-n3, n2-n5, n4-n6; the context starts at piece 3.
    assert encoded.row.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert answer_positions(encoded, answers).tolist() == [
        *([5, 6], [3, 4], [0, 0]),
        *([0, 0], [0, 0], [0, 0]),
        *([0, 0], [0, 0], [0, 0]),
        *([6, 6], [4, 4], [0, 0]),
    ]
    assert answer_positions(encoded, answers).dtype == "int32"


@pytest.mark.parametrize(
    ("text", "start", "positions"),
    [
        ("n2 n3", 6, [[5, 6], [3, 4], [0, 0]]),
        ("n1 n2", 3, [[4, 5], [0, 0], [0, 0]]),
        ("n3 n4", 9, [[0, 0], [4, 5], [0, 0]]),
        (" n4 ", 11, [[0, 0], [5, 5], [3, 3]]),
        (" ", 2, [[0, 0], [0, 0], [0, 0]]),
    ],
)
def test_an_answer_is_held_whole_or_not_at_all(numbers, text, start, positions):
    context = count_up(7)
    encoded = encode_questions(numbers, ["n9"], [context], max_length=8, stride=2, max_question=2)
    assert context.startswith(text, start)
    assert answer_positions(encoded, [[Answer(text, start)]]).tolist() == positions


def test_answers_in_pieces(wordpiece):
    context = "The  re\u0301sume\u0301 players中国!"
    encoded = encode_questions(wordpiece, ["a"], [context])
    for text, expected in [
        ("re\u0301sume\u0301", "re\u0301sume\u0301"),
        ("play", "play"),
        ("layers", "players"),
        ("国", "国"),
        ("s中", "s中"),
        ("The  re", "The  re\u0301sume\u0301"),
    ]:
        ((first, last),) = answer_positions(encoded, [[Answer(text, context.index(text))]])
        assert context[encoded.offsets[0][first, 0] : encoded.offsets[0][last, 1]] == expected


def test_public_answers_are_in_their_windows(minilm_folder, data_folder):
    wordpiece = WordPiece.from_folder(minilm_folder)
    data = read_squad(data_folder / "squad_v2_halfdev" / "dev-v1-style-answerable.json.gz")
    encoded = encode_questions(wordpiece, data.questions, data.contexts, max_length=256)
    positions = answer_positions(encoded, data.answers)
    assert max(map(len, encoded.token_ids)) == 256
    held = np.zeros(len(data), bool)
    for window, (first, last) in enumerate(positions):
        if first:
            answer = data.answers[encoded.row[window]][0]
            offsets = encoded.offsets[window]
            assert offsets[first, 0] <= answer.start < offsets[first, 1]
            assert offsets[last, 0] < answer.end <= offsets[last, 1]
            held[encoded.row[window]] = True
    assert held.all()


# === Refusals ===


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"questions": ["a", "a"]}, "2 questions and 1 contexts"),
        ({"questions": "a"}, "`questions` is expected to be a list of strings"),
        ({"contexts": [None]}, "`contexts` is expected to hold strings only.*row 0 is None"),
        ({"stride": 0}, "`stride` to be an integer of at least 1. Received: stride=0"),
        ({"stride": 1.5}, "stride=1.5"),
        ({"max_question": 0}, "`max_question` to be an integer of at least 1"),
        ({"max_length": 67}, "at least 68: .*two .SEP.*Received: max_length=67"),
        ({"max_length": True}, "max_length=True"),
    ],
)
def test_refusals(wordpiece, change, message):
    arguments = {"questions": ["a"], "contexts": ["hello"], **change}
    with pytest.raises(TinyBertError, match=message):
        encode_questions(wordpiece, **arguments)


def test_answers_of_other_questions(wordpiece):
    encoded = encode_questions(wordpiece, ["a", "a"], ["hello", "world"])
    with pytest.raises(TinyBertError, match="Received: 1 lists for 2 questions"):
        answer_positions(encoded, [[Answer("hello", 0)]])
