"""The rules by which MediaPipe's TextClassifier cuts text into word pieces.

MediaPipe reads a BERT vocabulary, but its tokenizer is not BERT's: only ASCII letters are
lower-cased, accents stay, text is not cleaned, white space beyond ASCII separates nothing, and
segment ids are always 0. So "café" is `[UNK]` there. Source: `bert_tokenizer.cc` and
`regex_split.cc` in MediaPipe and TensorFlow Text; the characters below were read off MediaPipe
1.2.2 by a model that returns its ids, all of Unicode one by one (tests/text/test_mediapipe_rules.py
does it again).
"""

import re
from collections.abc import Iterator

# Longer words become [UNK]: bytes in UTF-8.
MAX_BYTES_PER_WORD = 100
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_SPACE = "\t\n\f\r "
# Characters that are words of their own: ASCII's punctuation and symbols, the blocks of Chinese
# characters, and Unicode's punctuation (`P` of RE2).
_ASCII = "21-2f 3a-40 5b-60 7b-7e"
_CHINESE = (
    "3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b73f 2b740-2b81f 2b820-2ceaf 2f800-2fa1f"
)
_PUNCTUATION = """
    a1 a7 ab b6-b7 bb bf 37e 387 55a-55f 589-58a 5be 5c0 5c3 5c6 5f3-5f4 609-60a 60c-60d 61b
    61d-61f 66a-66d 6d4 700-70d 7f7-7f9 830-83e 85e 964-965 970 9fd a76 af0 c77 c84 df4 e4f
    e5a-e5b f04-f12 f14 f3a-f3d f85 fd0-fd4 fd9-fda 104a-104f 10fb 1360-1368 1400 166e 169b-169c
    16eb-16ed 1735-1736 17d4-17d6 17d8-17da 1800-180a 1944-1945 1a1e-1a1f 1aa0-1aa6 1aa8-1aad
    1b4e-1b4f 1b5a-1b60 1b7d-1b7f 1bfc-1bff 1c3b-1c3f 1c7e-1c7f 1cc0-1cc7 1cd3 2010-2027 2030-2043
    2045-2051 2053-205e 207d-207e 208d-208e 2308-230b 2329-232a 2768-2775 27c5-27c6 27e6-27ef
    2983-2998 29d8-29db 29fc-29fd 2cf9-2cfc 2cfe-2cff 2d70 2e00-2e2e 2e30-2e4f 2e52-2e5d 3001-3003
    3008-3011 3014-301f 3030 303d 30a0 30fb a4fe-a4ff a60d-a60f a673 a67e a6f2-a6f7 a874-a877
    a8ce-a8cf a8f8-a8fa a8fc a92e-a92f a95f a9c1-a9cd a9de-a9df aa5c-aa5f aade-aadf aaf0-aaf1 abeb
    fd3e-fd3f fe10-fe19 fe30-fe52 fe54-fe61 fe63 fe68 fe6a-fe6b ff01-ff03 ff05-ff0a ff0c-ff0f
    ff1a-ff1b ff1f-ff20 ff3b-ff3d ff3f ff5b ff5d ff5f-ff65 10100-10102 1039f 103d0 1056f 10857
    1091f 1093f 10a50-10a58 10a7f 10af0-10af6 10b39-10b3f 10b99-10b9c 10d6e 10ead 10ed0
    10f55-10f59 10f86-10f89 11047-1104d 110bb-110bc 110be-110c1 11140-11143 11174-11175
    111c5-111c8 111cd 111db 111dd-111df 11238-1123d 112a9 113d4-113d5 113d7-113d8 1144b-1144f
    1145a-1145b 1145d 114c6 115c1-115d7 11641-11643 11660-1166c 116b9 1173c-1173e 1183b
    11944-11946 119e2 11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45
    11c70-11c71 11ef7-11ef8 11f43-11f4f 11fff 12470-12474 12ff1-12ff2 16a6e-16a6f 16af5
    16b37-16b3b 16b44 16d6d-16d6f 16e97-16e9a 16fe2 1bc9f 1da87-1da8b 1e5ff 1e95e-1e95f
"""


class MediaPipeRules:
    """Cuts texts into word pieces as MediaPipe does.

    Args:
        ids: dict of token to id.
        unk_id: int. The id of `[UNK]`.
    """

    def __init__(self, ids: dict[str, int], unk_id: int):
        self._ids = ids
        self._unk_id = unk_id

    def ids(self, texts: list[str]) -> Iterator[list[int]]:
        """Yields each text's ids."""
        for text in texts:
            yield [piece[0] for piece in self._cut(text)]

    def pieces(self, texts: list[str]) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
        """Yields each text's ids, and each one's first character and the one after its last."""
        for text in texts:
            found = list(self._cut(text))
            yield [piece[0] for piece in found], [piece[1:] for piece in found]

    def words(self, text: str) -> list[str]:
        """The words of a text, normalized."""
        return [word for _, word in _words(_normalized(text))]

    def _cut(self, text: str) -> Iterator[tuple[int, int, int]]:
        for start, word in _words(_normalized(text)):
            yield from self._pieces_of(word, start)

    def _pieces_of(self, word: str, offset: int) -> list[tuple[int, int, int]]:
        """The greedy longest pieces of a word, or `[UNK]` for all of it."""
        whole = [(self._unk_id, offset, offset + len(word))]
        if len(word.encode("utf-8")) > MAX_BYTES_PER_WORD:
            return whole
        found: list[tuple[int, int, int]] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self._ids.get(prefix + word[start:end])
                if piece is not None:
                    break
            else:
                return whole
            found.append((piece, offset + start, offset + end))
            start = end
        return found


def _normalized(text: str) -> str:
    """Lower-cased in ASCII. MediaPipe takes C strings: what follows a NUL is lost."""
    return text.partition("\0")[0].translate(_LOWER)


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Words and separating characters but white space, each with where it starts."""
    before = 0
    for match in _SEPARATOR.finditer(text):
        if match.start() > before:
            yield before, text[before : match.start()]
        if match[0][0] not in _SPACE:
            yield match.start(), match[0]
        before = match.end()
    if before < len(text):
        yield before, text[before:]


def _characters(ranges: str) -> str:
    """Hexadecimal ranges as the inside of a regular expression's brackets."""
    pairs = [part.partition("-") for part in ranges.split()]
    return "".join(f"\\U{first:0>8}-\\U{last or first:0>8}" for first, _, last in pairs)


_SEPARATOR = re.compile(
    f"[{_SPACE}]+|[{_characters(_ASCII)}{_characters(_CHINESE)}{_characters(_PUNCTUATION)}]"
)
