"""How much memory a file takes: measured in a process of its own.

Run as a module, this process imports the runtime, reads its resident memory, loads the file, calls
it and reads the memory again. The growth holds the pages of the file that were touched (mapped,
shared with the system's file cache), the weights that XNNPACK packed anew, the activations, and
about 3 MB of the runtime's own code, which a file of any size brings in.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tinybert_tf.errors import TinyBertError

_CALLS = 3
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Memory:
    """Growth of a process that loads a file and calls it.

    Args:
        resident_bytes: int. All of it, pages of the mapped file included.
        private_bytes: int. The part that is no page of a file and cannot be given back.
    """

    resident_bytes: int
    private_bytes: int

    def to_dict(self) -> dict:
        """Returns the fields as a dict that JSON can hold."""
        return asdict(self)


def measure_memory(path: str | os.PathLike, key: str = "", threads: int = 2) -> Memory | None:
    """Loads and calls a file in a new process, and returns how much that process grew.

    Args:
        path: path. A `.tflite` file.
        key: string. Its signature. Defaults to `""`: the file's first.
        threads: int. Threads of the interpreter. Defaults to `2`.

    Returns:
        Memory, or `None` where the system does not say (it is read from /proc).

    Raises:
        TinyBertError: If the process fails.
    """
    if not _STATUS.exists():
        return None
    command = [sys.executable, "-m", __name__, os.path.abspath(path), key, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise TinyBertError(
            f"Expected a process that loads and calls the file. Received: {str(path)!r} ({reason})"
        )
    return Memory(**json.loads(done.stdout))


def _environment() -> dict[str, str]:
    """This process's variables, and its search path, so that the same package is found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _main(path: str, key: str, threads: str) -> None:
    from tinybert_tf.export.file_call import FileCall, entries
    from tinybert_tf.export.model_file import read_model_file

    entry = next(e for e in entries(read_model_file(path)) if key in ("", e.key))
    before = _read_status()
    call = FileCall(path, entry, int(threads))
    for _ in range(_CALLS):
        call()
    growth = [after - first for after, first in zip(_read_status(), before, strict=True)]
    print(json.dumps(Memory(*growth).to_dict()))


def _read_status() -> tuple[int, int]:
    """Resident and anonymous bytes of this process."""
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))


if __name__ == "__main__":
    _main(*sys.argv[1:])
