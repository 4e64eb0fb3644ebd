"""How long one call of an exported file takes."""

import os

import numpy as np

from tinybert_tf.evaluate.latency import Latency, time_calls
from tinybert_tf.export.runner import TFLiteClassifier


def time_file(
    path: str | os.PathLike, threads: int = 2, repeats: int = 50, warmup: int = 5
) -> Latency:
    """Times the graph of a file, without tokenization.

    Shapes are static, so that the figure does not depend on the text.

    Args:
        path: path. A `.tflite` text classifier.
        threads: int. Threads of the interpreter. Defaults to `2`.
        repeats: int. Timed calls. Defaults to `50`.
        warmup: int. Calls before timing starts. Defaults to `5`.

    Returns:
        Latency, in milliseconds.

    Raises:
        TinyBertError: If the file cannot be run or an argument is out of range.
    """
    runner = TFLiteClassifier(path, num_threads=threads)
    runner.run(np.zeros(runner.sequence_length, "int32"))
    return time_calls(runner.invoke, repeats=repeats, warmup=warmup)
