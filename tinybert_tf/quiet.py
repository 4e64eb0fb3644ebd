"""Keeps the chatter of native libraries off the terminal while TensorFlow starts."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Swallows what the block writes to the process's standard error, C++ included.

    Python's logging settings do not reach native code, which writes to file descriptor 2. If the
    block fails, what was swallowed is printed after all; an interruption needs no explanation.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # no standard error at all, as in some services
        yield
        return
    with tempfile.TemporaryFile() as swallowed:
        _flush()
        os.dup2(swallowed.fileno(), 2)
        try:
            yield
        except Exception:
            _restore(terminal)
            swallowed.seek(0)
            sys.stderr.write(swallowed.read().decode("utf-8", "replace"))
            raise
        finally:
            _restore(terminal)
            os.close(terminal)


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
        import tensorflow  # noqa: F401, I001
        import keras_hub  # noqa: F401


def _restore(terminal: int) -> None:
    _flush()
    os.dup2(terminal, 2)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
