"""`tinybert-tf general`: a student of a pretrained encoder from raw text, before any task."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from tinybert_tf.cli import options
from tinybert_tf.cli.console import duration, hint, out, pairs_table, say, working
from tinybert_tf.cli.distill import Init, Initialization
from tinybert_tf.cli.errors import guarded
from tinybert_tf.cli.models import is_architecture
from tinybert_tf.cli.tasks import TASKS
from tinybert_tf.config import ARCHITECTURES
from tinybert_tf.errors import TinyBertError

Texts = Annotated[
    list[Path],
    typer.Argument(
        help="Raw text: .txt or .txt.gz files, or folders of them. A blank line ends a document.",
        show_default=False,
    ),
]
HeldOut = Annotated[
    Path | None,
    typer.Option(
        "--dev",
        help="Other texts, on which the losses are measured before and after.",
        rich_help_panel="Data",
        show_default=False,
    ),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        help="Pretrained encoder, not fine-tuned: hub name, Hugging Face folder, or a run.",
        show_default="MiniLM-L6-H384",
    ),
]
Student = Annotated[
    str, typer.Option(help="Name of an architecture; 'tinybert-tf info' lists them.")
]
Epochs = Annotated[
    int, typer.Option(help="Passes over the texts.", min=1, rich_help_panel="Training")
]
Steps = Annotated[
    int | None,
    typer.Option(
        help="End a pass after so many steps.",
        min=1,
        show_default="the whole text",
        rich_help_panel="Training",
    ),
]
LearningRate = Annotated[
    float, typer.Option(help="The peak, after warm-up.", min=0.0, rich_help_panel="Training")
]
MaxLength = Annotated[
    int, typer.Option(help="Tokens of a sequence, at most.", min=5, rich_help_panel="Training")
]


@dataclass(frozen=True)
class _Job:
    """What the command was told."""

    texts: list[Path]
    dev: Path | None
    teacher: str | None
    student: str
    init: str
    epochs: int
    steps: int | None
    batch_size: int
    learning_rate: float
    max_length: int
    seed: int


@guarded
def general(
    texts: Texts,
    out: options.OutRun,
    dev: HeldOut = None,
    teacher: Teacher = None,
    student: Student = "tinybert_4l_312",
    init: Initialization = Init.teacher,
    epochs: Epochs = 1,
    steps: Steps = None,
    batch_size: options.BatchSize = 32,
    learning_rate: LearningRate = 3e-4,
    max_length: MaxLength = 128,
    seed: options.Seed = 0,
    resume: options.Resume = True,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> None:
    """Distil a pretrained encoder on raw text: a start for the students of every task.

    TinyBERT's first stage. Worth its time for students narrower than their
    teacher; done once, it serves all tasks that share the vocabulary. The
    encoder is trained without dropout, and keeps none.

    Examples:

        tinybert-tf general wikipedia/ --out runs/general
        tinybert-tf general news.txt.gz --dev other.txt --steps 1200 \\
            --teacher bert-base-uncased --out runs/general
        tinybert-tf distill train.csv --teacher runs/teacher --student runs/general \\
            --out runs/student
    """
    if not is_architecture(student):
        raise TinyBertError(
            f"Expected --student out of {', '.join(ARCHITECTURES)}. Received: student={student!r}"
        )
    job = _Job(
        texts=texts,
        dev=dev,
        teacher=teacher,
        student=student,
        init=init.value,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_length=max_length,
        seed=seed,
    )
    _run(job, out, resume, overwrite)


def _run(job: _Job, folder: Path, resume: bool, overwrite: bool) -> None:
    from tinybert_tf.cli.models import identify, start
    from tinybert_tf.runs import Run, digest

    with working("loading TensorFlow"):
        start()
        from tinybert_tf.pretraining.documents import find_files

    files = find_files(job.texts)
    held_out = [] if job.dev is None else find_files([job.dev])
    settings = {
        **asdict(job),
        "texts": digest(*files),
        "dev": digest(*held_out) if held_out else None,
        "teacher": identify(job.teacher),
    }
    with working("loading the teacher"):
        teacher = _teacher(job)
    paths = {"texts": list(map(str, job.texts)), "dev": None if job.dev is None else str(job.dev)}
    run = Run.open(folder, "general", settings, resume, overwrite, notes={"paths": paths})
    if run.is_finished:
        say("this run has finished already, with the same texts and settings; nothing to do")
    else:
        with run.recording():
            _train(run, job, teacher, files, held_out)
    _show(run)
    hint(f"next: tinybert-tf distill train.csv --teacher runs/teacher --student {folder} --out ...")


def _teacher(job: _Job):
    """The pretrained encoder, with nothing above it but a mean over the tokens."""
    from tinybert_tf.cli.models import load_pretrained, set_seed

    set_seed(job.seed)
    teacher = load_pretrained(job.teacher, TASKS["embedding"], {}, job.max_length)
    width, widest = ARCHITECTURES[job.student]["hidden_dim"], teacher.backbone.hidden_dim
    if job.init == Init.teacher.value and width > widest:
        raise TinyBertError(
            f"Expected a student at most as wide as its teacher, {widest}, or --init random. "
            f"Received: --student {job.student}, whose width is {width}"
        )
    return teacher


def _train(run, job: _Job, teacher, files: list[Path], held_out: list[Path]) -> None:
    from tinybert_tf.cli.callbacks import stage_callbacks, verbosity
    from tinybert_tf.cli.results import draw_history
    from tinybert_tf.distillation import student_of
    from tinybert_tf.pretraining.general import general_distill, general_losses

    # Beside the checkpoints, which go when the run is finished.
    dev = _corpus(run.checkpoints / "dev texts", held_out, teacher, job) if held_out else None
    corpus = _corpus(run.checkpoints / "texts", files, teacher, job)
    with working("building the student"):
        # One pass over much text: nothing is learned by heart, so that nothing is dropped.
        student = student_of(
            teacher,
            job.student,
            init=job.init,
            texts=corpus.texts(teacher.wordpiece),
            seed=job.seed,
            dropout=0.0,
            attention_dropout=0.0,
        )
    before = None if dev is None else general_losses(teacher, student, dev)
    say(
        f"{corpus.info.documents:,} documents, {len(corpus):,} sequences, "
        f"{corpus.info.tokens:,} tokens; teacher {teacher.count_params():,} parameters, "
        f"student {student.count_params():,}"
    )
    started = time.monotonic()
    history = general_distill(
        teacher,
        student,
        corpus,
        epochs=job.epochs,
        batch_size=job.batch_size,
        learning_rate=job.learning_rate,
        balance=True,
        steps=job.steps,
        seed=job.seed,
        run_dir=run.checkpoints,
        callbacks=stage_callbacks(run, "general"),
        verbose=verbosity(),
    )
    seconds = time.monotonic() - started
    with working("measuring and saving"):
        draw_history(run, {"general": history})
        metrics = {
            "documents": corpus.info.documents,
            "tokens": corpus.info.tokens,
            "dev_before": before,
            "dev_after": None if dev is None else general_losses(teacher, student, dev),
            "parameters": student.count_params(),
            "teacher_parameters": teacher.count_params(),
            "seconds": round(seconds, 1),
            "history": {"general": history},
        }
        run.finish(student, metrics)


def _corpus(folder: Path, files: list[Path], teacher, job: _Job):
    """The token ids of text files; an interrupted run has them already."""
    from tinybert_tf.pretraining.corpus import INDEX, Corpus, prepare_corpus

    if (folder / INDEX).exists():
        return Corpus(folder)
    with working(f"tokenizing the {folder.name}"):
        return prepare_corpus(files, folder, teacher.wordpiece, job.max_length, seed=job.seed)


def _show(run) -> None:
    metrics = run.metrics()
    before, after = metrics["dev_before"] or {}, metrics["dev_after"] or {}
    losses = {
        f"dev {name.replace('_', ' ')}": f"{before[name]:.4f} -> {after[name]:.4f}"
        for name in after
    }
    pairs = {
        "documents": f"{metrics['documents']:,}",
        "tokens": f"{metrics['tokens']:,}",
        "parameters": f"{metrics['parameters']:,}",
        "teacher's parameters": f"{metrics['teacher_parameters']:,}",
        **losses,
        "training time": duration(metrics["seconds"]),
        "run folder": run.folder,
    }
    out.print(pairs_table("results", pairs))
