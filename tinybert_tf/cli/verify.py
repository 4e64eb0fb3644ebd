"""`tinybert-tf verify`: does the exported file do what the Keras model does?"""

from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, hint, out, pairs_table, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.results import percent
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.errors import TinyBertError

File = Annotated[Path, typer.Argument(help="The .tflite file.", show_default=False)]
Against = Annotated[
    Path | None,
    typer.Option(
        help="Run folder that the file was exported from, to compare every probability.",
        show_default=False,
    ),
]
Threads = Annotated[int, typer.Option(help="Threads of the interpreter.", min=1)]
MinAccuracy = Annotated[
    float | None,
    typer.Option(
        help="Fail below this accuracy (F1, correlation), from 0 to 1.",
        min=0.0,
        max=1.0,
        show_default=False,
    ),
]
Gpu = Annotated[
    bool,
    typer.Option(
        "--gpu/--no-gpu",
        help="Also run the first texts on LiteRT's GPU accelerator and compare with the CPU.",
    ),
]
GpuTolerance = Annotated[
    float | None,
    typer.Option(
        help="Largest difference of a probability between GPU and CPU.",
        min=0.0,
        show_default="1e-4; quantized files 1e-2",
    ),
]
# A software Vulkan device takes seconds a text.
_GPU_TEXTS = 8


@guarded
def verify(
    file: File,
    data: options.LabeledData,
    task: options.Task = None,
    against: Against = None,
    min_accuracy: MinAccuracy = None,
    threads: Threads = 2,
    gpu: Gpu = False,
    gpu_tolerance: GpuTolerance = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    debug: options.Debug = False,
) -> None:
    """Run an exported file on labelled texts and compare it with its Keras model.

    A float32 file must agree with Keras to 1e-4 in every probability. With --gpu, every operator
    must be accelerated too, and the GPU must agree with the CPU (1e-4; quantized files 1e-2).

    Examples:

        tinybert-tf verify model.tflite dev.csv --against runs/student
        tinybert-tf verify model.tflite dev.csv --min-accuracy 0.9
        tinybert-tf verify model.tflite dev.csv --gpu
    """
    with working("loading"):
        from tinybert_tf.cli.models import load_any, load_model, start

        start()
        from tinybert_tf import export
        from tinybert_tf.evaluate.tasks import MAIN_SCORES

        runner = load_any(file, None if task is None else task.value)
        classifier = None if against is None else load_model(against)
    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    examples = task_of(runner).read(data, columns, runner.kind == "labels", True)
    task_of(runner).check_known(examples, runner)
    gpu_check = _check_gpu(file, examples.inputs, gpu_tolerance) if gpu else None
    found = export.verify(
        file, examples.inputs, examples.labels, classifier=classifier, num_threads=threads
    )
    latency = export.time_file(file, threads=threads)
    called = MAIN_SCORES[found.kind][1]
    difference = found.max_probability_difference
    rows = {
        task_of(found).rows: f"{found.examples:,}",
        called: percent(found.score),
        "macro F1": percent(getattr(found.report, "macro_f1", None)),
        "exact match": percent(getattr(found.report, "exact", None)),
        f"Keras' {called}": percent(found.keras_score),
        "same answer as Keras": percent(found.agreement),
        "largest probability difference": None if difference is None else f"{difference:.2g}",
        "GPU accelerator": None if gpu_check is None else gpu_check.summary(),
        "size": f"{file_size(found.size_bytes)}, {found.quantization}",
        "latency": f"{latency.median_ms:.2f} ms a text, {threads} threads, on this machine",
    }
    out.print(pairs_table(str(file), rows))
    if classifier is None:
        hint("--against RUN compares every probability with the Keras model")
    if gpu_check is not None:
        gpu_check.require()
    if min_accuracy is not None and found.score < min_accuracy:
        raise TinyBertError(
            f"Expected {_article(called)} {called} of at least {min_accuracy:g}. "
            f"Received: {found.score:.4f} of {str(file)!r} on {data!r}"
        )


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def _check_gpu(file: Path, texts, tolerance: float | None):
    from tinybert_tf.export.accelerator import check_gpu

    if isinstance(texts, tuple):
        texts = tuple(part[:_GPU_TEXTS] for part in texts)
    else:
        texts = [row if isinstance(row, str) else " ".join(row) for row in texts[:_GPU_TEXTS]]
    with working("running on the GPU accelerator"):
        return check_gpu(file, texts, tolerance=tolerance)
