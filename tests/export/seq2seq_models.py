"""A tiny sequence-to-sequence model, and its logits from Keras and from a file."""

import numpy as np

import tinybert_tf as tb
from tinybert_tf.export import seq2seq_to_tflite
from tinybert_tf.models.seq2seq import TinyBertSeq2Seq
from tinybert_tf.models.seq2seq_preprocessor import TinyBertSeq2SeqPreprocessor
from tinybert_tf.text.wordpiece import WordPiece

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["one", "two", "three", "four", "five"]
SOURCE = WordPiece([*SPECIALS, *WORDS])
# More than the source's tokens, in another order.
TARGET = WordPiece([*SPECIALS, "六", "五", "四", "三", "二", "一"])
SOURCES = ["one two", "three four five", "five", "two two one", "four one three two", "five four"]
CHINESE = dict(zip(WORDS, "一二三四五", strict=True))
TARGETS = ["".join(CHINESE[word] for word in reversed(text.split())) for text in SOURCES]
SEQUENCE_LENGTH, TARGET_LENGTH = 8, 6


def make(target=TARGET, backbone=None, **arguments):
    """A model of width 16 with seeded random weights, large enough to show in the logits."""
    shape = {"max_sequence_length": 12, "dropout": 0.0, "attention_dropout": 0.0}
    backbone = tb.TinyBertBackbone(
        SOURCE.vocabulary_size, 1, 2, 16, 32, **{**shape, **(backbone or {})}
    )
    preprocessor = TinyBertSeq2SeqPreprocessor.from_wordpieces(
        SOURCE, target, sequence_length=SEQUENCE_LENGTH, target_length=TARGET_LENGTH
    )
    model = TinyBertSeq2Seq(backbone, preprocessor, **{"max_target_length": 10, **arguments})
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        scale = 0.4 if len(variable.shape) == 2 else 0.1
        noise = generator.normal(size=variable.shape) * scale
        variable.assign(noise + variable.path.endswith("gamma"))
    return model


def keras_logits(model, texts, targets):
    """Teacher-forced logits, a list of arrays `(target length, vocabulary_size)`, and the ids."""
    batches = model.batches(texts, targets, shuffle=False, batch_size=len(texts))
    features, _ = batches.batch(0, 0)
    logits = np.array(model(features, training=False))
    lengths = features["decoder_padding_mask"].sum(axis=1)
    order = np.argsort(batches.rows(0, 0))  # batches are sorted by length
    ids = features["decoder_token_ids"]
    return [logits[row, : lengths[row]] for row in order], [ids[r, : lengths[r]] for r in order]


def file_logits(file, texts, target_ids):
    """The same by single steps of the file."""
    found = []
    encoded = file.tokenizer.encode(texts, max_length=file.sequence_length)
    for source_ids, ids in zip(encoded.token_ids, target_ids, strict=True):
        source, caches, rows = file.encode(source_ids), file.empty_caches(), []
        for position, token in enumerate(ids):
            logits, caches = file.step(token, position, source, caches)
            rows.append(logits)
        found.append(np.array(rows))
    return found


def largest_difference(found, expected):
    return max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))


def export_both(model, folder):
    """Target to the result of an export for it."""
    return {
        target: seq2seq_to_tflite(model, folder / f"{target}.tflite", target=target)
        for target in ("float32", "universal")
    }
