"""What each token of a text looks at, in every block and head."""

from dataclasses import dataclass

import numpy as np

from tinybert_tf.errors import TinyBertError

# As in `tinybert_tf.layers.self_attention`, which would load TensorFlow.
MASKED_SCORE = -1e9


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Attention probabilities of one text.

    Args:
        tokens: list of strings. Word pieces, [CLS] and [SEP] included.
        probabilities: float32 array `(layers, heads, length, length)`. Row i says how much token i
            takes from each token; every row sums to 1.
    """

    tokens: list[str]
    probabilities: np.ndarray

    def of_classification_token(self, layer: int = -1) -> np.ndarray:
        """How much [CLS] takes from each token in a block, the mean of its heads, `(length,)`."""
        return self.probabilities[layer, :, 0].mean(axis=0)


def attention_maps(model, text: str, pair: str | None = None) -> AttentionMaps:
    """Runs a model on a text and returns where each token looks.

    Args:
        model: a task model of tinybert_tf with an encoder and a preprocessor.
        text: string. Cut to the model's longest input.
        pair: string. The second text of a pair. Defaults to `None`.

    Raises:
        TinyBertError: If the model has no encoder whose attention scores it hands out, such as an
            exported file or a sequence-to-sequence model.

    Example:
    ```python
    maps = attention_maps(classifier, "what a film!")
    maps.tokens  # ["[CLS]", "what", "a", "film", "!", "[SEP]"]
    maps.probabilities.shape  # (4, 12, 6, 6): layers, heads, length, length
    ```
    """
    backbone = getattr(model, "backbone", None)
    if not isinstance(getattr(backbone, "intermediates", None), dict) or model.kind == "seq2seq":
        raise TinyBertError(
            "Expected a Keras model with an encoder, which hands out its attention scores. "
            f"Received: {type(model).__name__}"
        )
    import keras

    parts = ([text],) if pair is None else ([text], [pair])
    encoded = model.wordpiece.encode(*parts, max_length=model.sequence_length)
    ids, segments = encoded.token_ids[0], encoded.segment_ids[0]
    features = {
        "token_ids": ids[None],
        "segment_ids": segments[None],
        "padding_mask": np.ones((1, len(ids)), "int32"),
    }
    view = keras.Model(backbone.input, backbone.intermediates["attention_scores"])
    scores = [
        keras.ops.convert_to_numpy(keras.ops.cast(block, "float32"))
        for block in view(features, training=False)
    ]
    vocabulary = model.wordpiece.vocabulary
    return AttentionMaps(
        [vocabulary[token_id] for token_id in ids],
        np.stack([attention_probabilities(block, features["padding_mask"])[0] for block in scores]),
    )


def attention_probabilities(scores: np.ndarray, padding_mask: np.ndarray) -> np.ndarray:
    """The softmax over the real tokens that the attention layer applies to its raw scores.

    Vaswani et al. 2017, equation (1); masked as `MultiHeadSelfAttention` does.

    Args:
        scores: float array `(batch, heads, length, length)`.
        padding_mask: int array `(batch, length)`, 1 for real tokens.

    Returns:
        Float32 array of the shape of `scores`.
    """
    masked = scores + (1.0 - padding_mask[:, None, None, :]) * MASKED_SCORE
    powers = np.exp(masked - masked.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype("float32")
