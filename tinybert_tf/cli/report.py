"""`tinybert-tf report`: a run as one HTML page."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import file_size, hint, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.tasks import TaskData, task_of
from tinybert_tf.errors import TinyBertError

THREADS = 2
# Where the data of a demo come from.
TEST = "the embedded test sentences"

RunFolder = Annotated[Path, typer.Argument(help="The finished run.", show_default=False)]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Labelled texts to judge the model on: confusion, calibration, worst errors.",
        show_default="none; of a demo its test sentences",
        rich_help_panel="Data",
    ),
]
Teacher = Annotated[
    Path | None,
    typer.Option(
        help="The teacher's run folder or preset: its score, and its attention beside the "
        "student's.",
        show_default=False,
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", help="Exported file to measure. Repeatable.", show_default=False),
]
Texts = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        help="Sentence whose attention is shown. Repeatable.",
        show_default="some of --data, wrong answers first",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The page to write.", show_default="RUN/report.html"),
]


@guarded
def report(
    run: RunFolder,
    data: Data = None,
    teacher: Teacher = None,
    files: Files = None,
    texts: Texts = None,
    out: Out = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    debug: options.Debug = False,
) -> None:
    """Write one HTML page about a run: curves, confusion, calibration, attention, errors.

    The page needs no network. What lacks its data says which option brings it.

    Examples:

        tinybert-tf report runs/student
        tinybert-tf report runs/student --data dev.csv --teacher runs/teacher \\
            --file model.tflite --text "what a film!" --out report.html
    """
    config = _read_run(run)
    with working("loading the model"):
        from tinybert_tf.cli.models import load_model

        model = load_model(run)
        expert = None if teacher is None else load_model(teacher)
        _check_teacher(expert, model, teacher)
        opened = [_open(path, model) for path in files or []]
    if texts and task_of(model).generates:
        raise TinyBertError(
            "Expected no --text for a model with a decoder: maps are drawn of encoders. "
            f"Received: a model for --task {task_of(model).name}"
        )
    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    examples = _examples(config, data, columns, model)
    with working("measuring and drawing"):
        contents = _contents(run, config, model, expert, opened, examples, texts)
        from tinybert_tf.report import write_report

        path = write_report(out or run / "report.html", contents)
    say(f"wrote {path} ({file_size(path.stat().st_size)})")
    if data is None and (contents.config.get("paths") or {}).get("dev"):
        hint(f"--data {contents.config['paths']['dev']} adds confusion, calibration and errors")


def _read_run(run: Path) -> dict:
    from tinybert_tf.runs import read_config

    config = read_config(run)
    if config is None:
        raise TinyBertError(
            "Expected a run folder, which finetune, distill, quantize or demo made. "
            f"Received: {str(run)!r}" + ("" if run.exists() else ", which does not exist")
        )
    return config


def _check_teacher(teacher, model, path) -> None:
    if teacher is None:
        return
    own, theirs = (getattr(one, "labels", None) for one in (model, teacher))
    if task_of(teacher) is not task_of(model) or list(own or []) != list(theirs or []):
        raise TinyBertError(
            f"Expected a teacher of the run's task and labels, {task_of(model).name} with "
            f"{list(own or [])[:6]}. Received: {str(path)!r}, {task_of(teacher).name} with "
            f"{list(theirs or [])[:6]}"
        )


def _open(path: Path, model):
    """Opens an exported file of the run's task and labels."""
    from tinybert_tf.cli.models import load_file

    if task_of(model).generates:
        raise TinyBertError(
            "Expected no --file for a model with a decoder; 'tinybert-tf verify' measures it. "
            f"Received: {str(path)!r}"
        )
    found = load_file(path)
    own, theirs = (list(getattr(one, "labels", None) or []) for one in (model, found))
    if found.kind != model.kind or own != theirs:
        raise TinyBertError(
            f"Expected a file of the run's task and labels, {model.kind} with {own[:6]}. "
            f"Received: {str(path)!r}, {found.kind} with {theirs[:6]}"
        )
    return found


def _examples(config: dict, data: str | None, columns: dict, model) -> TaskData | None:
    """The labelled texts, or those that a demo carries with it."""
    if data is None and config["command"] != "demo":
        return None
    if data is None:
        from tinybert_tf.text.intents import load_intents

        arguments = config["arguments"]
        test = load_intents(arguments["seed"], arguments["per_intent"]).test
        examples = TaskData(*test, lambda row: f"row {row}", source=TEST)
    else:
        examples = task_of(model).read(data, columns, model.kind == "labels", True)
        examples.source = Path(data).name
    task_of(model).check_known(examples, model)
    return examples


def _contents(run: Path, config: dict, model, expert, opened: list, examples, texts):
    """Measures everything and gathers it for the page."""
    from tinybert_tf.evaluate.tasks import kind_of_report
    from tinybert_tf.report import Contents, read_history
    from tinybert_tf.report.contents import recorded_figures
    from tinybert_tf.report.examples import choose_sentences, labelled_texts, sentences_of
    from tinybert_tf.runs import Run

    metrics, kind = Run(run).metrics(), kind_of_report(model)
    models = recorded_figures(config, metrics, kind)
    outputs = scores = labelled = None
    if examples is not None:
        labelled = labelled_texts(model, examples.parts, examples.labels, examples.source)
        outputs, scores = _judge(model, examples)
        models[0] = _scored(models[0], scores, kind, labelled.source)
    if expert is not None:
        models = _with_teacher(models, expert, examples, kind, labelled)
    models += [_measure(file, examples, labelled) for file in opened]
    chosen = [(text, None, "") for text in texts or []]
    if not chosen and labelled is not None and not task_of(model).generates:
        chosen = choose_sentences(model, labelled, outputs)
    shown = (
        {models[0].name: model} if expert is None else {"teacher": expert, models[0].name: model}
    )
    return Contents(
        name=run.resolve().name,
        config=config,
        metrics=metrics,
        kind=kind,
        history=read_history(run, metrics),
        models=models,
        data=labelled,
        outputs=outputs,
        scores=scores,
        sentences=sentences_of(shown, chosen),
        has_teacher=expert is not None or config["command"] == "finetune",
    )


def _judge(model, examples: TaskData) -> tuple:
    """Outputs, where the page draws them, and the report of the task."""
    from tinybert_tf.evaluate.tasks import evaluate_model, report_outputs

    if model.kind not in ("classes", "labels", "score"):
        return None, evaluate_model(model, examples.inputs, examples.labels)
    outputs = model.predict_outputs(examples.inputs)
    return outputs, report_outputs(model, outputs, examples.inputs, examples.labels)


def _scored(figures, scores, kind: str, source: str):
    """A row with the main score on the data."""
    from tinybert_tf.evaluate.tasks import MAIN_SCORES

    found = getattr(scores, MAIN_SCORES[kind][0])
    return replace(figures, scores={**figures.scores, _column(source): found})


def _column(source: str) -> str:
    """What scores on the data are called; a demo recorded those of its test sentences."""
    return "test" if source == TEST else f"{source} (now)"


def _with_teacher(models: list, expert, examples, kind: str, labelled) -> list:
    """The rows with the teacher's, which the run may have recorded in part."""
    from tinybert_tf.report import ModelFigures

    places = [k for k, row in enumerate(models) if (row.name, row.form) == ("teacher", "Keras")]
    if not places:
        models = [*models, ModelFigures("teacher", "Keras")]
    place = places[0] if places else len(models) - 1
    row = replace(models[place], parameters=expert.count_params())
    if examples is not None:
        row = _scored(row, _judge(expert, examples)[1], kind, labelled.source)
    return [*models[:place], row, *models[place + 1 :]]


def _measure(file, examples: TaskData | None, labelled):
    """Score, size and latency of an exported file."""
    from tinybert_tf import export
    from tinybert_tf.report import ModelFigures

    scores = {}
    if examples is not None:
        found = export.verify(
            file.path, examples.inputs, examples.labels, num_threads=THREADS, progress=False
        )
        scores = {_column(labelled.source): found.score}
    latency = export.time_file(file.path, threads=THREADS)
    return ModelFigures(
        file.path.name,
        f"file, {file.quantization}",
        scores,
        size_bytes=file.size_bytes,
        latency_ms=latency.median_ms,
        measured=True,
    )
