"""The pre-training model: masked tokens and next sentences."""

import keras
import keras_hub

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.masked_lm_head import MaskedLMHead
from tinybert_tf.layers.precision import PrecisionModel
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.heads import adamw, load_heads, save_heads
from tinybert_tf.models.inputs import check_preprocessor
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertMaskedLM(PrecisionModel, keras_hub.models.MaskedLM):
    """BERT's pre-training objective on `TinyBertBackbone` (Devlin et al. 2019, section 3.1).

    Inputs are the encoder's three and `mask_positions` `(batch, predictions)`; outputs
    `masked_lm`, logits `(batch, predictions, vocabulary_size)`, and `next_sentence`, logits
    `(batch, 2)`: class 1, the second segment follows the first.

    Args:
        backbone: `TinyBertBackbone`. It is trained in place, so that an encoder can be
            pre-trained, or continued, and used afterwards.
        preprocessor: `TinyBertTextClassifierPreprocessor`, which holds the tokenizer, or `None`.
        next_sentence: bool. Whether there is a next-sentence head. Defaults to `True`.

    Example:
    ```python
    model = tb.TinyBertMaskedLM.from_hf("bert-base-uncased")
    corpus = tb.prepare_corpus("texts/", "corpus", model.wordpiece)
    tb.pretrain(model, corpus, epochs=1)
    ```
    """

    backbone_cls = TinyBertBackbone
    preprocessor_cls = TinyBertTextClassifierPreprocessor

    def __init__(
        self,
        backbone: TinyBertBackbone,
        preprocessor: TinyBertTextClassifierPreprocessor | None = None,
        next_sentence: bool = True,
        **kwargs,
    ):
        if preprocessor is not None:
            check_preprocessor(backbone, preprocessor)
        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.next_sentence = next_sentence
        self.masked_lm_head = MaskedLMHead(
            backbone.vocabulary_size,
            backbone.hidden_dim,
            layer_norm_epsilon=backbone.layer_norm_epsilon,
            dtype=backbone.dtype_policy,
            name="masked_lm",
        )
        # A function hides the table from Keras' tracking: it is the encoder's.
        self.masked_lm_head.tie(lambda: backbone.embeddings.token_embedding.embeddings)
        self.next_sentence_dense = None
        if next_sentence:
            self.next_sentence_dense = dense(2, dtype="float32", name="next_sentence")

        # === Functional Model ===
        positions = keras.Input(shape=(None,), dtype="int32", name="mask_positions")
        inputs = {**backbone.input, "mask_positions": positions}
        encoded = backbone(backbone.input)
        outputs = {"masked_lm": self.masked_lm_head(encoded["sequence_output"], positions)}
        if self.next_sentence_dense is not None:
            outputs["next_sentence"] = self.next_sentence_dense(encoded["pooled_output"])
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

    @classmethod
    def from_hf(
        cls, name_or_folder: str, sequence_length: int = 128, **backbone_overrides
    ) -> "TinyBertMaskedLM":
        """Loads a Hugging Face BERT; heads that it lacks start anew, see `.imported_heads`.

        Args:
            name_or_folder: string. A local folder or a hub name.
            sequence_length: int. Longest input in tokens. Defaults to `128`.
            **backbone_overrides: arguments of `TinyBertBackbone`, such as `dtype`.
        """
        from tinybert_tf.checkpoints import load_hf
        from tinybert_tf.models.from_checkpoint import preprocessor_of

        loaded = load_hf(name_or_folder, **backbone_overrides)
        model = cls(
            loaded.backbone,
            preprocessor=preprocessor_of(loaded, sequence_length),
        )
        model.imported_heads = assign_pretraining_heads(model, loaded.pretraining_heads)
        return model

    def compile(self, optimizer="auto", loss="auto", *, weighted_metrics="auto", **kwargs):
        """As `keras.Model.compile`; both cross-entropies are means over what is predicted."""
        names = list(self.output)
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = adamw(1e-4)
        if isinstance(loss, str) and loss == "auto":
            loss = {
                name: keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True, reduction="mean_with_sample_weight"
                )
                for name in names
            }
        if isinstance(weighted_metrics, str) and weighted_metrics == "auto":
            weighted_metrics = {
                name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")] for name in names
            }
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, loss=loss, weighted_metrics=weighted_metrics, **kwargs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Lets tensors pass: masking happens in `CorpusBatches`."""
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    @property
    def wordpiece(self):
        """The tokenizer.

        Raises:
            TinyBertError: If the model has no preprocessor.
        """
        if self.preprocessor is None:
            raise TinyBertError(
                "Expected a masked language model with a preprocessor. Received: preprocessor=None"
            )
        return self.preprocessor.tokenizer.wordpiece

    def save_task_weights(self, filepath):
        save_heads(self, filepath)

    def load_task_weights(self, filepath):
        load_heads(self, filepath)

    def get_config(self):
        return {**super().get_config(), "next_sentence": self.next_sentence}


def assign_pretraining_heads(model: TinyBertMaskedLM, weights: dict) -> list[str]:
    """Gives the heads a checkpoint's weights.

    Args:
        model: `TinyBertMaskedLM`.
        weights: dict of arrays by Hugging Face's names, `cls.` left out, in PyTorch's layout.

    Returns:
        Names of the heads that the checkpoint has: `masked_lm`, `next_sentence`.
    """
    imported = []
    head = model.masked_lm_head
    transform = "predictions.transform."
    keys = (f"{transform}dense.weight", f"{transform}dense.bias")
    norm = (f"{transform}LayerNorm.weight", f"{transform}LayerNorm.bias")
    bias = weights.get("predictions.bias", weights.get("predictions.decoder.bias"))
    if all(key in weights for key in (*keys, *norm)) and bias is not None:
        head.transform_dense.set_weights([weights[keys[0]].T, weights[keys[1]]])
        head.layer_norm.set_weights([weights[key] for key in norm])
        head.bias.assign(bias)
        imported.append("masked_lm")
    kernel = weights.get("seq_relationship.weight")
    if kernel is not None and model.next_sentence_dense is not None:
        # Class 0 of Hugging Face is "follows"; ours is 1.
        own = [kernel.T[:, ::-1], weights["seq_relationship.bias"][::-1]]
        model.next_sentence_dense.set_weights(own)
        imported.append("next_sentence")
    return imported
