"""`tinybert-tf verify`: does the exported file do what the Keras model does?"""

import time
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, hint, out, pairs_table, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.results import percent, shown
from tinybert_tf.cli.tasks import task_of
from tinybert_tf.errors import TinyBertError

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE|BUNDLE", help="The .tflite file, or a bundle.", show_default=False
    ),
]
Data = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]",
        help="Labelled texts, as 'finetune' takes them; of a bundle not needed.",
        show_default=False,
    ),
]
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
    data: Data = None,
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
        tinybert-tf verify bundle
    """
    if file.is_dir():
        file = _check_bundle(file, threads)
        if data is None:
            return
    elif data is None:
        raise TinyBertError(
            f"Expected labelled texts after the file. Received: {str(file)!r} alone"
        )
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
    if task_of(runner).generates:
        rows, score, called = _generation_rows(runner, classifier, examples, gpu)
        out.print(pairs_table(str(file), rows))
        _check_score(score, called, min_accuracy, file, data)
        return
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
    _check_score(found.score, called, min_accuracy, file, data)


def _check_bundle(folder: Path, threads: int) -> Path:
    """Checks a bundle and returns its model."""
    with working("checking the bundle"):
        from tinybert_tf.export.bundle_check import verify_bundle

        found = verify_bundle(folder, num_threads=threads)
    manifest = found.bundle.manifest
    rows = {
        "model": manifest["name"],
        "files": f"{found.files}, checksums right",
        "golden vectors": f"{found.rows} replayed, same token ids",
        "largest difference": f"{found.largest_difference:.2g}",
    }
    out.print(pairs_table(str(folder), rows))
    return found.bundle.model


def _check_score(score: float, called: str, least: float | None, file: Path, data: str) -> None:
    if least is not None and score < least:
        raise TinyBertError(
            f"Expected {_article(called)} {called} of at least {least:g}. "
            f"Received: {score:.4f} of {str(file)!r} on {data!r}"
        )


def _generation_rows(runner, model, examples, gpu: bool) -> tuple[dict, float, str]:
    """Scores what file and Keras model write: the table's rows, the file's score from 0 to 1."""
    from tinybert_tf.evaluate.tasks import MAIN_SCORES, evaluate_generated, kind_of_report

    if gpu:
        raise TinyBertError(
            "Expected no --gpu for a model that writes texts: it is checked on the CPU. "
            "Received: --gpu"
        )
    if model is not None and model.kind != runner.kind:
        raise TinyBertError(
            "Expected the model that the file was exported from. "
            f"Received: a model for --task {task_of(model).name}"
        )
    kind = kind_of_report(runner)
    attribute, called = MAIN_SCORES[kind]
    with working(f"generating {len(examples):,} texts"):
        started = time.monotonic()
        written = runner.generate(examples.inputs)
        seconds = (time.monotonic() - started) / len(examples)
        reference = None if model is None else model.generate(examples.inputs)
    found = evaluate_generated(written, examples.labels, kind)
    rows = {
        task_of(runner).rows: f"{len(examples):,}",
        called: shown(kind, getattr(found, attribute)),
        "BLEU": shown(kind, getattr(found, "bleu", None)),
        "size": f"{file_size(runner.size_bytes)}, {runner.quantization}",
        "latency": f"{1000 * seconds:.1f} ms a text, on this machine",
    }
    if reference is not None:
        keras = evaluate_generated(reference, examples.labels, kind)
        same = sum(a == b for a, b in zip(written, reference, strict=True))
        rows[f"Keras' {called}"] = shown(kind, getattr(keras, attribute))
        rows["same text as Keras"] = percent(same / len(examples))
    return rows, getattr(found, attribute) / (100 if kind == "translation" else 1), called


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
