"""Options that several commands share, so that one word means one thing everywhere."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli.tasks import TASKS

_DATA = "Data"
_TRAINING = "Training"
_RUN = "Run folder"

TaskName = Enum("TaskName", {name: name for name in TASKS}, type=str)

Task = Annotated[
    TaskName | None,
    typer.Option(
        "--task",
        help="What the model does: classification, regression, ner (tags of words), qa (answers "
        "in a context), embedding, translation or summarization.",
        show_default="as the model says, else classification",
    ),
]

# === Arguments ===
TrainData = Annotated[
    str,
    typer.Argument(
        help="Table with texts and labels: .csv, .tsv or .jsonl (perhaps .gz), or hf:NAME. "
        "Of --task ner a CoNLL file or a table, of qa a SQuAD file, of translation a table of "
        "sources and targets, of summarization too, or a .txt of articles.",
        show_default=False,
    ),
]
LabeledData = Annotated[
    str,
    typer.Argument(help="Table with texts and labels.", show_default=False),
]
RunOrModel = Annotated[
    Path,
    typer.Argument(
        help="Run folder, saved preset, .keras file or Hugging Face folder.",
        show_default=False,
    ),
]
RunOrFile = Annotated[
    Path,
    typer.Argument(help="Run folder, saved model or .tflite file.", show_default=False),
]

# === Data ===
Dev = Annotated[
    str | None,
    typer.Option(
        "--dev",
        help="Development data. Without it, a share of TRAIN is held out.",
        rich_help_panel=_DATA,
        show_default=False,
    ),
]
DevShare = Annotated[
    float,
    typer.Option(
        help="Share of TRAIN that is held out, class by class; 0 for none.",
        min=0.0,
        max=0.9,
        rich_help_panel=_DATA,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the texts, or sources.",
        show_default="recognized",
        rich_help_panel=_DATA,
    ),
]
PairColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the second texts.", show_default="recognized", rich_help_panel=_DATA
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the labels, or targets.", show_default="recognized", rich_help_panel=_DATA
    ),
]

# === Training ===
BatchSize = Annotated[int, typer.Option(help="Sentences a step.", min=1, rich_help_panel=_TRAINING)]
MaxLength = Annotated[
    int | None,
    typer.Option(
        help="Longest input in tokens; longer texts are cut.",
        min=3,
        show_default="128, or as trained",
        rich_help_panel=_TRAINING,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="Fixes the held-out share, initial weights, order and dropout.",
        min=0,
        max=2**31 - 1,
        rich_help_panel=_TRAINING,
    ),
]
KeepBest = Annotated[
    bool,
    typer.Option(
        help="End with the epoch that did best on the development data (the start counts too), "
        "not with the last.",
        rich_help_panel=_TRAINING,
    ),
]

# === Run folder ===
OutRun = Annotated[
    Path,
    typer.Option("--out", help="Run folder to write.", rich_help_panel=_RUN, show_default=False),
]
Resume = Annotated[
    bool,
    typer.Option(
        help="Go on with an interrupted run of the same settings, or start it over.",
        rich_help_panel=_RUN,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace a finished run, or one of other settings.",
        rich_help_panel=_RUN,
    ),
]

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
