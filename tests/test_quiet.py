import logging
import os
import sys

import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.quiet import quiet_stderr


def test_descriptor_and_stream_are_swallowed_and_come_back(capfd):
    with quiet_stderr():
        os.write(2, b"from C++\n")
        print("from Python", file=sys.stderr)
        logging.getLogger("noisy").warning("from a logger")
        print("standard output stays")
    print("after", file=sys.stderr)
    assert capfd.readouterr() == ("standard output stays\n", "after\n")


def test_unexpected_failure_prints_what_was_swallowed(capfd):
    with pytest.raises(RuntimeError, match="broken"), quiet_stderr():
        os.write(2, b"the reason\n")
        raise RuntimeError("broken")
    assert capfd.readouterr().err == "the reason\n"


@pytest.mark.parametrize("error", [TinyBertError, KeyboardInterrupt])
def test_expected_failures_stay_quiet(capfd, error):
    with pytest.raises(error), quiet_stderr():
        os.write(2, b"noise\n")
        raise error
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
