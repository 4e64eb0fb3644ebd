"""Exported sequence-to-sequence files: strings in, strings out, no TensorFlow."""

import os

import numpy as np

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.beam_search import beam_search
from tinybert_tf.export.file_settings import kind_of, open_interpreter
from tinybert_tf.export.model_file import ModelFile, read_model_file
from tinybert_tf.text.spacing import join_words
from tinybert_tf.text.strings import check_strings
from tinybert_tf.text.wordpiece import WordPiece

KIND = "seq2seq"
# The packed vocabularies, one token a line.
SOURCE_FILE, TARGET_FILE = "vocab.txt", "target_vocab.txt"


class TFLiteSeq2Seq:
    """A `.tflite` translator or summarizer: strings in, strings out.

    The file has two signatures. `encode` reads the source once; `decode` reads one target token
    and gives the logits of the next, with the keys and values (`caches`) that the step after it
    takes. `greedy` is the whole loop, as an app writes it.

    Args:
        path: path. A file of `seq2seq_to_tflite`.
        num_threads: int. Threads of the interpreter. Defaults to `None`: one.

    Attributes:
        purpose: string. `"translation"` or `"summarization"`.
        sequence_length: int. Longest source in tokens; longer ones are cut.
        target_length: int. Longest target in tokens, [SEP] included.

    Raises:
        TinyBertError: If the file is no TFLite file, is truncated, or of another kind.

    Example:
        >>> TFLiteSeq2Seq("translate.tflite").generate(["I like tea."], beams=4)
        ['我喜欢茶。']
    """

    kinds = (KIND,)

    def __init__(self, path: str | os.PathLike, num_threads: int | None = None):
        file = read_model_file(path)
        self.kind = kind_of(file)
        if self.kind != KIND:
            raise TinyBertError(
                "Expected a sequence-to-sequence model. "
                f"Received: {str(file.path)!r}, whose kind is {self.kind!r}"
            )
        self.path = file.path
        self.size_bytes = file.size_bytes
        self.quantization = file.quantization
        settings = file.settings
        self.purpose = settings["purpose"]
        self.sequence_length = settings["sequence_length"]
        self.target_length = settings["target_length"]
        self.begin_id, self.end_id = settings["begin_id"], settings["end_id"]
        self.tokenizer = WordPiece(_vocabulary(file, SOURCE_FILE), **settings["tokenizer"])
        self.target_tokenizer = WordPiece(
            _vocabulary(file, TARGET_FILE), **settings["target_tokenizer"]
        )
        self._interpreter = open_interpreter(file, num_threads)
        self._encode = self._interpreter.get_signature_runner("encode")
        self._decode = self._interpreter.get_signature_runner("decode")

    # === Strings ===
    def generate(
        self,
        texts: list[str],
        beams: int = 1,
        max_length: int | None = None,
        length_penalty: float = 0.6,
    ) -> list[str]:
        """Translates or summarizes texts, as `TinyBertSeq2Seq.generate`.

        Args:
            texts: list of strings. Longer ones are cut to `sequence_length`.
            beams: int. 1 is greedy; more search for likelier targets. Defaults to `1`.
            max_length: int. Most target tokens, [SEP] included. Defaults to `None`:
                `target_length`.
            length_penalty: float. See `beam_search`. Defaults to `0.6`.

        Raises:
            TinyBertError: If `texts` are not strings, or `max_length` exceeds `target_length`.
        """
        texts = check_strings(texts, "texts")
        max_length = self.target_length if max_length is None else max_length
        if not 1 <= max_length <= self.target_length:
            raise TinyBertError(
                f"Expected a max_length from 1 to {self.target_length}, the target length of the "
                f"file. Received: max_length={max_length}"
            )
        if beams < 1:
            raise TinyBertError(f"Expected at least one beam. Received: beams={beams}")
        found = []
        for ids in self.tokenizer.encode(texts, max_length=self.sequence_length).token_ids:
            if beams == 1:
                best = self.greedy(ids, max_length)
            else:
                best = self._beam_search(ids, beams, max_length, length_penalty)
            found.append(join_words(self.target_tokenizer.decode(best)))
        return found

    # === Token ids ===
    def greedy(self, token_ids: np.ndarray, max_length: int) -> list[int]:
        """Takes the likeliest token at each position.

        Args:
            token_ids: int array `(length,)`. The source, [CLS] and [SEP] included, not padded.
            max_length: int. Most target tokens, [SEP] included.

        Returns:
            The target's token ids, without [CLS] and [SEP].
        """
        source = self.encode(token_ids)
        caches = self.empty_caches()
        token, found = self.begin_id, []
        for position in range(max_length):
            logits, caches = self.step(token, position, source, caches)
            token = int(logits.argmax())
            if token == self.end_id:
                break
            found.append(token)
        return found

    def encode(self, token_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the encoder on one source.

        Args:
            token_ids: int array `(length,)`. [CLS] and [SEP] included, not padded.

        Returns:
            What all steps take of it, by input name: `mask`, and float32 keys and values.

        Raises:
            TinyBertError: If there are no ids, too many, or one lies outside the word table.
        """
        length = len(token_ids)
        if not 1 <= length <= self.sequence_length:
            raise TinyBertError(
                f"Expected from 1 to {self.sequence_length} token ids. Received: {length}"
            )
        ids, mask, segment_ids = np.zeros((3, 1, self.sequence_length), "int32")
        ids[0, :length] = token_ids
        mask[0, :length] = 1
        return {"mask": mask, **_run(self._encode, ids=ids, mask=mask, segment_ids=segment_ids)}

    def empty_caches(self) -> dict[str, np.ndarray]:
        """The target's keys and values before the first step: zeros, by input name."""
        return {
            name: np.zeros(details["shape"], "float32")
            for name, details in self._decode.get_input_details().items()
            if name.startswith("self_")
        }

    def step(
        self, token: int, position: int, source: dict, caches: dict
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Reads one target token.

        Args:
            token: int. Its id.
            position: int. Its position, from 0 to `target_length - 1`.
            source: dict. What `encode` gave.
            caches: dict. What `empty_caches` or the step before gave; it stays as it is.

        Returns:
            Logits `(vocabulary_size,)` of the token that follows, and the caches of its step.

        Raises:
            TinyBertError: If the position or the token lies outside its table.
        """
        outputs = _run(
            self._decode,
            id=np.array([[token]], "int32"),
            position=np.array([[position]], "int32"),
            **source,
            **caches,
        )
        return outputs.pop("logits")[0], outputs

    def _beam_search(self, token_ids, beams: int, max_length: int, length_penalty: float):
        """As `greedy`, with a cache of its own for each beam."""
        source = self.encode(token_ids)

        def step(tokens, position, states):
            results = [
                self.step(token, position, source, caches)
                for token, caches in zip(tokens[:, 0], states, strict=True)
            ]
            logits, states = zip(*results, strict=True)
            return np.stack(logits), states

        (hypotheses,) = beam_search(
            step,
            [self.empty_caches()] * beams,
            rows=1,
            start_id=self.begin_id,
            end_id=self.end_id,
            max_length=max_length,
            beams=beams,
            length_penalty=length_penalty,
            reorder=lambda states, kept: [states[index] for index in kept],
        )
        return hypotheses[0].token_ids


def _run(runner, **inputs) -> dict[str, np.ndarray]:
    try:
        return runner(**inputs)
    except RuntimeError as error:
        raise TinyBertError(
            f"Expected inputs that the file can run on. Received: {error}"
        ) from error


def _vocabulary(file: ModelFile, name: str) -> list[str]:
    return file.packed[name].decode("utf-8").removesuffix("\n").split("\n")
