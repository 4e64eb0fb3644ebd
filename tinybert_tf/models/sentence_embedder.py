"""Sentence embeddings: texts to vectors whose cosines say how alike they are."""

import keras
import keras_hub
import numpy as np
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.inputs import check_preprocessor
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.task import QUIET, TinyBertTask
from tinybert_tf.text.batches import LengthBucketedBatches


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertSentenceEmbedder(TinyBertTask, keras_hub.models.Task):
    """The mean of the last hidden states of real tokens, at length one (Reimers and Gurevych 2019).

    It has no head to train: a student learns it from a sentence encoder by distillation.

    Args:
        backbone: `TinyBertBackbone`. Its pooler, which the task does not read, is not trained.
        preprocessor: `TinyBertTextClassifierPreprocessor`, which holds the tokenizer, or `None` to
            feed tensors only.

    Example:
    ```python
    teacher = TinyBertSentenceEmbedder.from_hf("sentence-transformers/all-MiniLM-L6-v2")
    student = tb.student_of(teacher, num_layers=3)
    tb.distill(teacher, student, texts)
    vectors = student.embed(["how do I pay?", "payment methods"])
    vectors @ vectors.T
    ```
    """

    kind = "embedding"
    checkpoint_head = "embedding"
    reads_pooler = False
    backbone_cls = TinyBertBackbone
    preprocessor_cls = TinyBertTextClassifierPreprocessor

    def __init__(
        self,
        backbone: TinyBertBackbone,
        preprocessor: TinyBertTextClassifierPreprocessor | None = None,
        **kwargs,
    ):
        if preprocessor is not None:
            check_preprocessor(backbone, preprocessor)
        self.backbone = backbone
        self.preprocessor = preprocessor
        inputs = backbone.input
        outputs = self.compute_logits(backbone(inputs), inputs)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        if kwargs.get("compile", True):
            self.compile()

    @classmethod
    def from_hf(
        cls, name_or_folder: str, sequence_length: int = 128, **backbone_overrides
    ) -> "TinyBertSentenceEmbedder":
        """Loads a sentence-transformers (or any BERT) checkpoint with mean pooling.

        Args:
            name_or_folder: string. A local folder or a hub name.
            sequence_length: int. Longest input in tokens. Defaults to `128`.
            **backbone_overrides: arguments of `TinyBertBackbone`, such as `dtype`.

        Raises:
            TinyBertError: If the checkpoint states another pooling, or a layer after it.
        """
        from tinybert_tf.checkpoints.folder import resolve
        from tinybert_tf.checkpoints.pooling import check_mean_pooling
        from tinybert_tf.models.from_checkpoint import load_for, preprocessor_of

        folder = resolve(name_or_folder)
        check_mean_pooling(folder)
        loaded = load_for(cls, str(folder), backbone_overrides)
        return cls(loaded.backbone, preprocessor_of(loaded, sequence_length))

    def on_backbone(self, backbone: TinyBertBackbone, **changes) -> "TinyBertSentenceEmbedder":
        """Returns an embedder on another encoder.

        Args:
            backbone: `TinyBertBackbone`.
            **changes: arguments of the constructor that differ, such as `preprocessor`.
        """
        return type(self)(backbone, **{"preprocessor": self.own_preprocessor(), **changes})

    # === Model ===
    def compute_logits(self, outputs: dict, inputs: dict):
        """Maps the backbone's outputs to embeddings `(batch, hidden_dim)` of length one."""
        states = ops.cast(outputs["sequence_output"], "float32")
        real = ops.expand_dims(ops.cast(inputs["padding_mask"], "float32"), -1)
        mean = ops.sum(states * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)
        squared = ops.sum(ops.square(mean), axis=-1, keepdims=True)
        return mean * ops.rsqrt(squared + 1e-12)

    def default_loss(self) -> keras.losses.Loss:
        """One less the cosine to target vectors of the same width."""
        return keras.losses.CosineSimilarity()

    def default_metrics(self) -> list:
        """None: distillation shows its loss."""
        return []

    # === Strings in ===
    def batches(
        self, texts, targets=None, sample_weight=None, batch_size: int = 32, **kwargs
    ) -> LengthBucketedBatches:
        """Tokenizes texts into batches of similar length.

        Args:
            texts: list of strings.
            targets: float array `(n, hidden_dim)` of vectors to come close to. Defaults to `None`.
            sample_weight: float array `(n,)`. Defaults to `None`.
            batch_size: int. Defaults to `32`.
            **kwargs: `shuffle`, `seed` and more of `LengthBucketedBatches`.
        """
        if isinstance(texts, tuple):
            raise TinyBertError(
                "Expected a list of single texts to embed. Received: a pair of lists"
            )
        targets = None if targets is None else np.asarray(targets, "float32")
        encoded = self.encode(texts)
        return LengthBucketedBatches(
            encoded.token_ids,
            encoded.segment_ids,
            labels=targets,
            sample_weight=sample_weight,
            batch_size=batch_size,
            pad_id=self.wordpiece.pad_id,
            max_length=self.sequence_length,
            **kwargs,
        )

    def embed(self, texts: list[str]) -> np.ndarray:
        """Returns a vector of length one for each text, float32 `(n, hidden_dim)`."""
        return self.predict(list(texts), **QUIET)
