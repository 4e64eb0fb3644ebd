"""Translation and summarization: strings in, strings out."""

import keras
import keras_hub

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.decoder import Decoder
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.cached_search import CachedSearch
from tinybert_tf.models.heads import adamw
from tinybert_tf.models.inputs import check_preprocessor
from tinybert_tf.models.seq2seq_preprocessor import TinyBertSeq2SeqPreprocessor, check_targets
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.models.token_crossentropy import TokenAccuracy, TokenCrossentropy
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.pair_batches import PairBatches
from tinybert_tf.text.spacing import join_words
from tinybert_tf.text.strings import check_strings

PURPOSES = ("translation", "summarization")


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertSeq2Seq(TinyBertTask, keras_hub.models.Seq2SeqLM):
    """A Transformer (Vaswani et al. 2017) whose encoder is a `TinyBertBackbone`.

    Inputs are the encoder's three, `decoder_token_ids` and `decoder_padding_mask`; outputs are
    logits `(batch, target length, target vocabulary)`. [CLS] starts a target, [SEP] ends it. The
    decoder's blocks have the encoder's sizes.

    Args:
        backbone: `TinyBertBackbone`. The encoder.
        preprocessor: `TinyBertSeq2SeqPreprocessor`, or `None` to feed tensors only.
        decoder_layers: int. Decoder blocks. Defaults to `None`: as many as the encoder has.
        target_vocabulary_size: int. Rows of a word table for the targets. Defaults to `None`: the
            size of the preprocessor's target tokenizer; without one the decoder shares the
            encoder's word table.
        max_target_length: int. Rows of the decoder's position table. Defaults to `128`.
        position_encoding: string. Of the targets, `"learned"` or `"sinusoidal"`. Defaults to
            `"learned"`.
        tie_output: bool. Whether the decoder's word table is its output matrix too. Defaults to
            `True`.
        label_smoothing: float. Of the default loss; see `TokenCrossentropy`. Defaults to `0.1`.
        purpose: string. `"translation"` or `"summarization"`: what targets are, which decides how
            they are scored. Defaults to `"translation"`.

    Example:
    ```python
    pairs = read_parallel("train.tsv", source="english", target="chinese")
    source = train_wordpiece(pairs.sources, 8000)
    target = train_wordpiece(pairs.targets, 5000, lowercase=False)
    backbone = TinyBertBackbone(source.vocabulary_size, **tb.architecture("tinybert_4l_312"))
    model = TinyBertSeq2Seq(
        backbone, TinyBertSeq2SeqPreprocessor.from_wordpieces(source, target)
    )
    model.fit(pairs.sources, pairs.targets, epochs=10)
    model.generate(["I like tea."], beams=4)
    ```
    """

    backbone_cls = TinyBertBackbone
    preprocessor_cls = TinyBertSeq2SeqPreprocessor
    kind = "seq2seq"
    reads_pooler = False

    def __init__(
        self,
        backbone: TinyBertBackbone,
        preprocessor: TinyBertSeq2SeqPreprocessor | None = None,
        decoder_layers: int | None = None,
        target_vocabulary_size: int | None = None,
        max_target_length: int = 128,
        position_encoding: str = "learned",
        tie_output: bool = True,
        label_smoothing: float = 0.1,
        purpose: str = "translation",
        **kwargs,
    ):
        if purpose not in PURPOSES:
            raise TinyBertError(
                f"Expected a purpose out of {PURPOSES}. Received: purpose={purpose!r}"
            )
        own_words = preprocessor is not None and preprocessor.target_tokenizer is not None
        if target_vocabulary_size is None and own_words:
            target_vocabulary_size = preprocessor.target_wordpiece.vocabulary_size
        rows = target_vocabulary_size or backbone.vocabulary_size
        if target_vocabulary_size is None and backbone.embedding_dim is not None:
            raise TinyBertError(
                "Expected a target_vocabulary_size: a factorized word table cannot be shared. "
                f"Received: target_vocabulary_size=None, embedding_dim={backbone.embedding_dim}"
            )
        if preprocessor is not None:
            check_preprocessor(backbone, preprocessor)
            check_targets(preprocessor, rows, max_target_length)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.decoder = Decoder(
            rows,
            backbone.num_layers if decoder_layers is None else decoder_layers,
            backbone.num_heads,
            backbone.hidden_dim,
            backbone.intermediate_dim,
            max_length=max_target_length,
            position_encoding=position_encoding,
            activation=backbone.activation,
            attention_dim=backbone.attention_dim,
            dropout=backbone.dropout,
            attention_dropout=backbone.attention_dropout,
            layer_norm_epsilon=backbone.layer_norm_epsilon,
            shared_words=target_vocabulary_size is None,
            tie_output=tie_output,
            dtype=backbone.dtype_policy,
            name="decoder",
        )
        if target_vocabulary_size is None:
            self.decoder.share(lambda: backbone.embeddings.token_embedding)
        self.label_smoothing = label_smoothing

        # === Functional Model ===
        inputs = {
            **backbone.input,
            **{
                name: keras.Input(shape=(None,), dtype="int32", name=name)
                for name in ("decoder_token_ids", "decoder_padding_mask")
            },
        }
        decoded = self._decode(backbone(backbone.input), inputs)
        logits = decoded.pop("logits")
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self._intermediates = lambda: decoded  # a function hides the tensors from Keras
        self._search = None

        # === Config ===
        self.decoder_layers = self.decoder.num_layers
        self.target_vocabulary_size = target_vocabulary_size
        self.max_target_length = max_target_length
        self.position_encoding = position_encoding
        self.tie_output = tie_output
        self.purpose = purpose

    def on_backbone(self, backbone: TinyBertBackbone, **changes) -> "TinyBertSeq2Seq":
        """Returns a new model of the same task, with a decoder of its own, on another encoder.

        Args:
            backbone: `TinyBertBackbone`.
            **changes: arguments of the constructor that differ, such as `decoder_layers`, which
                is otherwise as many as the encoder has.
        """
        common = {
            **self._arguments(),
            "preprocessor": self.own_preprocessor(),
            "decoder_layers": None,
        }
        return type(self)(backbone, **{**common, **changes})

    # === Model ===
    def _decode(self, outputs: dict, inputs: dict) -> dict:
        return self.decoder(
            inputs["decoder_token_ids"],
            outputs["sequence_output"],
            padding_mask=inputs["decoder_padding_mask"],
            encoder_mask=inputs["padding_mask"],
        )

    def compute_logits(self, outputs: dict, inputs: dict):
        """Maps the encoder's outputs and the model's inputs to logits, on any tensors."""
        return self._decode(outputs, inputs)["logits"]

    @property
    def intermediates(self) -> dict:
        """The decoder's symbolic tensors that distillation compares; see `Decoder.call`."""
        return {name: list(tensors) for name, tensors in self._intermediates().items()}

    def default_loss(self) -> keras.losses.Loss:
        return TokenCrossentropy(self.label_smoothing)

    def default_metrics(self) -> list:
        return [TokenAccuracy(name="accuracy")]

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """As `keras.Model.compile`; by default AdamW at 5e-4, since a decoder starts anew."""
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = adamw(5e-4)
        kwargs.setdefault("weighted_metrics", None)
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    # === Strings ===
    @property
    def target_wordpiece(self):
        """The targets' tokenizer.

        Raises:
            TinyBertError: If the model has no preprocessor.
        """
        self.wordpiece  # noqa: B018  raises
        return self.preprocessor.target_wordpiece

    def batches(
        self, sources, targets, sample_weight=None, batch_size: int = 32, **kwargs
    ) -> PairBatches:
        """Tokenizes pairs into teacher-forced batches of similar length.

        Args:
            sources: list of strings. Longer ones are cut to `preprocessor.sequence_length`.
            targets: list of strings. Longer ones are cut to `preprocessor.target_length`.
            sample_weight: float array `(n,)`. Defaults to `None`.
            batch_size: int. Defaults to `32`.
            **kwargs: `shuffle`, `seed` and more of `LengthBucketedBatches`.

        Raises:
            TinyBertError: If one side has more rows.
        """
        source, target = self.wordpiece, self.target_wordpiece
        longest = self.preprocessor.target_length + 1  # [CLS] is read, not predicted
        return PairBatches(
            source.encode(sources, max_length=self.sequence_length).token_ids,
            target.encode(targets, max_length=longest).token_ids,
            sample_weight=sample_weight,
            batch_size=batch_size,
            pad_id=source.pad_id,
            target_pad_id=target.pad_id,
            max_source_length=self.backbone.max_sequence_length,
            max_target_length=self.decoder.max_length,
            **kwargs,
        )

    def distillation_batches(self, sources, targets=None, **kwargs) -> PairBatches:
        """`batches`, which need targets: a decoder's logits are those along a given target.

        Raises:
            TinyBertError: If there are none.
        """
        if targets is None:
            raise TinyBertError(
                "Expected targets beside the sources: the logits that are compared are those "
                "along a target. `teacher_translations` makes targets. Received: targets=None"
            )
        return self.batches(sources, targets, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """Returns the logits of tensors that hold both sides; `generate` reads strings.

        Raises:
            TinyBertError: If `x` are strings.
        """
        if self.is_raw(x):
            raise TinyBertError(
                "Expected tensors of sources and targets; strings go to `generate`. "
                f"Received: x of type {type(x).__name__}"
            )
        return super().predict(x, batch_size=batch_size, **kwargs)

    def generate(
        self,
        texts: list[str],
        beams: int = 1,
        max_length: int | None = None,
        length_penalty: float = 0.6,
        batch_size: int = 32,
    ) -> list[str]:
        """Translates or summarizes texts, in their order.

        Args:
            texts: list of strings.
            beams: int. 1 is greedy; more search for likelier targets. Defaults to `1`.
            max_length: int. Most target tokens, [SEP] included. Defaults to `None`: the
                preprocessor's target length.
            length_penalty: float. See `beam_search`. Defaults to `0.6`.
            batch_size: int. Defaults to `32`.

        Raises:
            TinyBertError: If `texts` are not strings, or `max_length` exceeds the position table.
        """
        texts = check_strings(texts, "texts")
        target = self.target_wordpiece
        if not texts:
            return []
        max_length = self.preprocessor.target_length if max_length is None else max_length
        if self._search is None:
            self._search = CachedSearch(self, target.cls_id, target.sep_id)
        encoded = self.wordpiece.encode(texts, max_length=self.sequence_length)
        batches = LengthBucketedBatches(
            encoded.token_ids,
            batch_size=batch_size,
            shuffle=False,
            pad_id=self.wordpiece.pad_id,
            max_length=self.sequence_length,
        )
        found = [""] * len(texts)
        for step in range(len(batches)):
            (features,) = batches.batch(0, step)
            best = self._search(features, max_length, beams, length_penalty)
            for row, ids in zip(batches.rows(0, step), best, strict=True):
                found[row] = join_words(target.decode(ids))
        return found

    def get_config(self):
        return {**super().get_config(), **self._arguments()}

    def _arguments(self) -> dict:
        names = ("decoder_layers", "target_vocabulary_size", "max_target_length")
        names += ("position_encoding", "tie_output", "label_smoothing", "purpose")
        return {name: getattr(self, name) for name in names}
