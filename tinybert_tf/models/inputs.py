"""What a task accepts: kinds of input, and preprocessors that fit."""

import numpy as np

from tinybert_tf.errors import TinyBertError


def is_text(x) -> bool:
    """Whether `x` is a list (or array) of strings, or a tuple of two of them."""
    if isinstance(x, tuple):
        return len(x) == 2 and all(is_text(part) for part in x)
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "UO" and x.ndim == 1
    return isinstance(x, list) and (not x or not isinstance(x[0], (list, dict, float, int)))


def check_preprocessor(backbone, preprocessor) -> None:
    """Checks that tokenizer and sequence length fit the encoder's tables.

    Raises:
        TinyBertError: If either is larger than its table.
    """
    wordpiece = preprocessor.tokenizer.wordpiece  # None while a saved model is being loaded
    size = 0 if wordpiece is None else wordpiece.vocabulary_size
    if size > backbone.vocabulary_size:
        raise TinyBertError(
            f"Expected a tokenizer of at most {backbone.vocabulary_size} tokens, the rows of the "
            f"word table. Received: vocabulary_size={size}"
        )
    if preprocessor.sequence_length > backbone.max_sequence_length:
        raise TinyBertError(
            f"Expected a sequence length of at most {backbone.max_sequence_length}, the rows of "
            f"the position table. Received: sequence_length={preprocessor.sequence_length}"
        )
