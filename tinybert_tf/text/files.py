"""Text files read whole, with errors that name line and byte."""

import gzip
import os
import zlib
from pathlib import Path

from tinybert_tf.errors import TinyBertError


def read_text(path: str | os.PathLike) -> str:
    """Reads a UTF-8 file, gzip-compressed if its name ends in .gz.

    Raises:
        TinyBertError: If it is absent, unreadable, no gzip file, not UTF-8 (naming line and
            byte) or holds NUL bytes.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".gz":
            data = gzip.decompress(data)
    except FileNotFoundError as error:
        raise TinyBertError(f"An existing file is expected. Received: {str(path)!r}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise TinyBertError(
            f"A readable file is expected. Received: {str(path)!r} ({reason})"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The decoder counts from the end of the byte order mark.
        start = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        hint = " (UTF-16?)" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise TinyBertError(
            f"UTF-8 text is expected. Received: {_line_and_byte(path, data, start)} is "
            f"0x{data[start]:02x}{hint}"
        ) from error
    if "\0" in text:
        place = _line_and_byte(path, data, data.index(b"\0"))
        raise TinyBertError(f"Text without NUL bytes is expected. Received: {place} is 0x00")
    return text


def _line_and_byte(path: Path, data: bytes, start: int) -> str:
    """Returns `file:line: byte n` of an offset, both counted from 1."""
    line_start = data.rfind(b"\n", 0, start) + 1
    line = data.count(b"\n", 0, start) + 1
    return f"{path}:{line}: byte {start - line_start + 1}"
