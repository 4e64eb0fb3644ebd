"""Finds and loads what the commands take for a model."""

import json
from pathlib import Path

from tinybert_tf.cli.tasks import TASKS, Task, check_task, task_of
from tinybert_tf.config import ARCHITECTURES
from tinybert_tf.errors import TinyBertError
from tinybert_tf.runs import Run, digest, read_config

TFLITE = ".tflite"
_WEIGHTS = ("model.weights.h5", "model.safetensors", "pytorch_model.bin")


def is_tflite(path: Path) -> bool:
    """Whether a path means an exported file; whether it is one shows when it is opened."""
    return path.suffix.lower() == TFLITE


def preset_of(path: Path) -> Path | None:
    """Returns the folder of the saved classifier: a run's model, or the folder itself.

    Raises:
        TinyBertError: If the run has not finished.
    """
    if read_config(path) is not None:
        if not Run(path).is_finished:
            raise TinyBertError(
                "Expected a finished run; the command that made it goes on from its checkpoints. "
                f"Received: {str(path)!r}"
            )
        path = path / "model"
    return path if (path / "task.json").is_file() else None


def load_model(path: Path, max_length: int | None = None, task: str | None = None):
    """Loads a trained model from this machine.

    Args:
        path: path. Run folder, preset, .keras file, or Hugging Face folder.
        max_length: int. Longest input in tokens. Defaults to `None`: as it was trained.
        task: string. Name of the task that the model has to be for; what a Hugging Face folder is
            loaded as. Defaults to `None`: the model's own, of a Hugging Face folder
            classification.

    Raises:
        TinyBertError: If there is none, or `max_length` exceeds its position table.
    """
    if not path.exists():
        raise TinyBertError(
            "Expected a run folder, a preset, a .keras file or a Hugging Face folder. "
            f"Received: {str(path)!r}, which does not exist"
        )
    if is_tflite(path):
        raise TinyBertError(
            f"Expected a Keras model here, not an exported file. Received: {str(path)!r}"
        )
    preset = preset_of(path) if path.is_dir() else None
    start()
    if preset is not None:
        model = load_preset(preset)
    elif path.is_dir():
        model = _from_hf(TASKS[task or _task_of_folder(path)], str(path))
    else:
        model = _load_keras(path)
    check_task(model, task, path)
    return with_max_length(model, max_length)


def load_preset(folder: Path):
    """Loads a preset with the class that saved it.

    Raises:
        TinyBertError: If that is no class of a task.
    """
    from tinybert_tf import models

    name = json.loads((folder / "task.json").read_text("utf-8"))["class_name"]
    if name not in {task.model for task in TASKS.values()}:
        raise TinyBertError(
            "Expected the preset of a TinyBertTextClassifier or another task. "
            f"Received: {str(folder)!r}, a {name}"
        )
    return getattr(models, name).from_preset(str(folder))


def _task_of_folder(folder: Path) -> str:
    """The task of a Hugging Face folder, by the class that wrote it."""
    from tinybert_tf.checkpoints.hugging_face import head_kind

    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):  # reported when the folder is loaded
        return "classification"
    return {"tokens": "ner", "spans": "qa"}.get(head_kind(config), "classification")


def _model_class(task: Task):
    from tinybert_tf import models

    return getattr(models, task.model)


def _from_hf(task: Task, name: str):
    if task.generates:
        raise TinyBertError(
            f"Expected a run folder, a preset or a .keras file for --task {task.name}; a Hugging "
            f"Face checkpoint has no decoder of ours. Received: {name!r}"
        )
    return _model_class(task).from_hf(name)


def load_file(path: Path):
    """Opens an exported file; needs no TensorFlow."""
    from tinybert_tf.export import open_file

    return open_file(path)


def load_any(path: Path, task: str | None = None):
    """Loads a trained model or an exported file: both have `kind` and `predict_outputs`."""
    if not is_tflite(path):
        return load_model(path, task=task)
    file = load_file(path)
    check_task(file, task, path)
    return file


def load_pretrained(teacher: str | None, task: Task, arguments: dict, max_length: int | None):
    """Builds a model of new labels on a pretrained encoder.

    Args:
        teacher: string. Hub name, Hugging Face folder, run folder or preset; `None` for MiniLM.
        task: `Task`.
        arguments: dict. What the model's constructor needs for its labels.
        max_length: int. Longest input in tokens; `None` for the task's usual one, or as the
            position table allows.
    """
    folder = _teacher_folder(teacher)
    preset = preset_of(Path(folder)) if Path(folder).is_dir() else None
    start()
    cls = _model_class(task)
    if preset is None:
        model = cls.from_hf(folder, sequence_length=task.sequence_length, **arguments)
    else:
        trained = load_preset(preset)
        head = {"head": trained.head} if cls is type(trained) and hasattr(trained, "head") else {}
        model = cls(trained.backbone, preprocessor=trained.preprocessor, **head, **arguments)
        if max_length is None and cls is not type(trained):
            max_length = min(task.sequence_length, model.backbone.max_sequence_length)
    return with_max_length(model, max_length)


def load_teacher(teacher: str, max_length: int | None, task: str | None = None):
    """Loads a fine-tuned model: one of ours, or a Hugging Face folder or hub name.

    Raises:
        TinyBertError: If its classes are not known: an encoder has to be fine-tuned first.
    """
    if Path(teacher).exists():
        return load_model(Path(teacher), max_length, task)
    start()
    return with_max_length(_from_hf(TASKS[task or "classification"], teacher), max_length)


def is_architecture(name: str) -> bool:
    """Whether a student is named by its shape, else it is a pretrained one."""
    return name in ARCHITECTURES


def check_student(name: str) -> None:
    """Checks that a student's name can mean something.

    Raises:
        TinyBertError: If it is no architecture, no folder and no hub name with its owner.
    """
    if not (is_architecture(name) or "/" in name or Path(name).exists()):
        raise TinyBertError(
            f"Expected --student out of {', '.join(ARCHITECTURES)}, a folder, or a hub name with "
            f"its owner. Received: student={name!r}"
        )


def build_student(name: str, teacher, init: str, layer_map, texts: list[str], seed: int):
    """Builds a student by the name of its shape, or on a pretrained encoder.

    Raises:
        TinyBertError: If the student is wider than the teacher it starts from.
    """
    from tinybert_tf.distillation import student_of

    if is_architecture(name):
        return student_of(teacher, name, init=init, layer_map=layer_map, texts=texts, seed=seed)
    task = task_of(teacher)
    if task.generates:
        return _sequence_student(name, teacher, seed)
    arguments = {"labels": list(teacher.labels)} if hasattr(teacher, "labels") else {}
    if task.name == "qa":
        names = ("stride", "max_question", "null_threshold")
        arguments = {name: getattr(teacher, name) for name in names}
    if task.name == "classification":
        arguments["multi_label"] = teacher.multi_label
    student = load_pretrained(name, task, arguments, teacher.sequence_length)
    if student.wordpiece != teacher.wordpiece:
        return student
    # The same ids: pooler and head can start with the teacher's logits.
    return student_of(teacher, init=student, texts=texts, seed=seed)


def _sequence_student(name: str, teacher, seed: int):
    """A saved sequence-to-sequence model, or another one's encoder with a decoder."""
    from tinybert_tf.distillation import student_of

    preset = preset_of(Path(name)) if Path(name).is_dir() else None
    if preset is None:
        raise TinyBertError(
            f"Expected --student out of {', '.join(ARCHITECTURES)}, or a run folder or preset. "
            f"Received: student={name!r}"
        )
    student = load_preset(preset)
    return student if student.kind == "seq2seq" else student_of(teacher, init=student, seed=seed)


def with_max_length(classifier, max_length: int | None):
    """Sets the longest input of a classifier, and returns it.

    Raises:
        TinyBertError: If it exceeds the position table.
    """
    rows = classifier.backbone.max_sequence_length
    if max_length is not None and max_length > rows:
        raise TinyBertError(
            f"Expected --max-length of at most {rows}, the rows of the position table. "
            f"Received: max_length={max_length}"
        )
    if max_length is not None and classifier.preprocessor is not None:
        classifier.preprocessor.sequence_length = max_length
    return classifier


def identify(teacher: str | None) -> str:
    """A name and, for local weights, a checksum: what a run's settings say of a teacher."""
    folder = Path(_teacher_folder(teacher))
    folder = (preset_of(folder) if folder.is_dir() else None) or folder
    files = [folder] if folder.is_file() else [folder / name for name in _WEIGHTS]
    found = [path for path in files if path.is_file()]
    name = "MiniLM-L6-H384" if teacher is None else Path(teacher).name
    return f"{name} {digest(*found)}" if found else str(teacher)


def _teacher_folder(teacher: str | None) -> str:
    if teacher is not None:
        return teacher
    from tinybert_tf.checkpoints.teacher import default_teacher

    return str(default_teacher())


def _load_keras(path: Path):
    import keras

    try:
        model = keras.saving.load_model(path)
    except (ValueError, OSError, KeyError) as error:
        raise TinyBertError(
            f"Expected a .keras file of a TinyBertTextClassifier or another task. Received: "
            f"{str(path)!r} "
            f"({' '.join(str(error).split())[:200]})"
        ) from error
    if not hasattr(model, "kind"):
        raise TinyBertError(
            "Expected a TinyBertTextClassifier or another task. "
            f"Received: {str(path)!r}, a {type(model).__name__}"
        )
    return model


def set_seed(seed: int) -> None:
    """Seeds Python, NumPy and Keras."""
    start()
    import keras

    keras.utils.set_random_seed(seed)


def start() -> None:
    """Loads TensorFlow in silence."""
    from tinybert_tf.quiet import start_tensorflow

    start_tensorflow()
