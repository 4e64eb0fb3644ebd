"""The tokenizers of a sequence-to-sequence model."""

import keras

from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.tokenizer import TinyBertTokenizer
from tinybert_tf.text.wordpiece import WordPiece


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertSeq2SeqPreprocessor(TinyBertTextClassifierPreprocessor):
    """Tokenizes sources, as `TinyBertTextClassifierPreprocessor`, and knows how targets are.

    Args:
        tokenizer: `TinyBertTokenizer`. Of the sources.
        target_tokenizer: `TinyBertTokenizer`. Of the targets. Defaults to `None`: both share one.
        sequence_length: int. Longest source in tokens, [CLS] and [SEP] included. Defaults to
            `128`.
        target_length: int. Longest target in tokens, its [SEP] included. Defaults to `64`.
    """

    def __init__(
        self,
        tokenizer: TinyBertTokenizer,
        target_tokenizer: TinyBertTokenizer | None = None,
        sequence_length: int = 128,
        target_length: int = 64,
        **kwargs,
    ):
        super().__init__(tokenizer, sequence_length=sequence_length, **kwargs)
        if target_length < 2:
            raise TinyBertError(
                "Expected a target length of at least 2: a token and [SEP]. "
                f"Received: target_length={target_length}"
            )
        self.target_tokenizer = target_tokenizer
        self.target_length = target_length

    @classmethod
    def from_wordpieces(
        cls, source: WordPiece, target: WordPiece | None = None, **kwargs
    ) -> "TinyBertSeq2SeqPreprocessor":
        """Builds one from `WordPiece` tokenizers; without `target` both sides share `source`."""
        target_tokenizer = None
        if target is not None:
            target_tokenizer = TinyBertTokenizer(
                target.vocabulary,
                **target.get_config(),
                name="target_tokenizer",
                config_file="target_tokenizer.json",  # beside the source's in a preset
            )
        return cls(TinyBertTokenizer.from_wordpiece(source), target_tokenizer, **kwargs)

    @property
    def target_wordpiece(self) -> WordPiece | None:
        """The targets' tokenizer; `None` while a saved model is being loaded."""
        return (self.target_tokenizer or self.tokenizer).wordpiece

    def _arguments(self) -> dict:
        own = {"target_tokenizer": self.target_tokenizer, "target_length": self.target_length}
        return {**super()._arguments(), **own}

    def get_config(self):
        config = super().get_config()
        config["target_length"] = self.target_length
        config["target_tokenizer"] = None
        if self.target_tokenizer is not None:
            config["target_tokenizer"] = keras.layers.serialize(self.target_tokenizer)
        return config

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("target_tokenizer"), dict):
            config["target_tokenizer"] = keras.layers.deserialize(config["target_tokenizer"])
        return super().from_config(config)


def check_targets(
    preprocessor: TinyBertSeq2SeqPreprocessor, rows: int, max_target_length: int
) -> None:
    """Checks that target tokenizer and target length fit the decoder's tables.

    Raises:
        TinyBertError: If either is larger than its table.
    """
    wordpiece = preprocessor.target_wordpiece  # None while a saved model is being loaded
    size = 0 if wordpiece is None else wordpiece.vocabulary_size
    if size > rows:
        raise TinyBertError(
            f"Expected a target tokenizer of at most {rows} tokens, the rows of the decoder's "
            f"word table. Received: vocabulary_size={size}"
        )
    if preprocessor.target_length > max_target_length:
        raise TinyBertError(
            f"Expected a target length of at most {max_target_length}, the rows of the decoder's "
            f"position table. Received: target_length={preprocessor.target_length}"
        )
