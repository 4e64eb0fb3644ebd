"""What the runners read from a file before they run it."""

from ai_edge_litert.interpreter import Interpreter

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.model_file import ModelFile, tensor_name
from tinybert_tf.quiet import quiet_stderr
from tinybert_tf.text.wordpiece import WordPiece

INPUTS = ("ids", "mask", "segment_ids")


def kind_of(file: ModelFile) -> str:
    """What a file's outputs are, by its settings; a file without them is a classifier's."""
    old = "labels" if file.settings.get("multi_label") else "classes"
    old = "score" if file.settings.get("regression") else old
    return file.settings.get("kind", old)


def input_order(file: ModelFile) -> tuple[str, ...]:
    """What each input of the graph takes: by the metadata, else by the tensors' names."""
    names = tuple(tensor_name(tensor) for tensor in file.inputs)
    if file.metadata is not None and file.metadata.input_names:
        names = file.metadata.input_names
    if sorted(names) != sorted(INPUTS):
        raise TinyBertError(
            f"Expected inputs named {', '.join(INPUTS)}. Received: {str(file.path)!r} with "
            f"{', '.join(names)}"
        )
    return names


def packed_labels(file: ModelFile, num_classes: int) -> list[str]:
    """The class names that a file packs, else their numbers."""
    labels = file.labels
    if labels is None:
        return [str(index) for index in range(num_classes)]
    if len(labels) != num_classes:
        raise TinyBertError(
            f"Expected {num_classes} packed labels, one a probability. "
            f"Received: {str(file.path)!r} with {len(labels)}"
        )
    return labels


def packed_tokenizer(file: ModelFile) -> WordPiece | None:
    """The tokenizer that a file packs."""
    vocabulary = file.vocabulary
    if vocabulary is None:
        return None
    return WordPiece(vocabulary, **file.settings.get("tokenizer", {}))


def open_interpreter(file: ModelFile, num_threads: int | None) -> Interpreter:
    """LiteRT's interpreter of a file, with its tensors allocated.

    Raises:
        TinyBertError: If there is no thread, or LiteRT cannot load the file.
    """
    if num_threads is not None and num_threads < 1:
        raise TinyBertError(f"Expected at least one thread. Received: num_threads={num_threads}")
    with quiet_stderr():
        try:
            interpreter = Interpreter(model_path=str(file.path), num_threads=num_threads or 1)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise TinyBertError(
                f"Expected a file that LiteRT can load. Received: {str(file.path)!r} ({error})"
            ) from error
    return interpreter
