"""The initialization that BERT uses for every matrix."""

import keras


def bert_initializer(seed: int | None = None) -> keras.initializers.Initializer:
    """A normal distribution N(0, 0.02) cut at two standard deviations (Devlin et al. 2019)."""
    return keras.initializers.TruncatedNormal(stddev=0.02, seed=seed)
