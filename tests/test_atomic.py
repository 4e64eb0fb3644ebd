"""Outputs appear whole or not at all, whatever stops the writer."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap

import pytest

from tinybert_tf.atomic import atomic_file, atomic_folder, atomic_path
from tinybert_tf.errors import TinyBertError


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


def write_and_raise(stream, error):
    """What a writer does that fails half way."""
    stream.write("half of the new")
    raise error


@pytest.fixture
def umask():
    """Sets the umask for one test; `umask(0o027)`."""
    previous = os.umask(0o022)
    yield os.umask
    os.umask(previous)


def run_python(code, *arguments):
    """Runs `code` in a fresh interpreter and returns the completed process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


# === Files ===


def test_file_is_written_and_its_folder_created(tmp_path):
    target = tmp_path / "new" / "deeper" / "out.txt"
    with atomic_file(target) as stream:
        stream.write("héllo\n")
        assert not target.exists()
    assert target.read_bytes() == "héllo\n".encode()
    assert os.listdir(target.parent) == ["out.txt"]


def test_binary_file_replaces_the_old_content(tmp_path):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old and longer")
    with atomic_file(str(target), "wb") as stream:
        stream.write(b"\x00new")
    assert target.read_bytes() == b"\x00new"


def test_path_keeps_the_suffix_for_writers_that_choose_the_format_by_it(tmp_path):
    with atomic_path(tmp_path / "model.tflite") as temporary:
        assert temporary.suffix == ".tflite"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert (tmp_path / "model.tflite").read_bytes() == b"x"


def test_other_modes_are_refused(tmp_path):
    with (
        pytest.raises(TinyBertError, match="Received: mode='a'"),
        atomic_file(tmp_path / "out.txt", "a"),
    ):
        pass
    assert os.listdir(tmp_path) == []


def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    target = tmp_path / ("n" * 250 + ".json")
    with atomic_file(target) as stream:
        stream.write("{}")
    assert target.read_text() == "{}"


@pytest.mark.parametrize("error", [KeyError("bug"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_inside_the_block_leaves_the_old_content(tmp_path, error):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(type(error)) as caught, atomic_file(target) as stream:
        write_and_raise(stream, error)
    assert caught.value is error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_an_exception_leaves_no_file_where_none_was(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), atomic_file(tmp_path / "out.txt") as stream:
        write_and_raise(stream, RuntimeError("stop"))
    assert os.listdir(tmp_path) == []


def test_an_unreadable_input_is_not_reported_as_a_failed_write(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"), atomic_file(tmp_path / "out.txt"):
        (tmp_path / "absent.csv").read_text()
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"), atomic_folder(tmp_path / "out"):
        (tmp_path / "absent.csv").read_text()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_file_permissions_respect_the_umask(tmp_path, umask, mask, expected):
    umask(mask)
    with atomic_file(tmp_path / "out.txt") as stream:
        stream.write("x")
    assert permissions(tmp_path / "out.txt") == expected
    assert os.umask(mask) == mask


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with atomic_file(tmp_path / "link.txt") as stream:
        stream.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


# === Targets that cannot be written ===


@pytest.mark.parametrize("write", [atomic_file, atomic_path, atomic_folder])
def test_a_parent_that_is_a_regular_file(tmp_path, write):
    (tmp_path / "file").write_text("kept")
    for target in (tmp_path / "file" / "out", tmp_path / "file" / "deeper" / "out"):
        with pytest.raises(TinyBertError, match=r"output folder.*Received: '.*file"), write(target):
            pytest.fail("the block ran although nothing can be written")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc")
@pytest.mark.parametrize("write", [atomic_file, atomic_path, atomic_folder])
@pytest.mark.parametrize("target", ["/proc/out", "/proc/new/out"])
def test_a_folder_that_even_root_cannot_write_to(write, target):
    with pytest.raises(TinyBertError, match="/proc"), write(target):
        pytest.fail("the block ran although nothing can be written")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs permission bits")
@pytest.mark.parametrize("mode", [0o555, 0o000])
@pytest.mark.parametrize("write", ["atomic_file", "atomic_path", "atomic_folder"])
def test_a_folder_without_permission(write, mode):
    """In a process that gives up root's rights, if it has them."""
    with tempfile.TemporaryDirectory() as outer:  # tmp_path is closed to other users anyway
        os.chmod(outer, 0o755)
        folder = os.path.join(outer, "closed")
        os.mkdir(folder)
        os.chmod(folder, mode)
        result = run_python(
            """
            import os, sys
            from tinybert_tf import atomic
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                with getattr(atomic, sys.argv[1])(sys.argv[2]):
                    print("the block ran although nothing can be written")
            except atomic.TinyBertError as error:
                print(error)
            """,
            write,
            os.path.join(folder, "out"),
        )
        os.chmod(folder, 0o755)
        assert "Permission denied" in result.stdout, result.stderr
        assert "the block ran" not in result.stdout
        assert os.listdir(folder) == []


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(TinyBertError, match="Expected the path of a file"),
        atomic_file(tmp_path / "out"),
    ):
        pytest.fail("the block ran although its result could not be placed")


def test_a_folder_does_not_replace_a_file(tmp_path):
    (tmp_path / "model.tflite").write_text("precious")
    with (
        pytest.raises(TinyBertError, match="Expected the path of a folder"),
        atomic_folder(tmp_path / "model.tflite"),
    ):
        pytest.fail("the block ran although its result could not be placed")
    assert (tmp_path / "model.tflite").read_text() == "precious"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(TinyBertError, match="Expected the path of a file"),
        atomic_file(tmp_path / "pipe"),
    ):
        pytest.fail("the block ran although its result could not be placed")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_the_working_folder_and_those_above_it_are_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("precious")
    monkeypatch.chdir(tmp_path / "work")
    for target in (".", tmp_path / "work", "..", tmp_path):
        with (
            pytest.raises(TinyBertError, match="contains the working folder"),
            atomic_folder(target),
        ):
            pytest.fail("the block ran although its result could not be placed")
    assert (tmp_path / "work" / "notes.txt").read_text() == "precious"


# === A full disk ===

FILL_FILE = """
import sys
from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
try:
    with atomic_file(sys.argv[1], "wb") as stream:
        for _ in range(64):
            stream.write(bytes(4096))
except TinyBertError as error:
    print(error)
"""

FILL_FOLDER = """
import pathlib, sys
from tinybert_tf.atomic import atomic_folder
from tinybert_tf.errors import TinyBertError
try:
    with atomic_folder(sys.argv[1]) as folder:
        (folder / "small.txt").write_text("fits")
        (folder / "large.bin").write_bytes(bytes(262144))
except TinyBertError as error:
    print(error)
"""

LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
"""


def test_a_file_over_the_size_limit_leaves_the_old_content(tmp_path):
    pytest.importorskip("resource", reason="needs RLIMIT_FSIZE")
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    result = run_python(LIMIT + FILL_FILE, target)
    assert "Could not write" in result.stdout, result.stderr
    assert "File too large" in result.stdout
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_a_folder_over_the_size_limit_leaves_the_old_content(tmp_path):
    pytest.importorskip("resource", reason="needs RLIMIT_FSIZE")
    target = tmp_path / "model"
    target.mkdir()
    (target / "old.txt").write_text("old")
    result = run_python(LIMIT + FILL_FOLDER, target)
    assert "Could not write" in result.stdout, result.stderr
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert os.listdir(tmp_path) == ["model"]


def test_a_full_disk(tmp_path):
    """A file system of 64 KiB, mounted in a namespace of its own."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=64k tmpfs '{disk}'"
    if shutil.which("unshare") is None or subprocess.call(
        [*unshare, "sh", "-c", mount], stderr=subprocess.DEVNULL
    ):
        pytest.skip("needs mount namespaces for a small file system")
    script = f"""{mount} && cd '{disk}' && printf old > out.bin && mkdir model &&
        printf old > model/old.txt && "$0" -c "$1" out.bin && "$0" -c "$2" model &&
        cat out.bin model/old.txt && find . -type f"""
    result = subprocess.run(
        [*unshare, "sh", "-c", script, sys.executable, FILL_FILE, FILL_FOLDER],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.stdout.count("No space left on device") == 2, result.stderr
    assert "oldold" in result.stdout
    listing = result.stdout.split("oldold")[1].split()
    assert sorted(listing) == ["./model/old.txt", "./out.bin"]


def test_a_killed_writer_leaves_the_old_content(tmp_path):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    result = run_python(
        """
        import os, signal, sys
        from tinybert_tf.atomic import atomic_file
        with atomic_file(sys.argv[1], "wb") as stream:
            stream.write(bytes(100000))
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        target,
    )
    assert result.returncode == -9
    assert target.read_bytes() == b"old"


# === Folders ===


def test_folder_is_written_whole(tmp_path, umask):
    target = tmp_path / "runs" / "model"
    with atomic_folder(target) as folder:
        (folder / "config.json").write_text("{}")
        (folder / "deeper").mkdir()
        assert not target.exists()
    assert sorted(path.name for path in target.iterdir()) == ["config.json", "deeper"]
    assert os.listdir(target.parent) == ["model"]
    assert permissions(target) == 0o755
    umask(0o077)
    with atomic_folder(target):
        pass
    assert permissions(target) == 0o700


def test_folder_replaces_the_old_one_without_mixing(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "stale.txt").write_text("old")
    with atomic_folder(target) as folder:
        (folder / "fresh.txt").write_text("new")
        assert (target / "stale.txt").read_text() == "old"
    assert [path.name for path in target.iterdir()] == ["fresh.txt"]
    assert os.listdir(tmp_path) == ["model"]


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "stale.txt").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with atomic_folder(tmp_path / "link") as folder:
        (folder / "fresh.txt").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "real") == ["fresh.txt"]


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_folder(tmp_path, error):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with (
        pytest.raises(type(error)),
        atomic_folder(target) as folder,
        open(folder / "new.txt", "w") as stream,
    ):
        write_and_raise(stream, error)
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path, monkeypatch, failure
):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old.txt").write_text("old")
    replace = os.replace

    def fail_to_place(source, destination):
        if os.path.exists(os.path.join(source, "new.txt")):
            raise failure
        replace(source, destination)

    monkeypatch.setattr(os, "replace", fail_to_place)
    with pytest.raises((TinyBertError, KeyboardInterrupt)), atomic_folder(target) as folder:
        (folder / "new.txt").write_text("new")
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert os.listdir(tmp_path) == ["model"]
