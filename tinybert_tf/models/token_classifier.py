"""Token classification: a tag for each word of a sentence, for entities and slots."""

import keras
import keras_hub
import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.answers import TagsWords
from tinybert_tf.layers.dense import dense
from tinybert_tf.models.backbone import TinyBertBackbone
from tinybert_tf.models.inputs import check_preprocessor, is_text
from tinybert_tf.models.labels import class_names, encode_labels
from tinybert_tf.models.preprocessor import TinyBertTextClassifierPreprocessor
from tinybert_tf.models.task import TinyBertTask
from tinybert_tf.models.token_crossentropy import TokenAccuracy
from tinybert_tf.text.batches import POSITION_MASK, LengthBucketedBatches
from tinybert_tf.text.word_pieces import EncodedWords, as_words, split_words

# The label of a piece that carries no tag.
NO_TAG = -1


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertTokenClassifier(TagsWords, TinyBertTask, keras_hub.models.Task):
    """A tagger on `TinyBertBackbone`: named entities, slots.

    A word is tagged by its first piece (Devlin et al. 2019, section 5.3). In training a word with
    punctuation inside, such as "O'Neil", is cut as a text is, for the texts of an app come without
    words: its parts continue its tag. Other pieces count in no loss and no metric.

    Args:
        backbone: `TinyBertBackbone`. Its pooler, which a tagger does not read, is not trained.
        labels: list of strings, the tags in the order of the logits, such as `["O", "B-person",
            "I-person"]`. Defaults to `None`: the tag numbers.
        num_classes: int. Defaults to `None`: the number of labels.
        preprocessor: `TinyBertTextClassifierPreprocessor`, which holds the tokenizer, or `None` to
            feed tensors only.
        dropout: float. Dropout rate before the head. Defaults to `0.1`.

    Example:
    ```python
    tagger = TinyBertTokenClassifier.from_hf(
        "sentence-transformers/all-MiniLM-L6-v2", labels=["O", "B-place", "I-place"]
    )
    tagger.fit([["in", "New", "York"]], [["O", "B-place", "I-place"]], epochs=3)
    tagger.find_entities(["a day in New York"])
    ```
    """

    kind = checkpoint_head = "tokens"
    reads_pooler = False
    backbone_cls = TinyBertBackbone
    preprocessor_cls = TinyBertTextClassifierPreprocessor

    def __init__(
        self,
        backbone: TinyBertBackbone,
        labels: list[str] | None = None,
        num_classes: int | None = None,
        preprocessor: TinyBertTextClassifierPreprocessor | None = None,
        dropout: float = 0.1,
        **kwargs,
    ):
        labels = class_names(num_classes, labels, multi_label=False)
        if preprocessor is not None:
            check_preprocessor(backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.output_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="classifier_dropout"
        )
        self.output_dense = dense(
            len(labels), backbone.quantization, weight_bits=8, dtype="float32", name="logits"
        )

        # === Functional Model ===
        inputs = backbone.input
        outputs = self.compute_logits(backbone(inputs), inputs)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

        # === Config ===
        self.num_classes = len(labels)
        self.labels = labels
        self.dropout = dropout
        if kwargs.get("compile", True):
            self.compile()

    @classmethod
    def from_hf(
        cls,
        name_or_folder: str,
        labels: list[str] | None = None,
        num_classes: int | None = None,
        sequence_length: int = 128,
        dropout: float = 0.1,
        **backbone_overrides,
    ) -> "TinyBertTokenClassifier":
        """Loads a Hugging Face BERT, its token-classification head where the tags fit.

        Args:
            name_or_folder: string. A local folder or a hub name.
            labels: list of strings. Defaults to `None`: the checkpoint's own tag names.
            num_classes: int. Defaults to `None`: the number of labels.
            sequence_length: int. Longest input in tokens. Defaults to `128`.
            dropout: float. Dropout rate before the head. Defaults to `0.1`.
            **backbone_overrides: arguments of `TinyBertBackbone`, such as `dtype`.
        """
        from tinybert_tf.models.from_checkpoint import task_from_hf

        return task_from_hf(
            cls,
            name_or_folder,
            labels,
            num_classes,
            sequence_length,
            backbone_overrides,
            dropout=dropout,
        )

    def on_backbone(self, backbone: TinyBertBackbone, **changes) -> "TinyBertTokenClassifier":
        """Returns a new tagger of the same tags, with a head of its own, on another encoder.

        Args:
            backbone: `TinyBertBackbone`.
            **changes: arguments of the constructor that differ, such as `preprocessor`.
        """
        arguments = {
            "labels": self.labels,
            "preprocessor": self.own_preprocessor(),
            "dropout": self.dropout,
        }
        return type(self)(backbone, **{**arguments, **changes})

    # === Model ===
    def compute_logits(self, outputs: dict, inputs: dict):
        """Maps the backbone's outputs to logits `(batch, length, num_classes)`."""
        return self.output_dense(self.output_dropout(outputs["sequence_output"]))

    def default_loss(self) -> keras.losses.Loss:
        """Cross-entropy on the logits of the words' first pieces."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=NO_TAG)

    def default_metrics(self) -> list:
        """The share of the words whose tag is right."""
        return [TokenAccuracy(name="accuracy")]

    # === Words in ===
    def is_raw(self, x) -> bool:
        """Whether `x` is a list of sentences: strings, or lists of words."""
        if isinstance(x, np.ndarray):
            return is_text(x)
        return isinstance(x, list) and (
            not x
            or isinstance(x[0], str)
            or is_text(list(x[0]) if isinstance(x[0], tuple) else x[0])
        )

    def encode_labels(self, tags) -> list[np.ndarray]:
        """Turns tag names or numbers, a list a sentence, into int32 arrays.

        Raises:
            TinyBertError: If a tag is unknown; it names the tag and the known ones.
        """
        return [
            encode_labels(row, self.labels) if len(row) else np.zeros(0, "int32") for row in tags
        ]

    def batches(
        self,
        sentences,
        labels=None,
        sample_weight=None,
        batch_size: int = 32,
        **kwargs,
    ) -> LengthBucketedBatches:
        """Tokenizes sentences, long ones in windows, into batches of similar length.

        Args:
            sentences: list of lists of words, or of strings, which are cut into words.
            labels: list of lists of tags, one a word. Defaults to `None`.
            sample_weight: float array, one a sentence. Defaults to `None`.
            batch_size: int. Windows a step. Defaults to `32`.
            **kwargs: `shuffle`, `seed` and more of `LengthBucketedBatches`.

        Raises:
            TinyBertError: If a sentence has not as many tags as words, or a tag is unknown.
        """
        tags = None
        if labels is None:
            encoded = self.encode(sentences)
        else:
            _check_counts(sentences, labels)
            parts, tags = self._parts_of(sentences, self.encode_labels(labels))
            encoded = self.encode(parts)
            tags = _at_first_pieces(tags, encoded)
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight, "float32")[encoded.row]
        return LengthBucketedBatches(
            encoded.token_ids,
            labels=tags,
            token_labels=True,
            sample_weight=sample_weight,
            batch_size=batch_size,
            pad_id=self.wordpiece.pad_id,
            max_length=self.sequence_length,
            **kwargs,
        )

    def distillation_batches(self, sentences, labels=None, **kwargs) -> LengthBucketedBatches:
        """`batches` with the mask of the pieces that soft targets count: the words' first."""
        if labels is not None:
            _check_counts(sentences, labels)
            labels = self.encode_labels(labels)
        parts, labels = self._parts_of(sentences, labels)
        encoded = self.encode(parts)
        masks = [
            _mask(first, len(ids))
            for first, ids in zip(encoded.first_pieces, encoded.token_ids, strict=True)
        ]
        return self.batches(parts, labels, token_extra={POSITION_MASK: masks}, **kwargs)

    def _parts_of(self, sentences, tags: list[np.ndarray] | None) -> tuple[list, list | None]:
        """Words cut as `split_words` cuts texts, and their tags: B-X goes on as I-X."""
        rows = as_words(sentences)
        parts = {word: split_words(word)[0] or [word] for row in rows for word in row}
        cut = [[part for word in row for part in parts[word]] for row in rows]
        if tags is None:
            return cut, None
        place = {label: index for index, label in enumerate(self.labels)}
        goes_on = {label: f"I-{label[2:]}" if label.startswith("B-") else label for label in place}
        inside = np.array([place.get(goes_on[label], place[label]) for label in self.labels])
        found = []
        for row, own in zip(rows, tags, strict=True):
            counts = np.array([len(parts[word]) for word in row], int)
            repeated = np.repeat(own, counts)
            later = np.ones(len(repeated), bool)
            later[np.cumsum(counts) - counts] = False
            repeated[later] = inside[repeated[later]]
            found.append(repeated)
        return cut, found

    def get_config(self):
        return {
            **super().get_config(),
            "labels": list(self.labels),
            "num_classes": self.num_classes,
            "dropout": self.dropout,
        }


def _check_counts(sentences, labels) -> None:
    if len(sentences) != len(labels):
        raise TinyBertError(
            "Expected one list of tags a sentence. "
            f"Received: {len(sentences)} sentences, {len(labels)} lists of tags"
        )
    for row, (words, tags) in enumerate(zip(as_words(sentences), labels, strict=True)):
        if len(words) != len(tags):
            raise TinyBertError(
                "Expected one tag a word. "
                f"Received: row {row} has {len(words)} words, {len(tags)} tags: {words!r}"
            )


def _at_first_pieces(tags: list[np.ndarray], encoded: EncodedWords) -> list[np.ndarray]:
    """Of each window the labels of its pieces."""
    found = []
    for ids, first, words, row in zip(
        encoded.token_ids, encoded.first_pieces, encoded.words, encoded.row, strict=True
    ):
        labels = np.full(len(ids), NO_TAG, "int32")
        labels[first] = tags[row][words]
        found.append(labels)
    return found


def _mask(first: np.ndarray, length: int) -> np.ndarray:
    mask = np.zeros(length, "int32")
    mask[first] = 1
    return mask
