"""Outputs appear whole or not at all: write beside the target, then move into place."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinybert_tf.errors import TinyBertError


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside `target`; moves it to `target` when the block succeeds.

    For libraries that insist on opening a path themselves. The temporary name keeps the target's
    suffix, since some writers choose the format by it. A link is followed.

    Raises:
        TinyBertError: If the folder is not writable, the disk is full, or something other than a
            regular file stands at `target`. The previous content of `target` is untouched then,
            and after any other exception too.
    """
    target = _resolve(target)
    # Path.exists would raise for a folder that may not be entered; `_parent` refuses it below.
    if os.path.exists(target) and not os.path.isfile(target):
        raise TinyBertError(
            f"Expected the path of a file to write; a folder or a device stands there. "
            f"Received: {str(target)!r}"
        )
    parent = _parent(target)
    try:
        handle, name = tempfile.mkstemp(_suffix(target), _prefix(target), parent)
        os.close(handle)
    except OSError as error:
        raise _not_written(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        if _concerns(error, temporary):
            raise _not_written(target, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_file(
    target: str | os.PathLike, mode: str = "w", encoding: str | None = None
) -> Iterator[IO]:
    """Yields an open file whose content replaces `target` when the block succeeds.

    Args:
        target: path. The file to write.
        mode: string. `"w"` (UTF-8 text) or `"wb"`. Defaults to `"w"`.
        encoding: string. Text encoding. Defaults to UTF-8 in text mode.

    Raises:
        TinyBertError: As `atomic_path`, and for any other mode.
    """
    if mode not in ("w", "wb"):
        raise TinyBertError(f'Expected the mode "w" or "wb". Received: mode={mode!r}')
    if mode == "w" and encoding is None:
        encoding = "utf-8"
    with (
        atomic_path(target) as temporary,
        open(temporary, mode, encoding=encoding) as stream,
    ):
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


@contextlib.contextmanager
def atomic_folder(target: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary folder beside `target`; it takes the target's place on success.

    A folder that stands at `target` is replaced whole: its files never mix with the new ones.
    If the new folder cannot take its place, the old one is put back.

    Raises:
        TinyBertError: If the parent folder is not writable, the disk is full, a file stands at
            `target`, or `target` contains the working folder (so that `"."` is never deleted).
    """
    target = _resolve(target)
    if os.path.exists(target) and not os.path.isdir(target):
        raise TinyBertError(
            f"Expected the path of a folder to write; a file stands there. "
            f"Received: {str(target)!r}"
        )
    if Path.cwd().is_relative_to(target):
        raise TinyBertError(
            f"Expected a new or replaceable output folder, but this one contains the working "
            f"folder and would be replaced whole. Received: {str(target)!r}"
        )
    parent = _parent(target)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=parent))
    except OSError as error:
        raise _not_written(target, error) from error
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        _swap(temporary, target)
    except OSError as error:
        if _concerns(error, temporary):
            raise _not_written(target, error) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    """Moves `folder` to `target`; what stood there is deleted, or put back if the move fails."""
    if not target.exists():
        os.replace(folder, target)
        return
    retired = folder.with_name(folder.name + ".old")
    os.replace(target, retired)
    try:
        os.replace(folder, target)
    except BaseException:
        os.replace(retired, target)
        raise
    shutil.rmtree(retired, ignore_errors=True)


def _resolve(target: str | os.PathLike) -> Path:
    """The absolute path behind all links, so that a link stays one and `"."` has a name."""
    return Path(os.path.realpath(target))


def _parent(target: Path) -> Path:
    """Creates the folder of `target` and returns it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TinyBertError(
            f"Expected an output folder that can be created. "
            f"Received: {str(target.parent)!r} ({error.strerror})."
        ) from error
    return target.parent


# Temporary names repeat only part of the target's, which may already be as long as is allowed.
def _prefix(target: Path) -> str:
    return f".{target.name[:40]}."


def _suffix(target: Path) -> str:
    return target.suffix if len(target.suffix) <= 20 else ""


def _concerns(error: OSError, temporary: Path) -> bool:
    """Whether a failed write is to blame, not a file that the block itself could not read.

    A full disk names no file; an unreadable input names one outside the temporary path.
    """
    if not isinstance(error.filename, str | os.PathLike):
        return True
    return Path(error.filename).is_relative_to(temporary)


def _not_written(target: Path, error: OSError) -> TinyBertError:
    return TinyBertError(
        f"Could not write {str(target)!r}: {error.strerror or error}. "
        "Nothing at that path was changed."
    )


def _umask() -> int:
    """The process's umask (it can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
