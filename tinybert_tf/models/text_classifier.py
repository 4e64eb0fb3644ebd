"""Text classification: raw strings in, logits out."""

import keras
import keras_hub
import numpy as np
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.inputs import check_preprocessor
from tinybert_tf.models.labels import SCORE, class_names, encode_labels, encode_scores
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.weights import class_weights

HEADS = ("bert", "tinybert")


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertTextClassifier(TinyBertTask, keras_hub.models.TextClassifier):
    """A classifier on `TinyBertBackbone` that is trained and queried with strings.

    Args:
        backbone: `TinyBertBackbone`.
        num_classes: int. 1 is a regression, as in Hugging Face: labels are then numbers, and the
            one logit is the score. Defaults to `None`: the number of labels.
        labels: list of strings, the class names in the order of the logits. Defaults to `None`:
            the class numbers.
        preprocessor: `TinyBertTextClassifierPreprocessor`, or `None` to feed tensors only.
        head: string. `"bert"`: dropout and a dense layer on the tanh-pooled output, as in
            Hugging Face; `"tinybert"`: a dense layer on relu of it, as in TinyBERT's released
            code. Defaults to `"bert"`.
        multi_label: bool. Whether a text can have any number of labels. Defaults to `False`.
        dropout: float. Dropout rate before the head. Defaults to `0.1`.

    Example:
    ```python
    classifier = TinyBertTextClassifier.from_hf(
        "sentence-transformers/all-MiniLM-L6-v2", labels=["negative", "positive"]
    )
    classifier.fit(["a fine film", "a waste of time"], ["positive", "negative"], epochs=3)
    classifier.classify(["what a film!"])  # ["positive"]
    ```
    """

    backbone_cls = TinyBertBackbone
    preprocessor_cls = TinyBertTextClassifierPreprocessor

    def __init__(
        self,
        backbone: TinyBertBackbone,
        num_classes: int | None = None,
        labels: list[str] | None = None,
        preprocessor: TinyBertTextClassifierPreprocessor | None = None,
        head: str = "bert",
        multi_label: bool = False,
        dropout: float = 0.1,
        **kwargs,
    ):
        labels = class_names(num_classes, labels, multi_label)
        if head not in HEADS:
            raise TinyBertError(f"Expected a head out of {HEADS}. Received: head={head!r}")
        if preprocessor is not None:
            check_preprocessor(backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.output_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="classifier_dropout"
        )
        # Logits stay float32 under mixed precision: losses and soft targets need the range.
        # A quantized head keeps 8 bits: it is small and decides.
        self.output_dense = dense(
            len(labels), backbone.quantization, weight_bits=8, dtype="float32", name="logits"
        )
        self.head = head

        # === Functional Model ===
        inputs = backbone.input
        outputs = self.compute_logits(backbone(inputs), inputs)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

        # === Config ===
        self.num_classes = len(labels)
        self.labels = labels
        self.multi_label = multi_label
        self.dropout = dropout
        if kwargs.get("compile", True):
            self.compile()  # again: the defaults depend on the kind of task

    @classmethod
    def from_hf(
        cls,
        name_or_folder: str,
        labels: list[str] | None = None,
        num_classes: int | None = None,
        head: str = "bert",
        multi_label: bool | None = None,
        sequence_length: int = 128,
        dropout: float = 0.1,
        tokenizer: str = "bert",
        **backbone_overrides,
    ) -> "TinyBertTextClassifier":
        """Loads a Hugging Face BERT folder or hub name, or huawei-noah's TinyBERT files.

        A classification head in the checkpoint is used when its classes fit; otherwise the head
        starts anew.

        Args:
            name_or_folder: string. A local folder or a hub name.
            labels: list of strings. Defaults to `None`: the checkpoint's own label names.
            num_classes: int. Defaults to `None`: the number of labels.
            head: string. See the class. Defaults to `"bert"`.
            multi_label: bool. See the class. Defaults to `None`: as the checkpoint states.
            sequence_length: int. Longest input in tokens. Defaults to `128`.
            dropout: float. Dropout rate before the head. Defaults to `0.1`.
            tokenizer: string. `"mediapipe"` cuts texts by the rules of MediaPipe's TextClassifier
                instead of BERT's; see `use_tokenizer`. Defaults to `"bert"`.
            **backbone_overrides: arguments of `TinyBertBackbone`, such as `dtype`.
        """
        from tinybert_tf.models.from_checkpoint import task_from_hf

        model = task_from_hf(
            cls,
            name_or_folder,
            labels,
            num_classes,
            sequence_length,
            backbone_overrides,
            head=head,
            multi_label=multi_label,
            dropout=dropout,
        )
        model.use_tokenizer(tokenizer)
        return model

    def on_backbone(self, backbone: TinyBertBackbone, **changes) -> "TinyBertTextClassifier":
        """Returns a new classifier of the same task, with a head of its own, on another encoder.

        Args:
            backbone: `TinyBertBackbone`.
            **changes: arguments of the constructor that differ, such as `preprocessor`.
        """
        arguments = {
            "labels": self.labels,
            "preprocessor": self.own_preprocessor(),
            "head": self.head,
            "multi_label": self.multi_label,
            "dropout": self.dropout,
        }
        return type(self)(backbone, **{**arguments, **changes})

    # === Model ===
    def compute_logits(self, outputs: dict, inputs: dict):
        """Maps the backbone's outputs to logits `(batch, num_classes)`, on any tensors."""
        pooled = outputs["pooled_output"]
        if self.head == "tinybert":
            pooled = ops.relu(pooled)
        return self.output_dense(self.output_dropout(pooled))

    @property
    def kind(self) -> str:
        """`"classes"`, `"labels"` or `"score"`; see `TinyBertTask`."""
        # Keras asks once before the attributes are there.
        if getattr(self, "multi_label", False):
            return "labels"
        return "score" if getattr(self, "labels", None) == [SCORE] else "classes"

    def default_loss(self) -> keras.losses.Loss:
        """Cross-entropy on logits, of a regression the mean squared error."""
        if self.kind == "score":
            return keras.losses.MeanSquaredError()
        if self.kind == "labels":
            return keras.losses.BinaryCrossentropy(from_logits=True)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def default_metrics(self) -> list:
        """Accuracy, of a regression the mean absolute error."""
        if self.kind == "score":
            return [keras.metrics.MeanAbsoluteError(name="mean_absolute_error")]
        if self.kind == "labels":
            return [keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")]
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    # === Strings in ===
    @property
    def regression(self) -> bool:
        """Whether the one output is a score."""
        return self.kind == "score"

    def encode_labels(self, labels) -> np.ndarray:
        """Turns label names or numbers into int32 `(n,)`, or multi-hot float32 `(n, classes)`.

        Scores of a regression become float32 `(n, 1)`.

        Raises:
            TinyBertError: If a label is unknown; it names the label and the known ones.
        """
        if self.regression:
            return encode_scores(labels)
        return encode_labels(labels, self.labels, self.multi_label)

    def batches(
        self, texts, labels=None, sample_weight=None, batch_size: int = 32, **kwargs
    ) -> LengthBucketedBatches:
        """Tokenizes texts (or a pair of lists) into batches of similar length.

        Args:
            texts: list of strings, or a tuple of two such lists for sentence pairs.
            labels: label names or numbers. Defaults to `None`.
            sample_weight: float array `(n,)`. Defaults to `None`.
            batch_size: int. Defaults to `32`.
            **kwargs: `shuffle`, `seed` and more of `LengthBucketedBatches`.
        """
        encoded = self.encode(texts)
        return LengthBucketedBatches(
            encoded.token_ids,
            encoded.segment_ids,
            labels=None if labels is None else self.encode_labels(labels),
            sample_weight=sample_weight,
            batch_size=batch_size,
            pad_id=self.wordpiece.pad_id,
            max_length=self.sequence_length,
            **kwargs,
        )

    def fit(self, x=None, y=None, *args, class_weight=None, **kwargs):
        """As `TinyBertTask.fit`; `class_weight` may be `"balanced"` for lists of strings."""
        if isinstance(class_weight, str):
            numbers = self.encode_labels(y)
            class_weight = class_weights(numbers, self.num_classes, scheme=class_weight)
        return super().fit(x, y, *args, class_weight=class_weight, **kwargs)

    def predict_proba(self, x, batch_size=None, **kwargs) -> np.ndarray:
        """Returns probabilities `(n, num_classes)`: softmax, or sigmoid when multi-label.

        Raises:
            TinyBertError: If the task is a regression; see `predict_scores`.
        """
        self._check_has_classes()
        kwargs.setdefault("verbose", 0)
        return self.activate(self.predict(x, batch_size=batch_size, **kwargs))

    def predict_scores(self, x, batch_size=None, **kwargs) -> np.ndarray:
        """Returns a regression's scores `(n, 1)`.

        Raises:
            TinyBertError: If the task has classes.
        """
        if not self.regression:
            raise TinyBertError(
                "Expected a regression (num_classes=1); a classifier has `predict_proba`. "
                f"Received: num_classes={self.num_classes}"
            )
        kwargs.setdefault("verbose", 0)
        return self.predict(x, batch_size=batch_size, **kwargs)

    def _check_has_classes(self) -> None:
        if self.regression:
            raise TinyBertError(
                "Expected a classifier; a regression has `predict_scores`. Received: num_classes=1"
            )

    def classify(self, x, threshold: float = 0.5, **kwargs) -> list:
        """Returns the label of each text, or the list of labels above `threshold`.

        Raises:
            TinyBertError: If the task is a regression.
        """
        probabilities = self.predict_proba(x, **kwargs)
        if self.multi_label:
            return [
                [name for name, p in zip(self.labels, row, strict=True) if p >= threshold]
                for row in probabilities
            ]
        return [self.labels[index] for index in probabilities.argmax(axis=-1)]

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_classes": self.num_classes,
                "labels": list(self.labels),
                "head": self.head,
                "multi_label": self.multi_label,
                "dropout": self.dropout,
            }
        )
        return config
