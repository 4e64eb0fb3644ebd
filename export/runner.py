"""Exported files by task: strings in, answers out, no TensorFlow."""

import os
from collections.abc import Callable

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.answers import AnswersQuestions, TagsWords
from tinybert_tf.evaluate.out_of_scope import OutOfScopeThreshold, detect
from tinybert_tf.export.file_settings import kind_of, packed_labels
from tinybert_tf.export.model_file import ModelFile, read_model_file
from tinybert_tf.export.runtime import TFLiteModel
from tinybert_tf.export.seq2seq_runner import TFLiteSeq2Seq


class TFLiteClassifier(TFLiteModel):
    """A `.tflite` text classifier: strings in, probabilities out, no TensorFlow.

    Of a file with signatures for several lengths, the shortest that a text fits into runs it.

    Args:
        path: path. A file with three int32 `(1, S)` inputs and a float32 `(1, N)` output, or
            several graphs of this kind, one a signature.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.
        tokenizer: WordPiece. Defaults to `None`: the one packed into the file.

    Attributes:
        out_of_scope: OutOfScopeThreshold packed into the file (see `to_tflite`), or `None`.

    Raises:
        TinyBertError: If the file is no TFLite file, is truncated, or its inputs and outputs are
            not a text classifier's.

    Example:
        >>> TFLiteClassifier("model.tflite").classify(["what a film!"])
        ['positive']
    """

    kinds = ("classes", "labels", "score")
    expected = "a text classifier"

    def _read(self, file: ModelFile) -> None:
        self.num_classes = self.num_outputs
        self.multi_label = self.kind == "labels"
        self.regression = self.kind == "score"
        self.labels = packed_labels(file, self.num_classes)
        packed = file.settings.get("out_of_scope")
        self.out_of_scope = None if packed is None else OutOfScopeThreshold.from_dict(packed)

    def predict_proba(self, texts, progress: Callable[[], None] | None = None) -> np.ndarray:
        """Returns probabilities `(n, num_classes)`.

        Args:
            texts: list of strings, or a tuple of two such lists for sentence pairs.
            progress: callable. Called after each text. Defaults to `None`.

        Raises:
            TinyBertError: If the file is a regression; see `predict_scores`.
        """
        if self.regression:
            raise TinyBertError(
                "Expected the file of a classifier; a regression has `predict_scores`. "
                f"Received: {str(self.path)!r}"
            )
        return self.predict(texts, progress)

    def predict_scores(self, texts, progress: Callable[[], None] | None = None) -> np.ndarray:
        """Returns a regression's scores `(n, 1)`; arguments as in `predict_proba`.

        Raises:
            TinyBertError: If the file has classes.
        """
        if not self.regression:
            raise TinyBertError(
                "Expected the file of a regression; a classifier has `predict_proba`. "
                f"Received: {str(self.path)!r}"
            )
        return self.predict(texts, progress)

    def classify(self, texts, threshold: float = 0.5) -> list:
        """Returns the label of each text, or the list of labels above `threshold`.

        `None` stands for a text that the file's `out_of_scope` finds to be of no known class.
        """
        probabilities = self.predict_proba(texts)
        if self.multi_label:
            return [
                [name for name, p in zip(self.labels, row, strict=True) if p >= threshold]
                for row in probabilities
            ]
        answers = [self.labels[index] for index in probabilities.argmax(axis=-1)]
        if self.out_of_scope is None:
            return answers
        unknown = detect(self.out_of_scope.scores(probabilities), self.out_of_scope)
        return [None if out else name for out, name in zip(unknown, answers, strict=True)]

    def attention(self, text: str) -> tuple[list[str], np.ndarray]:
        """What [CLS] attends to in the last block, of a file that was exported with it.

        Args:
            text: string.

        Returns:
            The tokens, and float32 `(heads, tokens)`, rows that sum to 1.

        Raises:
            TinyBertError: If the file has no such output.
        """
        encoded = self.encode([text])
        ids = encoded.token_ids[0]
        found = self.run_attention(ids, encoded.segment_ids[0])
        if found is None:
            raise TinyBertError(
                "Expected a file exported with attention=True (--attention). "
                f"Received: {str(self.path)!r}"
            )
        return [self.tokenizer.vocabulary[token_id] for token_id in ids], found

    def _normalized(self, probabilities: np.ndarray) -> np.ndarray:
        """An int8 softmax returns multiples of 1/256, whose sum may miss 1."""
        total = probabilities.sum()
        exact = self.multi_label or self.regression or total <= 0
        if self.quantization != "static_int8" or exact:
            return probabilities
        return probabilities / total


class TFLiteTokenClassifier(TagsWords, TFLiteModel):
    """A `.tflite` tagger: words or texts in, tags or entities out, no TensorFlow.

    An app does the same in three steps: cut the text into words and pieces (`split_words`,
    `encode_windows`), take the row of each word's first piece, join the tags (`entities_of`).

    Example:
        >>> TFLiteTokenClassifier("ner.tflite").find_entities(["a day in New York"])
        [[{'type': 'place', 'start': 9, 'end': 17, 'score': 0.98, 'text': 'New York'}]]
    """

    kinds = ("tokens",)
    expected = "a token classifier"
    by_token = True

    def _read(self, file: ModelFile) -> None:
        self.num_classes = self.num_outputs
        self.labels = packed_labels(file, self.num_classes)


class TFLiteQuestionAnswering(AnswersQuestions, TFLiteModel):
    """A `.tflite` question-answering model: questions and contexts in, answers out.

    An app does the same in three steps: cut the context into windows (`encode_questions`), run
    each, take the best span (`decode_spans`).

    Example:
        >>> TFLiteQuestionAnswering("qa.tflite").answer(["Who wrote it?"], ["Ada wrote it."])
        [Prediction(text='Ada', start=0, end=3, score=...)]
    """

    kinds = ("spans",)
    expected = "a question-answering model"
    by_token = True

    def _read(self, file: ModelFile) -> None:
        found = file.settings.get("question_answering", {})
        self.stride = int(found.get("stride", 128))
        self.max_question = int(found.get("max_question", 64))
        self.null_threshold = found.get("null_threshold")


class TFLiteSentenceEmbedder(TFLiteModel):
    """A `.tflite` sentence embedder: strings in, vectors of length one out.

    Example:
        >>> TFLiteSentenceEmbedder("embed.tflite").embed(["how do I pay?"]).shape
        (1, 384)
    """

    kinds = ("embedding",)
    expected = "a sentence embedder"

    def embed(self, texts: list[str]) -> np.ndarray:
        """Returns a vector for each text, float32 `(n, hidden_dim)`."""
        return self.predict(list(texts))


_CLASSES = (
    TFLiteClassifier,
    TFLiteTokenClassifier,
    TFLiteQuestionAnswering,
    TFLiteSentenceEmbedder,
    TFLiteSeq2Seq,
)


def open_file(
    path: str | os.PathLike, num_threads: int | None = None
) -> TFLiteModel | TFLiteSeq2Seq:
    """Opens an exported file with the runner of its task.

    Args:
        path: path. The `.tflite` file.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.

    Raises:
        TinyBertError: As `TFLiteClassifier`.
    """
    kind = kind_of(read_model_file(path))
    found = next((cls for cls in _CLASSES if kind in cls.kinds), TFLiteClassifier)
    return found(path, num_threads=num_threads)
