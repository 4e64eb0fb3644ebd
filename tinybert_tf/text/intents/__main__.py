"""`python -m tinybert_tf.text.intents OUT_DIR`: writes the data set as CSV files."""

import argparse
import sys

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.intents.data import load_intents, write_intents


def main(arguments: list[str] | None = None) -> int:
    """Writes train.csv, dev.csv and test.csv; returns the exit status (2: not writable)."""
    parser = argparse.ArgumentParser("python -m tinybert_tf.text.intents", description=__doc__)
    parser.add_argument("out_dir", metavar="OUT_DIR", help="folder for the three files")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--per-intent", type=int, default=200, help="training texts (default: 200)")
    options = parser.parse_args(arguments)
    try:
        data = load_intents(options.seed, options.per_intent)
        paths = write_intents(options.out_dir, data)
    except TinyBertError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path, (texts, _) in zip(paths, (data.train, data.dev, data.test), strict=True):
        print(f"{path}: {len(texts)} sentences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
