"""A small teacher's shape, and texts that it learns from."""

import tinybert_tf as tb

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("good", "fine", "bad", "poor", "film", "the", "a", "is", "very", "it", "was"),
]
TEXTS = [
    *("a good film", "the film is very fine", "it was good", "a very very fine film"),
    *("a bad film", "the film is very poor", "it was bad", "a very very poor film"),
] * 6
LABELS = (["positive"] * 4 + ["negative"] * 4) * 6


def new_classifier(vocabulary=VOCABULARY, labels=("negative", "positive"), **sizes):
    shape = {
        "num_layers": 4,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 32,
        "max_sequence_length": 16,
        **sizes,
    }
    return tb.TinyBertTextClassifier(
        tb.TinyBertBackbone(len(vocabulary), **shape),
        labels=list(labels),
        preprocessor=tb.TinyBertTextClassifierPreprocessor(tb.TinyBertTokenizer(vocabulary), 12),
    )


def small_vocabulary_with(texts):
    """A vocabulary with every word of the texts."""
    words = sorted({word for text in texts for word in text.split()})
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
