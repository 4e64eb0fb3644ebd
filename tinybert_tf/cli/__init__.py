"""The command line `tinybert-tf`: one word a step, one file a command."""

from tinybert_tf.cli.app import app, main

__all__ = ["app", "main"]
