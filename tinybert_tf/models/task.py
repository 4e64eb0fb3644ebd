"""What the task models share: raw examples in `fit`, BERT's optimizer, the heads' files."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.precision import PrecisionModel
from tinybert_tf.models.heads import adamw, load_heads, save_heads
from tinybert_tf.models.inputs import is_text
from tinybert_tf.models.tokenizer import TinyBertTokenizer
from tinybert_tf.text.batches import LengthBucketedBatches


class TinyBertTask(PrecisionModel):
    """The common part of the task models on `TinyBertBackbone`; mixed into a keras-hub task.

    A task defines `kind`, `batches`, `compute_logits`, `default_loss` and `default_metrics`; that
    is all that training, distillation and quantization ask of it.

    Attributes:
        kind: string. What one row of logits is, which decides the losses of distillation:
            `"classes"`, `"labels"` (any number of them), `"score"`, `"tokens"` (classes of each
            token), `"spans"` (start and end among the tokens), `"embedding"` or `"seq2seq"`
            (the next token at each of the target's).
        checkpoint_head: string. The kind of a Hugging Face checkpoint's head that fits.
        reads_pooler: bool. Whether the logits depend on the encoder's pooler.
    """

    kind: str
    checkpoint_head = "classes"
    reads_pooler = True

    # === For the tasks to define ===
    def compute_logits(self, outputs: dict, inputs: dict):
        """Maps the backbone's outputs (and its inputs) to logits, on any tensors."""
        raise NotImplementedError

    def batches(self, examples, labels=None, **kwargs) -> LengthBucketedBatches:
        """Tokenizes examples into batches of similar length."""
        raise NotImplementedError

    def default_loss(self) -> keras.losses.Loss:
        """The loss of `compile()`."""
        raise NotImplementedError

    def default_metrics(self) -> list:
        """The metrics of `compile()`, and what distillation shows, each new."""
        raise NotImplementedError

    def encode(self, examples):
        """Token ids of raw examples, cut to the model's length."""
        parts = examples if isinstance(examples, tuple) else (examples,)
        return self.wordpiece.encode(
            *(list(part) for part in parts), max_length=self.sequence_length
        )

    def is_raw(self, x) -> bool:
        """Whether `x` are examples to tokenize, not tensors."""
        return is_text(x)

    def distillation_batches(self, examples, labels=None, **kwargs) -> LengthBucketedBatches:
        """`batches` with what the distillation of this kind of logits reads besides."""
        return self.batches(examples, labels, **kwargs)

    def choose(self, examples, count: int, generator: np.random.Generator):
        """At most `count` of the raw examples, in the form that they came in."""
        parts = examples if isinstance(examples, tuple) else (examples,)
        rows = range(len(parts[0]))
        if len(rows) > count:
            rows = generator.choice(len(rows), count, replace=False)
        parts = tuple([part[row] for row in rows] for part in parts)
        return parts if isinstance(examples, tuple) else parts[0]

    # === Model ===
    @property
    def trainable_weights(self):
        """All but those behind the encoder's last state, if no loss reaches them."""
        weights = super().trainable_weights
        if self.reads_pooler:
            return weights
        layers = [layer for layer in (self.backbone.pooler, self.backbone.reduction) if layer]
        unread = {id(weight) for layer in layers for weight in layer.weights}
        return [weight for weight in weights if id(weight) not in unread]

    @property
    def trainable_variables(self):
        return self.trainable_weights

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """As Keras, with weights `(batch,)` also where tokens have labels."""
        by_example = sample_weight is not None and len(sample_weight.shape) == 1
        if by_example and self.kind in TOKEN_LABELS:
            sample_weight = ops.expand_dims(sample_weight, -1)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """As `keras.Model.compile`, with BERT's defaults for what is `"auto"`.

        AdamW at 5e-5 with weight decay 0.01 and gradients clipped to norm 1; the task's own loss
        and metrics. XLA is off unless asked for: it was slower on CPU and recompiles per length.
        """
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = adamw(5e-5)
        if isinstance(loss, str) and loss == "auto":
            loss = self.default_loss()
        if isinstance(metrics, str) and metrics == "auto":
            metrics = self.default_metrics()
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

    # === Raw examples ===
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
            TinyBertError: If the model has no preprocessor.
        """
        if self.preprocessor is None:
            raise TinyBertError(
                "Expected a model with a preprocessor to read strings; pass `preprocessor=`, or "
                "feed token_ids, segment_ids and padding_mask. Received: preprocessor=None"
            )
        return self.preprocessor.tokenizer.wordpiece

    def own_preprocessor(self):
        """A copy of the preprocessor, if there is one: its lengths can change by themselves."""
        return None if self.preprocessor is None else self.preprocessor.copy()

    def use_tokenizer(self, rules: str) -> None:
        """Cuts texts by other rules from now on, with the same vocabulary.

        Args:
            rules: string. `"bert"`, or `"mediapipe"` for a model whose file MediaPipe will run:
                its tokenizer differs (see `WordPiece`), and the model should learn on what it will
                be fed.

        Raises:
            TinyBertError: If the rules are unknown, or do not go with the tokenizer's settings.
        """
        wordpiece = self.wordpiece
        if rules == wordpiece.rules:
            return
        options = {**wordpiece.get_config(), "rules": rules}
        self.preprocessor = self.preprocessor.copy(
            TinyBertTokenizer(wordpiece.vocabulary, **options)
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
        """As `keras.Model.fit`; raw examples are tokenized and bucketed by length.

        Args:
            x: raw examples as `batches` takes them, or anything Keras accepts.
            y: their labels.
            batch_size: int. Defaults to `None`: 32.
            sample_weight: float array `(n,)`. Defaults to `None`.
            validation_data: a pair (examples, labels), or anything Keras accepts.
            class_weight: dict of class number to weight. Defaults to `None`.
            seed: int. Order of the batches. Defaults to `0`.
            **kwargs: `epochs`, `callbacks`, `verbose` and more of `keras.Model.fit`.
        """
        size = batch_size or 32
        check_class_weight(self, class_weight)
        if isinstance(validation_data, tuple) and self.is_raw(validation_data[0]):
            validation_data = self.batches(
                validation_data[0], validation_data[1], batch_size=size, shuffle=False
            ).dataset()
        if not self.is_raw(x):
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
        return super().fit(
            batches.stream(),
            steps_per_epoch=len(batches),
            shuffle=False,
            validation_data=validation_data,
            class_weight=class_weight,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs):
        """As `keras.Model.evaluate`, raw examples included."""
        if self.is_raw(x):
            x = self.batches(
                x, y, sample_weight=sample_weight, batch_size=batch_size or 32, shuffle=False
            ).dataset()
            y = sample_weight = batch_size = None
        return super().evaluate(x, y, batch_size=batch_size, sample_weight=sample_weight, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """Returns the logits of each example in the order of `x`.

        Of raw examples whose logits count tokens it is a list of arrays, `(length, ...)` each.
        """
        if not self.is_raw(x):
            return super().predict(x, batch_size=batch_size, **kwargs)
        batches = self.batches(x, batch_size=batch_size or 32, shuffle=False)
        if self.kind not in BY_TOKEN:
            logits = super().predict(batches.dataset(), **kwargs)
            in_order = np.empty_like(logits)
            in_order[batches.indices(0)] = logits
            return in_order
        return self.predict_batches(batches)

    def predict_outputs(self, examples):
        """What the exported file puts out for raw examples: probabilities, scores, ..."""
        return self.activate(self.predict(examples, **({} if self.kind in BY_TOKEN else QUIET)))

    def activate(self, logits):
        """Logits to what the exported file puts out; a list of arrays where tokens have rows."""
        if self.kind not in ("classes", "labels", "tokens"):
            return logits
        activation = ops.sigmoid if self.kind == "labels" else ops.softmax
        if isinstance(logits, list):
            return [ops.convert_to_numpy(activation(row)) for row in logits]
        return ops.convert_to_numpy(activation(logits))

    def predict_batches(self, batches: LengthBucketedBatches) -> list[np.ndarray]:
        """Logits `(length, ...)` of each row of the data; Keras cannot join different lengths."""
        found: list = [None] * len(batches.token_ids)
        for step in range(len(batches)):
            (features, *_) = batches.batch(0, step)
            features = {name: features[name] for name in self.input}
            logits = np.asarray(self.predict_on_batch(features))
            for row, values in zip(batches.rows(0, step), logits, strict=True):
                found[row] = values[: len(batches.token_ids[row])]
        return found


def check_class_weight(model, class_weight) -> None:
    """Refuses weights of classes where an example has no single class.

    Raises:
        TinyBertError: If there are weights, and the logits are not of classes.
    """
    if class_weight is not None and model.kind not in ("classes", "labels"):
        raise TinyBertError(
            "Expected class_weight with a text classifier only. "
            f"Received: class_weight={class_weight!r}, {type(model).__name__}"
        )


QUIET = {"verbose": 0}
# Kinds of logits whose labels are one a token.
TOKEN_LABELS = ("tokens", "seq2seq")
# Kinds of logits of which every token has a row.
BY_TOKEN = ("tokens", "spans")
