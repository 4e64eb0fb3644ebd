"""Spaces of decoded text."""

import re

# Han characters, kana, and the punctuation that only they have.
_CHINESE = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_SPACE = re.compile(f"(?<=[{_CHINESE}]) +| +(?=[{_CHINESE}])")


def join_chinese(text: str) -> str:
    """Removes the spaces beside Chinese characters, which `WordPiece.decode` leaves.

    Example:
        >>> join_chinese("我 是 Tom Smith 。")
        '我是Tom Smith。'
    """
    return _SPACE.sub("", text)


# What each pattern of a text with spaces around all punctuation is written as. In this order.
_RULES = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        # don't, it's, we've; c'est, l'eau, qu'il; O'Neil
        (r"(?i)(?<=\w) ' (?=(?:s|t|re|ve|ll|d|m)\b)", "'"),
        (r"(?i)\b([cdjlmnst]|\w*qu|o) ' (?=\w)", r"\1'"),
        # state-of-the-art, and/or
        (r"(?<=\w) ([-/]) (?=\w)", r"\1"),
        # 3.50, 1,000, 10:30, 20%, $5
        (r"(?<=\d)\.\s(?=\d)", "."),
        (r"(?<=\d) ?, (?=\d{3}\b)", ","),
        (r"(?<=\d) : (?=\d)", ":"),
        (r"(?<=\d) %", "%"),
        (r"([$£€]) (?=\d)", r"\1"),
        # (a) [b] {c}, @name, #word
        (r"([(\[{]) ", r"\1"),
        (r" (?=[)\]}])", ""),
        (r"(?<!\S)([#@]) (?=\w)", r"\1"),
        # a; b: c
        (r" (?=[;:](?:\s|$))", ""),
        (r'" ([^"]*[^"\s]) "', r'"\1"'),
        (r"\. ?\. ?\.", "..."),
    )
)


def join_words(text: str) -> str:
    """Removes the spaces that `WordPiece.decode` leaves around punctuation.

    Word pieces do not tell whether there was a space, so these are rules: those of English, of
    French elisions, of numbers, brackets and quotes, and of Chinese.

    Example:
        >>> join_words("I don ' t know : it ' s a state - of - the - art model ( $ 3. 50 ).")
        "I don't know: it's a state-of-the-art model ($3.50)."
    """
    for pattern, written in _RULES:
        text = pattern.sub(written, text)
    return join_chinese(text)
