"""The rules by which BERT cuts text into word pieces, run by Hugging Face's `tokenizers`."""

import re
from collections.abc import Iterator

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tinybert_tf.text.vocabulary import SPECIAL_TOKENS

_SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))


class BertRules:
    """Cuts texts into word pieces as transformers' `BertTokenizer` does; see `WordPiece`.

    Args:
        ids: dict of token to id.
        lowercase: bool.
        strip_accents: bool or None.
        tokenize_chinese_chars: bool.
        max_input_chars_per_word: int.
    """

    def __init__(
        self,
        ids: dict[str, int],
        lowercase: bool,
        strip_accents: bool | None,
        tokenize_chinese_chars: bool,
        max_input_chars_per_word: int,
    ):
        self._tokenizer = Tokenizer(
            models.WordPiece(
                ids, unk_token="[UNK]", max_input_chars_per_word=max_input_chars_per_word
            )
        )
        self._tokenizer.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            lowercase=lowercase,
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._tokenizer.add_special_tokens(list(SPECIAL_TOKENS))

    def ids(self, texts: list[str]) -> Iterator[list[int]]:
        """Yields each text's ids."""
        for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            yield encoding.ids

    def pieces(self, texts: list[str]) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
        """Yields each text's ids, and each one's first character and the one after its last."""
        for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False):
            yield encoding.ids, encoding.offsets

    def words(self, text: str) -> list[str]:
        """The words of a text, normalized; the special tokens in it are none."""
        normalizer, splitter = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        return [
            word
            for part in _SPECIAL.split(text)
            for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(part))
        ]
