"""Data sets of the Hugging Face hub (or local ones in its layout), as tables."""

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.tables import Table

PREFIX = "hf:"


def read_hub_table(name: str) -> Table:
    """Reads `hf:NAME`, `hf:NAME:SPLIT` or `hf:NAME:CONFIG:SPLIT` through the `datasets` library.

    Class numbers become class names where the data set states them.

    Args:
        name: string. `NAME` is a data set of the hub or a local folder, `SPLIT` defaults to
            `train`.

    Raises:
        TinyBertError: If `datasets` is not installed or cannot load the data set.
    """
    try:
        import datasets
    except ImportError as error:
        raise TinyBertError(
            f"Reading {name!r} needs the `datasets` library: pip install 'tinybert-tf[datasets]'"
        ) from error
    parts = name.removeprefix(PREFIX).split(":")
    if len(parts) > 3 or not all(parts):
        raise TinyBertError(
            f"hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT is expected. Received: {name!r}"
        )
    config = parts[1] if len(parts) == 3 else None
    split = parts[-1] if len(parts) > 1 else "train"
    try:
        dataset = datasets.load_dataset(parts[0], config, split=split)
    except Exception as error:  # The library raises types of its own and of its HTTP client.
        raise TinyBertError(
            f"A data set that `datasets` can load is expected. Received: {name!r}: {error}"
        ) from error
    columns = list(dataset.column_names)
    values = [_named(dataset[column], dataset.features[column], datasets) for column in columns]
    rows = [list(row) for row in zip(*values, strict=True)]
    if not rows:
        raise TinyBertError(f"At least one row is expected. Received: {name!r} has none.")
    return Table(columns, rows, list(range(len(rows))), name)


def _named(values, feature, datasets) -> list:
    """Returns a column with class numbers replaced by class names; -1 (no label) by None."""
    if isinstance(feature, datasets.ClassLabel):
        return [None if value in (None, -1) else feature.int2str(value) for value in values]
    inner = getattr(feature, "feature", None)
    if isinstance(inner, datasets.ClassLabel):
        return [None if row is None else [inner.int2str(value) for value in row] for row in values]
    return list(values)
