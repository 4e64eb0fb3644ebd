"""`tinybert-tf finetune`: a teacher, or a baseline, from a table of texts and labels."""

import time
from dataclasses import asdict, fields
from enum import Enum
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import hint, say, working
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.seq2seq import Shape
from tinybert_tf.cli.tasks import TASKS
from tinybert_tf.errors import TinyBertError


class Tokenizer(str, Enum):
    """Rules of `WordPiece`."""

    bert = "bert"
    mediapipe = "mediapipe"


class ClassWeight(str, Enum):
    """Schemes of `class_weights`."""

    balanced = "balanced"
    sqrt = "sqrt"
    effective = "effective"


Teacher = Annotated[
    str | None,
    typer.Option(
        help="Pretrained encoder: hub name, Hugging Face folder, or an earlier run.",
        show_default="MiniLM-L6-H384; of translation and summarization a new encoder",
    ),
]
MultiLabel = Annotated[
    bool,
    typer.Option(
        "--multi-label",
        help="Any number of labels a text, separated by | ; or , in one cell.",
        rich_help_panel="Data",
    ),
]
Rules = Annotated[
    Tokenizer,
    typer.Option(
        "--tokenizer",
        help="Rules that cut texts into word pieces: mediapipe for a file that MediaPipe's "
        "TextClassifier will run, whose tokenizer is not BERT's.",
        rich_help_panel="Data",
    ),
]
Weighting = Annotated[
    ClassWeight | None,
    typer.Option(
        "--class-weight",
        help="Let rare classes count more.",
        show_default=False,
        rich_help_panel="Training",
    ),
]
FocalGamma = Annotated[
    float | None,
    typer.Option(
        help="Focal loss: above 0, easy examples count less (2 is usual).",
        min=0.0,
        show_default=False,
        rich_help_panel="Training",
    ),
]
Epochs = Annotated[
    int, typer.Option(help="Passes over the data.", min=1, rich_help_panel="Training")
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        help="The peak, after warm-up.",
        min=0.0,
        show_default="5e-5; of translation and summarization 5e-4",
        rich_help_panel="Training",
    ),
]
_GENERATION = "Translation and summarization"
Architecture = Annotated[
    str | None,
    typer.Option(
        help="Shape of the new encoder ('tinybert-tf info' lists them); the decoder has its width.",
        show_default="tinybert_4l_312",
        rich_help_panel=_GENERATION,
    ),
]
DecoderBlocks = Annotated[
    int | None,
    typer.Option(
        help="Blocks of the decoder.",
        min=1,
        show_default="as the encoder",
        rich_help_panel=_GENERATION,
    ),
]
VocabularySize = Annotated[
    int | None,
    typer.Option(
        help="Most tokens of a vocabulary that is learned from TRAIN: one of each language, of "
        "summarization one.",
        min=6,
        show_default="8000",
        rich_help_panel=_GENERATION,
    ),
]


@guarded
def finetune(
    train: options.TrainData,
    out: options.OutRun,
    task: options.Task = None,
    teacher: Teacher = None,
    dev: options.Dev = None,
    dev_share: options.DevShare = 0.1,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    multi_label: MultiLabel = False,
    epochs: Epochs = 3,
    batch_size: options.BatchSize = 32,
    learning_rate: LearningRate = None,
    max_length: options.MaxLength = None,
    class_weight: Weighting = None,
    focal_gamma: FocalGamma = None,
    tokenizer: Rules = Tokenizer.bert,
    architecture: Architecture = None,
    decoder_blocks: DecoderBlocks = None,
    vocabulary_size: VocabularySize = None,
    keep_best: options.KeepBest = False,
    seed: options.Seed = 0,
    resume: options.Resume = True,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Fine-tune a pretrained BERT on a table of texts and labels, or another task's data.

    Examples:

        tinybert-tf finetune train.csv --out runs/teacher
        tinybert-tf finetune train.csv --dev dev.csv --epochs 4 \\
            --teacher bert-base-uncased --out runs/teacher
        tinybert-tf finetune tickets.jsonl --label-column queue \\
            --class-weight balanced --out runs/queue
        tinybert-tf finetune train.conll --task ner --out runs/ner
        tinybert-tf finetune pairs.tsv --task translation --epochs 10 \\
            --decoder-blocks 2 --out runs/translator
    """
    from tinybert_tf.cli.data import read_split
    from tinybert_tf.cli.models import identify
    from tinybert_tf.cli.results import show_finished, show_results
    from tinybert_tf.runs import Run

    columns = {"text": text_column, "text_pair": pair_column, "label": label_column}
    chosen = TASKS["classification" if task is None else task.value]
    if chosen.name != "classification" and (multi_label or class_weight or focal_gamma is not None):
        raise TinyBertError(
            "Expected --multi-label, --class-weight and --focal-gamma with --task classification "
            f"only. Received: --task {chosen.name}"
        )
    if chosen.name not in ("classification", "regression") and tokenizer != Tokenizer.bert:
        raise TinyBertError(
            "Expected --tokenizer mediapipe with --task classification or regression, the tasks of "
            f"MediaPipe's TextClassifier. Received: --task {chosen.name}"
        )
    if chosen.name == "embedding":
        chosen.check(None, None)
    shape = Shape(architecture, decoder_blocks, vocabulary_size)
    shape.check(chosen, teacher)
    split = read_split(chosen, train, dev, dev_share, seed, columns, multi_label)
    arguments = chosen.check(split.train, split.dev)
    if chosen.name == "classification":
        arguments["multi_label"] = multi_label
    settings = {
        **split.describe(),
        "teacher": None if chosen.generates and teacher is None else identify(teacher),
        "multi_label": multi_label,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": chosen.learning_rate if learning_rate is None else learning_rate,
        "max_length": max_length,
        "class_weight": class_weight.value if class_weight else None,
        "focal_gamma": focal_gamma,
        "keep_best": keep_best,
        "seed": seed,
        **({} if tokenizer == Tokenizer.bert else {"tokenizer": tokenizer.value}),
        **(asdict(shape) if chosen.generates else {}),
    }
    paths = {"train": train, "dev": dev, "dev_share": dev_share, "teacher": teacher, **columns}
    run = Run.open(out, "finetune", settings, resume, overwrite, notes={"paths": paths})
    if run.is_finished:
        show_finished(run)
        return
    with run.recording():
        _train(run, split, arguments, teacher, settings)
    show_results(run)
    hint(f"next: tinybert-tf distill {train} --teacher {out} --student tinybert_4l_312 --out ...")


def _train(run, split, arguments: dict, teacher: str | None, settings: dict) -> None:
    with working("loading TensorFlow and the encoder"):
        from tinybert_tf.cli.models import load_pretrained, set_seed
        from tinybert_tf.cli.seq2seq import build_seq2seq

        set_seed(settings["seed"])
        if split.task.generates:
            shape = Shape(*(settings[field.name] for field in fields(Shape)))
            classifier = build_seq2seq(
                split.task, split.train, teacher, shape, settings["max_length"]
            )
        else:
            classifier = load_pretrained(teacher, split.task, arguments, settings["max_length"])
            classifier.use_tokenizer(settings.get("tokenizer", classifier.wordpiece.rules))
    from tinybert_tf.cli.callbacks import stage_callbacks, verbosity
    from tinybert_tf.cli.results import dev_results, draw_history
    from tinybert_tf.evaluate.tasks import kind_of_report
    from tinybert_tf.training import finetune as fit

    count = len(arguments.get("labels", ()))
    classes = f"{count} classes, " if count else ""
    say(
        f"{len(split.train):,} {split.task.rows} for training, {len(split.dev or ()):,} for "
        f"development, {classes}{classifier.count_params():,} parameters"
    )
    started = time.monotonic()
    loss, class_weight = _loss(classifier, split.train.labels, settings)
    history = fit(
        classifier,
        split.train.inputs,
        split.train.labels,
        validation_data=split.validation_data,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        class_weight=class_weight,
        loss=loss,
        seed=settings["seed"],
        keep_best=settings["keep_best"],
        run_dir=run.checkpoints,
        callbacks=stage_callbacks(run, "finetune"),
        verbose=verbosity(),
    )
    seconds = time.monotonic() - started
    with working("scoring and saving"):
        draw_history(run, history)
        metrics = {
            "dev": dev_results(classifier, split),
            "kind": kind_of_report(classifier),
            "labels": getattr(classifier, "labels", None),
            "parameters": classifier.count_params(),
            "seconds": round(seconds, 1),
            "history": history,
        }
        run.finish(classifier, metrics)


def _loss(classifier, labels: list, settings: dict) -> tuple:
    """Returns the loss and Keras' class weights; a weighted loss of ours carries its own."""
    scheme, gamma = settings["class_weight"], settings["focal_gamma"]
    multi_label = settings["multi_label"]
    if gamma is None and not (multi_label and scheme):
        return None, scheme
    from tinybert_tf.models.focal_loss import FocalLoss
    from tinybert_tf.models.labels import encode_labels
    from tinybert_tf.text.weights import class_weights

    alpha = None
    if scheme:
        names = [name for row in labels for name in ([row] if isinstance(row, str) else row)]
        numbers = encode_labels(names, classifier.labels)
        alpha = class_weights(numbers, classifier.num_classes, scheme=scheme)
    return FocalLoss(gamma=gamma or 0.0, alpha=alpha, multi_label=multi_label), None
