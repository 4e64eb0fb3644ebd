"""Keeps the chatter of native libraries off the terminal."""

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
        _release_handlers(target)
        if terminal is not None:
            os.dup2(terminal, 2)
            os.close(terminal)


def _release_handlers(target: IO) -> None:
    """Points log handlers that were made meanwhile, such as TensorFlow's, to standard error."""
    for reference in logging._handlerList:
        handler = reference()
        if isinstance(handler, logging.StreamHandler) and handler.stream is target:
            handler.setStream(sys.stderr)


def start_tensorflow() -> None:
    """Imports TensorFlow, Keras and keras-hub without a line on the terminal.

    TensorFlow logs its CPU features and missing GPU drivers before any log level is in force, so
    the level alone does not silence its start.
    """
    if "keras_hub" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with quiet_stderr():
        import tensorflow  # noqa: I001
        import keras_hub  # noqa: F401
    # Short jobs trace a function for several lengths and models, which it would warn of.
    tensorflow.get_logger().setLevel(logging.ERROR)
