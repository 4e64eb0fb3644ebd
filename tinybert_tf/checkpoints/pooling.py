"""What a sentence-transformers checkpoint does behind its encoder."""

import json
from pathlib import Path

from tinybert_tf.errors import TinyBertError

MODULES, POOLING = "modules.json", "1_Pooling/config.json"
# The last parts of their types' names.
_KNOWN = ("Transformer", "Pooling", "Normalize")
_MEAN = "pooling_mode_mean_tokens"


def check_mean_pooling(folder: Path) -> None:
    """Checks that a checkpoint's vectors are means, normalized or not; no word is taken for yes.

    Args:
        folder: path.

    Raises:
        TinyBertError: If it pools otherwise, has a layer after the pooling, or a file is damaged.
    """
    modules = _read(folder / MODULES)
    types = [str(one.get("type", "")).rpartition(".")[2] for one in modules or []]
    others = [name for name in types if name not in _KNOWN]
    if others:
        raise TinyBertError(
            f"Expected a sentence encoder of {', '.join(_KNOWN)}. "
            f"Received: {str(folder / MODULES)!r} with {', '.join(others)}"
        )
    pooling = _read(folder / POOLING) or {}
    chosen = [name for name, value in pooling.items() if name.startswith("pooling_mode_") and value]
    if chosen and chosen != [_MEAN]:
        raise TinyBertError(
            "Expected a sentence encoder that averages its tokens, as this one would. "
            f"Received: {str(folder / POOLING)!r} with {', '.join(chosen)}"
        )


def _read(path: Path):
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TinyBertError(f"Expected JSON. Received: {str(path)!r}: {error}") from error
