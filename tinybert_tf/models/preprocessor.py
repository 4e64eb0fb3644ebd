"""Raw strings to the three input tensors of the encoder."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.tokenizer import TinyBertTokenizer, to_strings

FEATURES = ("token_ids", "segment_ids", "padding_mask")


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertTextClassifierPreprocessor(keras_hub.models.Preprocessor):
    """Tokenizes texts, or pairs of texts, and pads them to `sequence_length`.

    Called on strings (eagerly or inside `tf.data`) it pads to the full length. The task's own
    `fit` and `predict` take the quicker road of length buckets for lists of strings.

    Args:
        tokenizer: `TinyBertTokenizer`.
        sequence_length: int. Longest input in tokens, [CLS] and [SEP] included. Defaults to
            `128`.
    """

    backbone_cls = TinyBertBackbone
    tokenizer_cls = TinyBertTokenizer

    def __init__(self, tokenizer: TinyBertTokenizer, sequence_length: int = 128, **kwargs):
        kwargs.setdefault("name", "preprocessor")
        super().__init__(**kwargs)
        if sequence_length < 3:
            raise TinyBertError(
                "Expected a sequence length of at least 3: [CLS], a token and [SEP]. "
                f"Received: sequence_length={sequence_length}"
            )
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length

    def build(self, input_shape=None):
        self.built = True

    def copy(self, tokenizer: TinyBertTokenizer | None = None):
        """Another one with the same settings.

        Args:
            tokenizer: `TinyBertTokenizer` in place of its own. Defaults to `None`: they share it.
        """
        return type(self)(tokenizer or self.tokenizer, **self._arguments())

    def _arguments(self) -> dict:
        return {"sequence_length": self.sequence_length}

    def _encode(self, *texts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        texts = [to_strings(part) for part in texts]
        encoded = self.tokenizer.wordpiece.encode(*texts, max_length=self.sequence_length)
        shape = (len(encoded.token_ids), self.sequence_length)
        token_ids = np.full(shape, self.tokenizer.wordpiece.pad_id, "int32")
        segment_ids, padding_mask = np.zeros(shape, "int32"), np.zeros(shape, "int32")
        for row, (ids, segments) in enumerate(
            zip(encoded.token_ids, encoded.segment_ids, strict=True)
        ):
            token_ids[row, : len(ids)] = ids
            segment_ids[row, : len(ids)] = segments
            padding_mask[row, : len(ids)] = 1
        return token_ids, segment_ids, padding_mask

    def call(self, x, y=None, sample_weight=None):
        """Maps strings `(batch,)`, or a pair of them, to int32 tensors `(batch, length)`."""
        parts = tuple(x) if isinstance(x, tuple) else (x,)
        if tf.inside_function():
            features = tf.numpy_function(self._encode, parts, [tf.int32] * len(FEATURES))
            for feature in features:
                feature.set_shape((None, self.sequence_length))
        else:
            features = [tf.constant(feature) for feature in self._encode(*parts)]
        features = dict(zip(FEATURES, features, strict=True))
        return keras.utils.pack_x_y_sample_weight(features, y, sample_weight)

    def get_config(self):
        config = super().get_config()
        config["sequence_length"] = self.sequence_length
        return config
