"""Bundles, sites and a server for the tests of the page."""

import contextlib
import functools
import hashlib
import http.server
import importlib.util
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from tinybert_tf.export.bundle import write_bundle

WEB = Path(__file__).parents[2] / "android_demo_assets" / "web"
COMMITTED = WEB.parent / "bundle"
LONG_LENGTHS = (8, 16, 32)
TEXTS = [
    "the film was great fun",
    "a dull and poor plot",
    "very fine acting !",
    "it was awful , truly",
]


def load_build():
    """The module build.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("web_build", WEB / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


web_build = load_build()


def need(condition: bool, what: str) -> None:
    """Skips a test that lacks something; in CI it fails."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needed in CI: {what}")
    pytest.skip(what)


def chromium_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def make_bundle(file: Path, folder: Path) -> Path:
    """The bundle of a file."""
    write_bundle(file, folder, texts=TEXTS)
    return folder


def sign(folder: Path, **changes) -> None:
    """Writes the hashes of a changed bundle into its manifest, and other changes."""
    path = folder / "manifest.json"
    manifest = {**json.loads(path.read_text("utf-8")), **changes}
    for name in filter(lambda name: (folder / name).is_file(), manifest["sha256"]):
        manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    replace(path, json.dumps(manifest).encode())


def replace(path: Path, data: bytes) -> None:
    """Writes a file anew: sites share theirs by hard links."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def build_site(bundle: Path, out: Path) -> Path:
    """Builds a page, with packages that are fetched once."""
    try:
        web_build.build(bundle, out)
    except web_build.BuildError as error:
        need("npm" not in str(error), f"LiteRT.js could not be fetched: {error}")
        raise
    return out


@contextlib.contextmanager
def serve(root: Path, gate: threading.Event | None = None):
    """Serves a folder at a free port of this machine; yields the address.

    With a gate, the second half of a model is sent when it opens.
    """

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def copyfile(self, source, outputfile):
            if gate is not None and self.path.endswith("model.tflite"):
                outputfile.write(source.read(os.fstat(source.fileno()).st_size // 2))
                gate.wait(20)
            super().copyfile(source, outputfile)

        def end_headers(self):  # tests change files within a second
            self.send_header("Cache-Control", "no-store")
            super().end_headers()

    handler = functools.partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def golden(bundle: Path) -> list[dict]:
    return [json.loads(line) for line in (bundle / "golden.jsonl").read_text("utf-8").splitlines()]
