"""A model and texts to prune, and what pruning means: rows of zeros."""

import numpy as np

TEXTS = [
    *("the film was really good", "a dull plot, poorly acted", "the cast is great"),
    *("awful scene", "fine films were loved", "it was very bad", "a lovely movie", "truly dull!"),
]
LABELS = ["positive", "negative", "positive", "negative"] * 2


def logits(classifier, texts=TEXTS):
    return classifier.predict(texts, verbose=0)


def shake(classifier, seed=0, scale=0.2):
    """Random values for every weight, so that none is copied by accident."""
    generator = np.random.default_rng(seed)
    for weight in classifier.weights:
        weight.assign(weight + generator.normal(0, scale, weight.shape))
    return classifier


def silence(classifier, block, heads=(), neurons=()):
    """Zeroes what heads and neurons of a block send out."""
    layers = classifier.backbone.encoder_blocks[block]
    size = layers.attention.head_dim
    kernel = layers.attention.output_dense.kernel
    values = kernel.numpy()
    for head in heads:
        values[head * size : (head + 1) * size] = 0
    kernel.assign(values)
    kernel = layers.feed_forward.output_dense.kernel
    values = kernel.numpy()
    values[list(neurons)] = 0
    kernel.assign(values)
