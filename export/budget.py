"""What each sub-network of an adaptive student costs and scores as a file."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tinybert_tf.adaptive.pareto import Pareto, ParetoRow
from tinybert_tf.adaptive.student import AdaptiveStudent
from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.benchmark import compare_files, file_contenders
from tinybert_tf.export.converter import to_tflite
from tinybert_tf.export.verification import verify


def measure_subnetworks(
    student: AdaptiveStudent,
    texts,
    labels: Sequence,
    folder: str | os.PathLike,
    target: str = "universal",
    sequence_length: int | None = None,
    calibration_texts=None,
    threads: int = 2,
    repeats: int = 100,
    title: str = "",
    progress: Callable[[str], None] | None = None,
) -> Pareto:
    """Exports every sub-network, runs each file on dev, and times all of them in turns.

    Args:
        student: AdaptiveStudent.
        texts: list of strings, or a tuple of two such lists. Dev texts.
        labels: label names or numbers.
        folder: path. Where the files go, as `width_0.25_depth_0.5.tflite`.
        target: string. The export profile, see `TARGETS`. Defaults to `"universal"`.
        sequence_length: int. Tokens of the inputs. Defaults to `None`: the classifier's.
        calibration_texts: list of strings. Training texts, as `texts` of `to_tflite`. Defaults
            to `None`.
        threads: int. Threads of the interpreter when files are timed. Defaults to `2`.
        repeats: int. Timed calls of each file, at least. Defaults to `100`.
        title: string. Of the table. Defaults to `""`.
        progress: callable. Called with the name of each file that is made. Defaults to `None`.

    Returns:
        Pareto: a row a sub-network, smallest depth first.

    Raises:
        TinyBertError: If `sequence_length` is not one number, or as `to_tflite`, `verify` and
            `compare_files`.

    Example:
        >>> pareto = measure_subnetworks(student, dev_texts, dev_labels, "files")
        >>> pareto.choose(latency_ms=4.0).width
        0.5
    """
    if sequence_length is not None and not isinstance(sequence_length, int):
        raise TinyBertError(
            f"Expected one length to measure. Received: sequence_length={sequence_length!r}"
        )
    measured = []
    for found in student.subnetworks:
        path = Path(folder, f"width_{found.width:g}_depth_{found.depth:g}.tflite")
        result = to_tflite(
            student.extract(found.width, found.depth),
            path,
            target=target,
            sequence_length=sequence_length,
            texts=calibration_texts,
        )
        checked = verify(path, texts, labels, num_threads=threads, progress=False)
        measured.append((found, result, checked.accuracy))
        if progress is not None:
            progress(path.name)
    contenders = file_contenders([result.path for _, result, _ in measured], threads=(threads,))
    timings = {
        timing.contender.path: timing.timing.latency.median_ms
        for timing in compare_files(contenders, repeats=repeats, memory=False)
    }
    rows = tuple(
        ParetoRow(
            width=found.width,
            depth=found.depth,
            parameters=found.parameters,
            megabytes=result.size_bytes / 1e6,
            latency_ms=timings[result.path],
            accuracy=accuracy,
            file=result.path.name,
        )
        for found, result, accuracy in measured
    )
    return Pareto(rows, title)
