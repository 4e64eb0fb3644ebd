"""A small corpus, and tiny models that read it."""

import keras
import pytest

import tinybert_tf as tb
from tinybert_tf.pretraining import prepare_corpus

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("a", "b", "c", "d", "e", "f", "g", "h", ".", "!", "##x", "##y"),
]
DOCUMENTS = [
    "a b c. A d e.\nF g h!",
    "b a d. C e f. G h a. B c d.",
    "e f g h a b c d e f g h.",
    "h g f. E d c. B a h. G f e. D c b.",
] * 6


@pytest.fixture(scope="session")
def wordpiece():
    return tb.WordPiece(VOCABULARY)


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "texts.txt"
    path.write_text("\n\n".join(DOCUMENTS) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def corpus(text_file, wordpiece, tmp_path_factory):
    """Read only."""
    out = tmp_path_factory.mktemp("corpus") / "shards"
    return prepare_corpus(text_file, out, wordpiece, max_length=16, shard_size=10)


@pytest.fixture
def new_backbone():
    def build(num_layers=1, hidden_dim=16, dropout=0.1, seed=0):
        keras.utils.set_random_seed(seed)
        return tb.TinyBertBackbone(
            len(VOCABULARY),
            num_layers,
            2,
            hidden_dim,
            32,
            dropout=dropout,
            attention_dropout=dropout,
            max_sequence_length=16,
        )

    return build


@pytest.fixture
def new_masked_lm(new_backbone):
    def build(next_sentence=True, **shape):
        return tb.TinyBertMaskedLM(
            new_backbone(**shape),
            preprocessor=tb.TinyBertTextClassifierPreprocessor(
                tb.TinyBertTokenizer(VOCABULARY), 16
            ),
            next_sentence=next_sentence,
        )

    return build
