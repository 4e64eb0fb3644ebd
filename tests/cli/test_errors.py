"""One line for every way to fail."""

import errno

import keras
import numpy as np
import pytest
import tensorflow as tf

from tinybert_tf.cli.errors import BUG, INTERRUPTED, USER_ERROR, describe
from tinybert_tf.errors import TinyBertError


class Refusing(keras.layers.Layer):
    """Raises a user-facing error when called."""

    def call(self, inputs):
        raise TinyBertError("Expected a shorter text.\nReceived: length=600")


def raised(function, *arguments) -> BaseException:
    with pytest.raises(BaseException) as caught:
        function(*arguments)
    return caught.value


def test_an_error_inside_a_layer_loses_keras_wrapping():
    error = raised(Refusing(), np.zeros((1, 2)))
    assert "Exception encountered when calling" in str(error)
    expected = ("Expected a shorter text. Received: length=600", USER_ERROR)
    assert describe(error) == expected
    model = keras.Sequential([keras.layers.Dense(2), Refusing()])
    assert describe(raised(model, np.zeros((1, 2)))) == expected


def test_an_error_inside_a_graph_loses_autograph_wrapping():
    error = raised(tf.function(lambda x: Refusing()(x)), np.zeros((1, 2)))
    message, _ = describe(error)
    assert message == "Expected a shorter text. Received: length=600"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/data/model"),
        OSError(errno.EFBIG, "File too large", "/data/model"),
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space')"),
        tf.errors.ResourceExhaustedError(None, None, "run/tb; No space left on device"),
    ],
)
def test_a_full_disk_is_called_one(error):
    message, status = describe(error)
    assert message.startswith("the disk is full")
    assert status == USER_ERROR


def test_a_full_disk_is_found_behind_other_errors():
    error = TinyBertError("Could not write 'x'.")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert describe(error)[0].endswith("Could not write 'x'.")
    assert describe(error)[0].startswith("the disk is full")


def test_memory_and_files_and_interruptions():
    assert "smaller --batch-size" in describe(MemoryError())[0]
    assert (
        "smaller --batch-size" in describe(tf.errors.ResourceExhaustedError(None, None, "OOM"))[0]
    )
    error = PermissionError(errno.EACCES, "Permission denied", "/data/x")
    assert describe(error) == ("Permission denied: '/data/x'", USER_ERROR)
    assert describe(KeyboardInterrupt()) == ("interrupted", INTERRUPTED)
    assert describe(KeyboardInterrupt("kept")) == ("interrupted; kept", INTERRUPTED)


def test_a_bug_says_what_it_is_and_how_to_see_more():
    message, status = describe(KeyError("weight"))
    assert message == "unexpected KeyError: 'weight' (--debug shows where)"
    assert status == BUG
