"""keras-hub's tokenizer interface around Hugging Face's WordPiece."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.text.wordpiece import WordPiece

VOCABULARY_FILENAME = "vocab.txt"


def to_strings(inputs) -> list[str]:
    """Turns a string, a list, a numpy array or an eager string tensor into a list of strings."""
    if isinstance(inputs, (str, bytes)):
        inputs = [inputs]
    if isinstance(inputs, tf.Tensor):
        inputs = inputs.numpy()
    inputs = inputs.tolist() if isinstance(inputs, np.ndarray) else list(inputs)
    return [s.decode("utf-8", "replace") if isinstance(s, bytes) else s for s in inputs]


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertTokenizer(keras_hub.tokenizers.Tokenizer):
    """BERT's WordPiece tokenizer, identical to transformers' `BertTokenizer`.

    keras-hub's own BertTokenizer keeps accents ("résumé" becomes [UNK]) and case-folds; this one
    runs Hugging Face's `tokenizers`.

    Args:
        vocabulary: list of strings, or path of a vocab.txt. `None` while a saved model loads its
            assets.
        **kwargs: `lowercase`, `strip_accents`, `tokenize_chinese_chars`,
            `max_input_chars_per_word` and `rules` go to `WordPiece`, the rest to the layer.
    """

    backbone_cls = TinyBertBackbone

    def __init__(self, vocabulary=None, **kwargs):
        self._options = {
            name: kwargs.pop(name)
            for name in (
                "lowercase",
                "strip_accents",
                "tokenize_chinese_chars",
                "max_input_chars_per_word",
                "rules",
            )
            if name in kwargs
        }
        kwargs.setdefault("name", "tokenizer")
        super().__init__(**kwargs)
        self.file_assets = [VOCABULARY_FILENAME]
        self.wordpiece = None
        if vocabulary is not None:
            self.wordpiece = WordPiece(vocabulary, **self._options)

    @classmethod
    def from_wordpiece(cls, wordpiece: WordPiece) -> "TinyBertTokenizer":
        """Wraps an existing `WordPiece`."""
        return cls(wordpiece.vocabulary, **wordpiece.get_config())

    def tokenize(self, inputs):
        """Returns the piece ids of one text, or a list of them for several, no specials."""
        ids = [
            [self.wordpiece.token_to_id(token) for token in self.wordpiece.tokenize(text)]
            for text in to_strings(inputs)
        ]
        return ids[0] if isinstance(inputs, str) else ids

    def detokenize(self, inputs):
        return self.wordpiece.decode(list(inputs))

    def get_vocabulary(self):
        return list(self.wordpiece.vocabulary)

    def vocabulary_size(self):
        return self.wordpiece.vocabulary_size

    def id_to_token(self, id):
        return self.wordpiece.vocabulary[id]

    def token_to_id(self, token):
        return self.wordpiece.token_to_id(token)

    def save_assets(self, dir_path):
        from pathlib import Path

        text = "".join(f"{token}\n" for token in self.wordpiece.vocabulary)
        Path(dir_path, VOCABULARY_FILENAME).write_text(text, encoding="utf-8")

    def load_assets(self, dir_path):
        from pathlib import Path

        self.wordpiece = WordPiece(str(Path(dir_path, VOCABULARY_FILENAME)), **self._options)

    def get_config(self):
        config = super().get_config()
        config.update(self.wordpiece.get_config() if self.wordpiece else self._options)
        return config
