"""What the benchmarks' command lines share: `parser` makes one with the options asked for."""

import argparse
import os
from pathlib import Path

from tinybert_tf.layers.precision import PRECISIONS

REPOSITORY = Path(__file__).resolve().parent.parent


def default_data() -> Path:
    """Folder of the data sets: TINYBERT_DATA, or shared/data beside the repository."""
    return Path(os.environ.get("TINYBERT_DATA", REPOSITORY.parent / "shared" / "data"))


def parser(
    description: str,
    *,
    out: bool = False,
    data: bool = False,
    training: bool = False,
    precision: bool = False,
) -> argparse.ArgumentParser:
    """Parser that shows the description as it is written.

    Args:
        description: The module's docstring.
        out: Adds `--out`, the folder of results (required).
        data: Adds `--data`, the folder of data sets.
        training: Adds `--seed` and `--verbose` (of Keras).
        precision: Adds `--matmul-precision`, of dense layers while training.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if out:
        made.add_argument("--out", type=Path, required=True)
    if data:
        made.add_argument("--data", type=Path, default=default_data())
    if training:
        made.add_argument("--seed", type=int, default=0)
        made.add_argument("--verbose", type=int, default=2)
    if precision:
        made.add_argument("--matmul-precision", choices=PRECISIONS, default="float32")
    return made
