"""Text classification: raw strings in, logits out."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.heads import adamw, load_heads, save_heads
from tinybert_tf.models.inputs import check_preprocessor, is_text
from tinybert_tf.models.labels import SCORE, class_names, encode_labels, encode_scores
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.weights import class_weights

HEADS = ("bert", "tinybert")


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertTextClassifier(keras_hub.models.TextClassifier):
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
        super().__init__(inputs=inputs, outputs=self.compute_logits(backbone(inputs)), **kwargs)

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
            **backbone_overrides: arguments of `TinyBertBackbone`, such as `dtype`.
        """
        from tinybert_tf.models.from_checkpoint import classifier_from_hf

        return classifier_from_hf(
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

    def on_backbone(self, backbone: TinyBertBackbone, **changes) -> "TinyBertTextClassifier":
        """Returns a new classifier of the same task, with a head of its own, on another encoder.

        Args:
            backbone: `TinyBertBackbone`.
            **changes: arguments of the constructor that differ, such as `preprocessor`.
        """
        arguments = {
            "labels": self.labels,
            "preprocessor": self.preprocessor,
            "head": self.head,
            "multi_label": self.multi_label,
            "dropout": self.dropout,
        }
        return type(self)(backbone, **{**arguments, **changes})

    # === Model ===
    def compute_logits(self, outputs: dict):
        """Maps the backbone's outputs to logits `(batch, num_classes)`, on any tensors."""
        pooled = outputs["pooled_output"]
        if self.head == "tinybert":
            pooled = ops.relu(pooled)
        return self.output_dense(self.output_dropout(pooled))

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """As `keras.Model.compile`, with BERT's defaults for what is `"auto"`.

        AdamW at 5e-5 with weight decay 0.01 and gradients clipped to norm 1; cross-entropy on
        logits, of a regression the mean squared error. XLA is off unless asked for: it was slower
        on CPU and recompiles per length.
        """
        # Keras calls this once before the attributes are there.
        multi_label = getattr(self, "multi_label", False)
        regression = not multi_label and getattr(self, "labels", None) == [SCORE]
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = adamw(5e-5)
        if isinstance(loss, str) and loss == "auto":
            if regression:
                loss = keras.losses.MeanSquaredError()
            elif multi_label:
                loss = keras.losses.BinaryCrossentropy(from_logits=True)
            else:
                loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if isinstance(metrics, str) and metrics == "auto":
            if regression:
                metrics = [keras.metrics.MeanAbsoluteError(name="mean_absolute_error")]
            elif multi_label:
                metrics = [keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")]
            else:
                metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config):
        """Compiles a loaded model as it was, its optimizer's state included."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def save_task_weights(self, filepath):
        save_heads(self, filepath)

    def load_task_weights(self, filepath):
        load_heads(self, filepath)

    # === Strings in ===
    @property
    def sequence_length(self) -> int:
        """Longest input in tokens."""
        if self.preprocessor is None:
            return self.backbone.max_sequence_length
        return self.preprocessor.sequence_length

    @property
    def wordpiece(self):
        """The tokenizer.

        Raises:
            TinyBertError: If the classifier has no preprocessor.
        """
        if self.preprocessor is None:
            raise TinyBertError(
                "Expected a classifier with a preprocessor to read strings; pass "
                "`preprocessor=`, or feed token_ids, segment_ids and padding_mask. "
                "Received: preprocessor=None"
            )
        return self.preprocessor.tokenizer.wordpiece

    @property
    def regression(self) -> bool:
        """Whether the one output is a score."""
        return not self.multi_label and self.labels == [SCORE]

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
        parts = texts if isinstance(texts, tuple) else (texts,)
        encoded = self.wordpiece.encode(
            *(list(part) for part in parts), max_length=self.sequence_length
        )
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

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Lets tensors that are tokenized already pass."""
        if isinstance(x, dict):
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return super().preprocess_samples(x, y, sample_weight)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        sample_weight=None,
        validation_data=None,
        class_weight=None,
        seed: int = 0,
        **kwargs,
    ):
        """As `keras.Model.fit`; lists of strings are tokenized and bucketed by length.

        Args:
            x: list of strings, a tuple of two lists, or anything Keras accepts.
            y: label names or numbers.
            batch_size: int. Defaults to `None`: 32.
            sample_weight: float array `(n,)`. Defaults to `None`.
            validation_data: a pair (texts, labels), or anything Keras accepts.
            class_weight: dict of class number to weight, or `"balanced"`. Defaults to `None`.
            seed: int. Order of the batches. Defaults to `0`.
            **kwargs: `epochs`, `callbacks`, `verbose` and more of `keras.Model.fit`.
        """
        size = batch_size or 32
        if isinstance(validation_data, tuple) and is_text(validation_data[0]):
            validation_data = self.batches(
                validation_data[0], validation_data[1], batch_size=size, shuffle=False
            ).dataset()
        if not is_text(x):
            if isinstance(x, tf.data.Dataset):
                kwargs.setdefault("shuffle", False)  # Keras warns that it cannot
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                sample_weight=sample_weight,
                validation_data=validation_data,
                class_weight=class_weight,
                **kwargs,
            )
        batches = self.batches(x, y, sample_weight=sample_weight, batch_size=size, seed=seed)
        if isinstance(class_weight, str):
            class_weight = class_weights(batches.labels, self.num_classes, scheme=class_weight)
        return super().fit(
            batches.stream(),
            steps_per_epoch=len(batches),
            shuffle=False,
            validation_data=validation_data,
            class_weight=class_weight,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """As `keras.Model.evaluate`, strings included."""
        if is_text(x):
            x = self.batches(
                x, y, sample_weight=sample_weight, batch_size=batch_size or 32, shuffle=False
            ).dataset()
            y = sample_weight = batch_size = None
        return super().evaluate(x, y, batch_size=batch_size, sample_weight=sample_weight, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """Returns logits `(n, num_classes)` in the order of `x`."""
        if not is_text(x):
            return super().predict(x, batch_size=batch_size, **kwargs)
        batches = self.batches(x, batch_size=batch_size or 32, shuffle=False)
        logits = super().predict(batches.dataset(), **kwargs)
        in_order = np.empty_like(logits)
        in_order[batches.indices(0)] = logits
        return in_order

    def predict_proba(self, x, batch_size=None, **kwargs) -> np.ndarray:
        """Returns probabilities `(n, num_classes)`: softmax, or sigmoid when multi-label.

        Raises:
            TinyBertError: If the task is a regression; see `predict_scores`.
        """
        self._check_has_classes()
        kwargs.setdefault("verbose", 0)
        logits = self.predict(x, batch_size=batch_size, **kwargs)
        activation = ops.sigmoid if self.multi_label else ops.softmax
        return ops.convert_to_numpy(activation(logits))

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
