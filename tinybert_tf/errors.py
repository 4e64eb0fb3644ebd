"""The error that a user can act on."""


class TinyBertError(ValueError):
    """Bad input, said in terms of what was expected and what came.

    Messages state the expectation first and end with `Received: name=value`. The command line
    prints them without a traceback and exits with status 2.
    """
