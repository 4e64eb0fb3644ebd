"""Extractive question answering: where in a context the answer stands."""

import keras
import keras_hub
import numpy as np
from keras import ops

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.answers import AnswersQuestions
from tinybert_tf.layers.dense import dense
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.inputs import check_preprocessor, is_text
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.span_loss import SpanAccuracy, SpanCrossentropy
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.text.batches import LengthBucketedBatches
from tinybert_tf.text.strides import answer_positions

# Added to the logits of padding.
_MASKED = -1e4


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertQuestionAnswering(AnswersQuestions, TinyBertTask, keras_hub.models.Task):
    """Finds the answer to a question in a context (Devlin et al. 2019, section 4.2).

    Contexts longer than the model are read in overlapping windows.

    Args:
        backbone: `TinyBertBackbone`. Its pooler, which the task does not read, is not trained.
        preprocessor: `TinyBertTextClassifierPreprocessor`, which holds the tokenizer, or `None` to
            feed tensors only.
        stride: int. How many pieces after the one before a window starts. Defaults to `128`.
        max_question: int. Longer questions are cut. Defaults to `64`.
        null_threshold: float. How much "no answer" (the logits of [CLS]) has to exceed the best
            span to be the answer, as in SQuAD 2.0. Defaults to `None`: there always is one.
        dropout: float. Dropout rate before the head; transformers has none. Defaults to `0.0`.

    Example:
    ```python
    data = read_squad("train.json")
    model = TinyBertQuestionAnswering.from_hf("bert-base-uncased", sequence_length=384)
    model.fit((data.questions, data.contexts), data.answers, epochs=2)
    model.answer(["Who wrote it?"], ["Ada Lovelace wrote the first program."])[0].text
    ```
    """

    kind = checkpoint_head = "spans"
    reads_pooler = False
    backbone_cls = TinyBertBackbone
    preprocessor_cls = TinyBertTextClassifierPreprocessor

    def __init__(
        self,
        backbone: TinyBertBackbone,
        preprocessor: TinyBertTextClassifierPreprocessor | None = None,
        stride: int = 128,
        max_question: int = 64,
        null_threshold: float | None = None,
        dropout: float = 0.0,
        **kwargs,
    ):
        if preprocessor is not None:
            check_preprocessor(backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.output_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="classifier_dropout"
        )
        self.output_dense = dense(
            2, backbone.quantization, weight_bits=8, dtype="float32", name="logits"
        )

        # === Functional Model ===
        inputs = backbone.input
        outputs = self.compute_logits(backbone(inputs), inputs)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

        # === Config ===
        self.stride = stride
        self.max_question = max_question
        self.null_threshold = null_threshold
        self.dropout = dropout
        if kwargs.get("compile", True):
            self.compile()

    @classmethod
    def from_hf(
        cls,
        name_or_folder: str,
        sequence_length: int = 384,
        stride: int = 128,
        max_question: int = 64,
        dropout: float = 0.0,
        **backbone_overrides,
    ) -> "TinyBertQuestionAnswering":
        """Loads a Hugging Face BERT, its question-answering head included.

        Args:
            name_or_folder: string. A local folder or a hub name.
            sequence_length: int. Longest window in tokens. Defaults to `384`.
            stride: int. See the class. Defaults to `128`.
            max_question: int. See the class. Defaults to `64`.
            dropout: float. Dropout rate before the head. Defaults to `0.0`.
            **backbone_overrides: arguments of `TinyBertBackbone`, such as `dtype`.
        """
        from tinybert_tf.models.from_checkpoint import load_for, preprocessor_of

        loaded = load_for(cls, name_or_folder, backbone_overrides)
        model = cls(
            loaded.backbone,
            preprocessor_of(loaded, sequence_length),
            stride=stride,
            max_question=max_question,
            dropout=dropout,
        )
        if loaded.head_kind == "spans" and loaded.head_kernel is not None:
            model.output_dense.set_weights([loaded.head_kernel, loaded.head_bias])
        return model

    def on_backbone(self, backbone: TinyBertBackbone, **changes) -> "TinyBertQuestionAnswering":
        """Returns a new model of the same settings, with a head of its own, on another encoder.

        Args:
            backbone: `TinyBertBackbone`.
            **changes: arguments of the constructor that differ, such as `preprocessor`.
        """
        arguments = {
            "preprocessor": self.own_preprocessor(),
            "stride": self.stride,
            "max_question": self.max_question,
            "null_threshold": self.null_threshold,
            "dropout": self.dropout,
        }
        return type(self)(backbone, **{**arguments, **changes})

    # === Model ===
    def compute_logits(self, outputs: dict, inputs: dict):
        """Maps the backbone's outputs to logits `(batch, length, 2)`: start and end."""
        logits = self.output_dense(self.output_dropout(outputs["sequence_output"]))
        padding = 1.0 - ops.cast(inputs["padding_mask"], logits.dtype)
        return logits + _MASKED * ops.expand_dims(padding, -1)

    def default_loss(self) -> keras.losses.Loss:
        """Cross-entropy of start and end over the positions, averaged over the two."""
        return SpanCrossentropy()

    def default_metrics(self) -> list:
        """The share of the windows whose start and end are both right."""
        return [SpanAccuracy(name="accuracy")]

    # === Questions in ===
    def is_raw(self, x) -> bool:
        """Whether `x` is a pair of lists of strings: questions and contexts."""
        return isinstance(x, tuple) and len(x) == 2 and all(is_text(part) for part in x)

    def batches(
        self,
        examples: tuple,
        answers=None,
        sample_weight=None,
        batch_size: int = 32,
        **kwargs,
    ) -> LengthBucketedBatches:
        """Cuts questions and contexts into windows, and these into batches of similar length.

        Args:
            examples: tuple of two lists of strings: questions and contexts.
            answers: list of lists of `Answer`, one list a question. Defaults to `None`.
            sample_weight: float array, one a question. Defaults to `None`.
            batch_size: int. Windows a step. Defaults to `32`.
            **kwargs: `shuffle`, `seed` and more of `LengthBucketedBatches`.

        Raises:
            TinyBertError: If numbers of questions, contexts and answers differ.
        """
        encoded = self.encode(examples)
        if answers is not None and len(answers) != encoded.num_questions:
            raise TinyBertError(
                "Expected one list of answers a question. "
                f"Received: {encoded.num_questions} questions, {len(answers)} lists of answers"
            )
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight, "float32")[encoded.row]
        return LengthBucketedBatches(
            encoded.token_ids,
            encoded.segment_ids,
            labels=None if answers is None else answer_positions(encoded, answers),
            sample_weight=sample_weight,
            batch_size=batch_size,
            pad_id=self.wordpiece.pad_id,
            max_length=self.sequence_length,
            **kwargs,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "max_question": self.max_question,
            "null_threshold": self.null_threshold,
            "dropout": self.dropout,
        }
