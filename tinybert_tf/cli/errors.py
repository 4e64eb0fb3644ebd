"""What goes wrong, in one line and without a traceback."""

import errno
import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator

import typer

from tinybert_tf.cli.console import clear_line, error_line
from tinybert_tf.errors import TinyBertError

USER_ERROR, BUG, INTERRUPTED = 2, 1, 130
# EFBIG: a limit on file sizes; EDQUOT: a quota. To the user all three are a full disk.
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FULL_TEXT = re.compile(r"no space left|file too large|quota exceeded|errno = (28|27|122)\b", re.I)
# Keras and AutoGraph rewrite what a layer raises; the original stays in the chain of contexts.
_REWRITTEN = re.compile(
    r"Exception encountered when calling|Could not automatically infer|in user code:"
)


def guarded(command: Callable) -> Callable:
    """Wraps a command: errors become one red line and an exit status; `debug=True` raises them.

    Status 2: the input or the machine is to blame; 130: interrupted; 1: a bug.
    """

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except BaseException as error:
            if not isinstance(error, (Exception, KeyboardInterrupt)):
                raise
            if kwargs.get("debug"):
                traceback.print_exc()
            message, status = describe(error)
            clear_line()
            error_line(message)
        # Outside the handler: no error hangs on to the models and their memory.
        raise typer.Exit(status)

    return wrapped


def describe(error: BaseException) -> tuple[str, int]:
    """Returns the line to print and the exit status."""
    error = _original(error)
    if isinstance(error, KeyboardInterrupt):
        detail = str(error)
        return ("interrupted" + (f"; {detail}" if detail else ""), INTERRUPTED)
    if _is_full_disk(error):
        detail = _one_line(str(error)) if isinstance(error, TinyBertError) else _place(error)
        return f"the disk is full: free some space, then run the same command. {detail}", USER_ERROR
    if isinstance(error, TinyBertError):
        return _one_line(str(error)), USER_ERROR
    if isinstance(error, MemoryError) or _is_tensorflow(error, "ResourceExhaustedError"):
        advice = "try a smaller --batch-size or --max-length"
        return f"not enough memory: {advice}. {_one_line(str(error))[:200]}".strip(), USER_ERROR
    if isinstance(error, OSError):
        return _place(error), USER_ERROR
    line = _one_line(str(error))
    return f"unexpected {type(error).__name__}: {line} (--debug shows where)", BUG


def _original(error: BaseException) -> BaseException:
    """The TinyBertError beneath what Keras and AutoGraph made of it, else the error itself."""
    if not _REWRITTEN.search(str(error)):
        return error
    for link in _chain(error):
        if isinstance(link, TinyBertError) and not _REWRITTEN.search(str(link)):
            return link
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, outermost first."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _is_full_disk(error: BaseException) -> bool:
    """Looks through the chain of causes: libraries hide the system's error in their own."""
    for link in _chain(error):
        if isinstance(link, OSError):
            if link.errno in _FULL or (link.errno is None and _FULL_TEXT.search(str(link))):
                return True
        elif _is_tensorflow(link, "OpError") and _FULL_TEXT.search(str(link)):
            return True
    return False


def _is_tensorflow(error: BaseException, name: str) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, getattr(tensorflow.errors, name))


def _place(error: BaseException) -> str:
    """An OSError as `reason: file`."""
    reason = getattr(error, "strerror", None) or _one_line(str(error))
    name = getattr(error, "filename", None)
    return f"{reason}: {os.fspath(name)!r}" if isinstance(name, str | os.PathLike) else reason
