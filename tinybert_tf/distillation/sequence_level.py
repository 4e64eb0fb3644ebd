"""Sequence-level distillation: a student is fine-tuned on its teacher's own translations."""

import json
import os
from pathlib import Path

from tinybert_tf.errors import TinyBertError
from tinybert_tf.runs import weights_digest
from tinybert_tf.text.strings import check_strings

# Batches between two writes: what a kill loses, and texts of similar length meet in a batch.
_BATCHES_AT_ONCE = 16


def teacher_translations(
    teacher,
    sources: list[str],
    beams: int = 4,
    batch_size: int = 32,
    path: str | os.PathLike | None = None,
) -> list[str]:
    """Translates (or summarizes) sources, for a student to learn from (Kim and Rush 2016, 3.2).

    The mode of the teacher's distribution, found by beam search, is easier to fit than the
    references; `finetune` on it is sequence-level distillation.

    Args:
        teacher: `TinyBertSeq2Seq`.
        sources: list of strings.
        beams: int. See `TinyBertSeq2Seq.generate`. Defaults to `4`.
        batch_size: int. Defaults to `32`.
        path: path of a .jsonl file that keeps them, which `read_parallel` reads. What it holds
            already is not translated again, so that a run that was killed goes on. Defaults to
            `None`: none is written.

    Returns:
        list of strings, one a source.

    Raises:
        TinyBertError: If the file holds other sources, or translations of another teacher or
            with other beams.

    Example:
    ```python
    found = teacher_translations(teacher, pairs.sources, path="translations.jsonl")
    tb.finetune(student, pairs.sources, found, epochs=10)
    ```
    """
    sources = check_strings(sources, "sources")
    mark = {"beams": beams, "teacher": weights_digest(teacher)}
    found = [] if path is None else _kept(Path(path), sources, mark)
    at_once = batch_size * _BATCHES_AT_ONCE
    while len(found) < len(sources):
        some = sources[len(found) : len(found) + at_once]
        new = teacher.generate(some, beams=beams, batch_size=batch_size)
        if path is not None:
            with open(path, "a", encoding="utf-8") as stream:
                for source, target in zip(some, new, strict=True):
                    row = {"source": source, "target": target, **mark}
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        found += new
    return found


def _kept(path: Path, sources: list[str], mark: dict) -> list[str]:
    """The translations in the file, of the first sources; a half-written line is cut off."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    found = []
    for number, line in enumerate(whole.decode("utf-8").split("\n")[:-1]):
        row = _row(line, f"{path}:{number + 1}")
        if number >= len(sources) or row["source"] != sources[number]:
            raise TinyBertError(
                "Expected the translations of these sources, in their order, or a new file. "
                f"Received: {path}:{number + 1}, {row['source'][:60]!r}"
            )
        other = {name: row.get(name) for name in mark}
        if other != mark:
            raise TinyBertError(
                f"Expected translations with {mark}, or a new file. Received: {path}:{number + 1} "
                f"with {other}"
            )
        found.append(row["target"])
    if len(whole) < len(data):
        with open(path, "r+b") as stream:
            stream.truncate(len(whole))
    return found


def _row(line: str, place: str) -> dict:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise TinyBertError(f"Expected one JSON object a line. Received: {place}") from error
    if not isinstance(row, dict) or not {"source", "target"} <= row.keys():
        raise TinyBertError(f"Expected an object with source and target. Received: {place}")
    return row
