"""Keeps the chatter of native libraries off the terminal."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Swallows what the block writes to the process's standard error, C++ included.

    TensorFlow's converter and XNNPACK log through the file descriptor, past Python's logging.
    If the block raises, all that was swallowed is printed after all. Not for blocks that run
    beside other threads that report on standard error.
    """
    with contextlib.ExitStack() as stack:
        try:
            terminal = os.dup(2)
        except OSError:  # no standard error at all, as in some services
            yield
            return
        stack.callback(os.close, terminal)
        swallowed = stack.enter_context(tempfile.TemporaryFile())
        _flush()
        os.dup2(swallowed.fileno(), 2)
        try:
            yield
        except BaseException:
            _restore(terminal)
            swallowed.seek(0)
            sys.stderr.write(swallowed.read().decode("utf-8", "replace"))
            raise
        else:
            _restore(terminal)


def _restore(terminal: int) -> None:
    _flush()
    os.dup2(terminal, 2)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
