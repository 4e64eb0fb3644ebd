"""What a Keras model and its exported file do alike with their outputs.

Either has `wordpiece`, `sequence_length` and `predict_outputs`; the mixins here make tags, entities
and answers of them.
"""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.evaluate.spans import Prediction
from tinybert_tf.evaluate.tag_decoding import best_tags, entities_of
from tinybert_tf.evaluate.tasks import answers_of, words_of
from tinybert_tf.text.strides import EncodedQuestions, encode_questions
from tinybert_tf.text.word_pieces import EncodedWords, as_words, encode_windows
from tinybert_tf.text.wordpiece import WordPiece


class TagsWords:
    """Sentences in, tags and entities out; needs `labels` besides."""

    wordpiece: WordPiece
    sequence_length: int
    labels: list[str]

    def encode(self, sentences) -> EncodedWords:
        """Windows of token ids from sentences, strings or lists of words."""
        return encode_windows(self.wordpiece, as_words(sentences), self.sequence_length)

    def predict_proba(self, sentences, **options) -> list[np.ndarray]:
        """Returns the tags' probabilities of each word, a list of arrays `(words, num_classes)`.

        A sentence longer than the input is read in overlapping windows.

        Args:
            sentences: list of strings, or of lists of words.
            **options: of `predict_outputs`; of a file `progress`.
        """
        return words_of(self.predict_outputs(sentences, **options), self.encode(sentences))

    def tag(self, sentences) -> list[list[str]]:
        """Returns a tag for each word; an `I-` without its `B-` becomes one."""
        return [best_tags(rows, self.labels) for rows in self.predict_proba(sentences)]

    def find_entities(self, texts: list[str]) -> list[list[dict]]:
        """Returns the entities of each text.

        Returns:
            Of each text a list of dicts with `type`, `start` and `end` (characters of the text),
            `text` and `score`, the mean probability of its words' tags.
        """
        pairs = zip(texts, self.predict_proba(texts), strict=True)
        return [entities_of(text, rows, self.labels) for text, rows in pairs]


class AnswersQuestions:
    """Questions and contexts in, answers out; needs the settings of the windows besides."""

    wordpiece: WordPiece
    sequence_length: int
    stride: int
    max_question: int
    null_threshold: float | None

    def encode(self, examples: tuple[Sequence[str], Sequence[str]]) -> EncodedQuestions:
        """Windows of token ids from a pair of lists: questions and contexts."""
        questions, contexts = examples
        return encode_questions(
            self.wordpiece,
            questions,
            contexts,
            max_length=self.sequence_length,
            stride=self.stride,
            max_question=min(self.max_question, self.sequence_length // 2),
        )

    def answer(self, questions: list[str], contexts: list[str], **options) -> list[Prediction]:
        """Returns the best answer to each question: its text and place in the context.

        Args:
            questions: list of strings.
            contexts: list of strings, one a question.
            **options: `max_answer_tokens` and `null_threshold` of `decode_spans`.
        """
        examples = (list(questions), list(contexts))
        options = {"null_threshold": self.null_threshold, **options}
        outputs = self.predict_outputs(examples)
        return answers_of(outputs, self.encode(examples), contexts, **options)
