"""Puts the page, LiteRT.js and a bundle into one folder that any web server serves.

    python android_demo_assets/web/build.py --bundle DIR --out DIR
    python -m http.server --bind 127.0.0.1 --directory DIR

LiteRT.js comes from the npm registry, in the versions and with the hashes of litert.lock.json, and
is kept in the user's cache folder: a second build needs neither npm nor a network.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FORMAT = "tinybert_tf.bundle"
HERE = Path(__file__).parent


class BuildError(Exception):
    """What a user can mend: a missing file, a missing program."""


def build(bundle: Path, out: Path, cache: Path | None = None) -> Path:
    """Writes the folder.

    Args:
        bundle: path. What `tinybert-tf bundle` wrote.
        out: path. The folder to write; files of the same names are replaced.
        cache: path. Where packages are kept. Defaults to `None`: the user's cache folder.

    Returns:
        The path of the page.

    Raises:
        BuildError: If the bundle is incomplete or a package cannot be fetched.
    """
    names = bundle_files(bundle)
    if out.resolve() == bundle.resolve():
        raise BuildError(f"Expected another folder than the bundle's. Received: out={str(out)!r}")
    shutil.copytree(HERE / "page", out, dirs_exist_ok=True)
    for folder in (out / "bundle", out / "litert"):
        folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(bundle / name, out / "bundle" / name)
    for package in json.loads((HERE / "litert.lock.json").read_text("utf-8"))["packages"]:
        unpack(fetch(package, cache or cache_folder()), package["files"], out / "litert")
    return out / "index.html"


def bundle_files(bundle: Path) -> list[str]:
    """The files of a bundle that the page reads.

    Raises:
        BuildError: If there is no manifest, it is another format's, or a file is missing.
    """
    path = bundle / "manifest.json"
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(
            f"Expected a folder that `tinybert-tf bundle` wrote. Received: {str(path)!r} ({error})"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BuildError(f"Expected a manifest of {FORMAT}. Received: {str(path)!r}")
    if manifest.get("task") != "classification":
        raise BuildError(f"Expected the bundle of a classifier. Received: {manifest.get('task')!r}")
    names = [
        "manifest.json",
        manifest["model"]["file"],
        manifest["tokenizer"]["vocabulary"],
        manifest["labels"],
        "golden.jsonl",
    ]
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise BuildError(f"Expected plain file names in the manifest. Received: {outside}")
    missing = [name for name in names if not (bundle / name).is_file()]
    if missing:
        raise BuildError(f"Expected {', '.join(missing)} in the bundle. Received: {str(bundle)!r}")
    return names


def cache_folder() -> Path:
    """The user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tinybert_tf" / "web"


def fetch(package: dict, cache: Path) -> bytes:
    """An npm package as a `.tgz`, out of the cache or from the registry.

    Args:
        package: dict with name, version and integrity.
        cache: path.

    Raises:
        BuildError: If npm is missing or fails, or if what it gives has another hash.
    """
    kept = cache / f"{package['name'].strip('@').replace('/', '-')}-{package['version']}.tgz"
    if kept.is_file() and integrity(kept.read_bytes()) == package["integrity"]:
        return kept.read_bytes()
    wanted = f"{package['name']}@{package['version']}"
    if shutil.which("npm") is None:
        raise BuildError(f"Expected npm (of Node.js), to fetch {wanted}. Received: no such program")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", wanted, "--silent", "--pack-destination", folder]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            raise BuildError(f"Expected npm to fetch {wanted}. Received: {done.stderr[-500:]!r}")
        data = found[0].read_bytes()
    if integrity(data) != package["integrity"]:
        raise BuildError(
            f"Expected {wanted} with the hash {package['integrity']}. Received: {integrity(data)}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(kept)
    return data


def integrity(data: bytes) -> str:
    """The hash of a package as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def unpack(package: bytes, files: dict[str, str], out: Path) -> None:
    """Copies files of a package.

    Args:
        package: bytes of a `.tgz`.
        files: dict from path in the package to name in the folder.
        out: path. The folder.
    """
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        for path, name in files.items():
            data = archive.extractfile(path).read()
            if name == "litert.js":  # workers know no import maps
                data = data.replace(b'"@litertjs/wasm-utils"', b'"./wasm-utils.js"')
            (out / name).write_bytes(data)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    try:
        page = build(arguments.bundle, arguments.out)
    except BuildError as error:
        sys.exit(str(error))
    print(f"{page}: serve its folder, for example with")
    print(f"  python -m http.server --bind 127.0.0.1 --directory {arguments.out}")


if __name__ == "__main__":
    main()
