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
