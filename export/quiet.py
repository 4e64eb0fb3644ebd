"""Keeps the chatter of TensorFlow's converter and of the runtimes off the terminal."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from tinybert_tf.errors import TinyBertError


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Swallows what the block writes to standard error, in Python or in C++, and log warnings.

    The converter and XNNPACK write to the file descriptor, past Python. If the block fails
    unexpectedly (not with a `TinyBertError`, nor by Ctrl-C), all that was swallowed is printed
    after all. Not for blocks beside other threads that report on standard error.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as swallowed:
        try:
            with _redirected(swallowed):
                yield
        except Exception as error:
            if not isinstance(error, TinyBertError) and sys.stderr is not None:
                swallowed.seek(0)
                sys.stderr.write(swallowed.read())
            raise


@contextlib.contextmanager
def _redirected(target: IO) -> Iterator[None]:
    """Points descriptor 2 and `sys.stderr` to an open file, and raises the level of logging."""
    log_level = logging.root.manager.disable
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # closed, as in some services
        terminal = None
    try:
        if terminal is not None:
            os.dup2(target.fileno(), 2)
        logging.disable(logging.WARNING)
        with contextlib.redirect_stderr(target):
            yield
    finally:
        target.flush()
        logging.disable(log_level)
        if terminal is not None:
            os.dup2(terminal, 2)
            os.close(terminal)
