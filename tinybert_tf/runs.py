"""Run folders: what a training command was told, what it did, and where it can go on.

config.json    command, arguments, seed, data and versions; written when the run starts
log.txt        one line an event
checkpoints/   state to resume from
tb/            TensorBoard events
model/         the trained classifier, a preset
metrics.json   results; its presence says that the run has finished
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import time
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np

from tinybert_tf.atomic import atomic_file, atomic_folder
from tinybert_tf.errors import TinyBertError

CONFIG, LOG, METRICS = "config.json", "log.txt", "metrics.json"
_PACKAGES = ("tinybert-tf", "tensorflow", "keras", "keras-hub", "ai-edge-litert", "numpy")


class Run:
    """A run folder that is open for writing; `Run.open` makes one.

    Args:
        folder: path. The run folder.
        resumed: bool. Whether an interrupted run goes on. Defaults to `False`.
    """

    def __init__(self, folder: Path, resumed: bool = False):
        self.folder = folder
        self.resumed = resumed

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        command: str,
        arguments: dict,
        resume: bool = True,
        overwrite: bool = False,
        notes: dict | None = None,
    ) -> "Run":
        """Starts a run, or finds the interrupted one that the same command left.

        Args:
            folder: path. New, empty, or a run folder.
            command: string. Name of the command.
            arguments: dict. Everything that the result depends on, as JSON values.
            resume: bool. Whether an interrupted run goes on; else it starts over. Defaults to
                `True`.
            overwrite: bool. Whether a run of other settings, or a finished one, is deleted; one
                that has saved nothing yet always is. Defaults to `False`.
            notes: dict. More for config.json, such as paths, that may differ when a run goes on.
                Defaults to `None`.

        Raises:
            TinyBertError: If the folder holds something else or a run of other settings, or
                cannot be written.
        """
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise TinyBertError(f"Expected a run folder. Received: {str(folder)!r}, a file")
        run = cls(folder)
        arguments = json.loads(json.dumps(arguments))
        if folder.exists() and any(folder.iterdir()):
            stored = read_config(folder)
            if stored is None:
                raise TinyBertError(
                    "Expected a new or empty folder, or one that tinybert-tf made. "
                    f"Received: {str(folder)!r}, which holds other files"
                )
            differences = _differences(stored, command, arguments)
            if overwrite or (differences and run._is_empty()):
                run._clear()
            else:
                _check_same(run, differences)
                run.resumed = resume and not run.is_finished
                if not (run.resumed or run.is_finished):
                    run._clear()
        if not (run.resumed or run.is_finished):
            run._start(command, arguments, notes or {})
        return run

    @property
    def checkpoints(self) -> Path:
        """Folder of the state to resume from."""
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        """Folder of the trained classifier."""
        return self.folder / "model"

    @property
    def tensorboard(self) -> Path:
        """Folder of the TensorBoard events."""
        return self.folder / "tb"

    @property
    def is_finished(self) -> bool:
        """Whether the results are there."""
        return (self.folder / METRICS).is_file()

    def log(self, message: str) -> None:
        """Appends a line with the time to log.txt."""
        moment = datetime.now().isoformat(sep=" ", timespec="seconds")
        with open(self.folder / LOG, "a", encoding="utf-8") as stream:
            stream.write(f"{moment}  {message}\n")

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Logs start and failure of the block; an interruption learns what was kept.

        Raises:
            KeyboardInterrupt: Again, with a message for the person at the terminal.
        """
        self.log("resumed" if self.resumed else "started")
        try:
            yield
        except KeyboardInterrupt:
            kept = self.kept()
            with contextlib.suppress(OSError):
                self.log(f"interrupted; {kept}")
            again = "goes on from here" if "kept in" in kept else "starts over"
            raise KeyboardInterrupt(f"{kept}; the same command {again}") from None
        except Exception as error:
            with contextlib.suppress(OSError):
                self.log(f"failed: {type(error).__name__}: {' '.join(str(error).split())}")
            raise

    def kept(self) -> str:
        """Says up to where the checkpoints reach."""
        parts = []
        for path in sorted(self.checkpoints.glob("*.npz"), key=os.path.getmtime):
            with contextlib.suppress(Exception):  # an unreadable one is reported when resuming
                with np.load(path, allow_pickle=False) as stored:
                    progress = json.loads(stored["progress"].tobytes())
                reached = f"{path.stem}: {progress['epoch']} epochs"
                if progress["step"]:
                    reached += f" and {progress['step']} steps"
                age = max(time.time() - path.stat().st_mtime, 0)
                parts.append(f"{reached} (saved {age:.0f} s ago)")
        if not parts:
            return "nothing was saved yet"
        return f"kept in {self.checkpoints}: {', '.join(parts)}"

    def finish(self, classifier, metrics: dict) -> None:
        """Writes the trained classifier, then metrics.json, and drops the checkpoints.

        Args:
            classifier: `TinyBertTextClassifier`.
            metrics: dict of JSON values.
        """
        with atomic_folder(self.model) as temporary:
            classifier.save_to_preset(str(temporary))
        with atomic_file(self.folder / METRICS) as stream:
            json.dump(metrics, stream, indent=2)
            stream.write("\n")
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        self.log("finished")

    def metrics(self) -> dict:
        """Reads metrics.json of a finished run."""
        return json.loads((self.folder / METRICS).read_text("utf-8"))

    def _is_empty(self) -> bool:
        """Whether there is nothing to lose: neither a result nor a checkpoint."""
        return not self.is_finished and not any(self.checkpoints.glob("*"))

    def _start(self, command: str, arguments: dict, notes: dict) -> None:
        config = {
            "command": command,
            **notes,
            "arguments": arguments,
            "seed": arguments.get("seed"),
            "versions": versions(),
            "started": datetime.now().isoformat(timespec="seconds"),
        }
        with atomic_file(self.folder / CONFIG) as stream:
            json.dump(config, stream, indent=2, ensure_ascii=False)
            stream.write("\n")

    def _clear(self) -> None:
        """Deletes what a run writes, metrics first, so that a kill leaves no half-finished look."""
        for name in (METRICS, LOG, "report.html", "checkpoints", "tb", "model", "plots", CONFIG):
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def read_config(folder: str | os.PathLike) -> dict | None:
    """Returns config.json of a run folder, or `None` if the folder is something else."""
    try:
        config = json.loads(Path(folder, CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    is_run = isinstance(config, dict) and {"command", "arguments"} <= config.keys()
    return config if is_run else None


def digest(*parts) -> str:
    """A short checksum of texts and labels, or of the files that are given as paths."""
    checksum = 0
    for part in parts:
        if isinstance(part, Path):
            with open(part, "rb") as stream:
                while block := stream.read(1 << 20):
                    checksum = zlib.crc32(block, checksum)
        else:
            content = json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass")
            checksum = zlib.crc32(content, checksum)
    return f"{checksum:08x}"


def weights_digest(model) -> str:
    """A checksum of a Keras model's weights: tells one teacher from another."""
    checksum = 0
    for weights in model.get_weights():
        checksum = zlib.crc32(np.ascontiguousarray(weights).reshape(-1).view("uint8"), checksum)
    return f"{checksum:08x}"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _differences(stored: dict, command: str, arguments: dict) -> list[str]:
    """What a run was told otherwise."""
    if stored["command"] != command:
        return [f"command {stored['command']}, now {command}"]
    before = stored["arguments"]
    return [
        f"{name} {before.get(name)!r}, now {arguments.get(name)!r}"
        for name in sorted(before.keys() | arguments.keys())
        if before.get(name) != arguments.get(name)
    ]


def _check_same(run: Run, differences: list[str]) -> None:
    """Refuses to mix two runs, naming what differs."""
    if differences:
        state = "a finished" if run.is_finished else "an interrupted"
        raise TinyBertError(
            f"Expected the settings of the run in {str(run.folder)!r}, or --overwrite to replace "
            f"{state} run. Received: {'; '.join(differences)}"
        )
