"""What is packed into a file: metadata, vocabulary, labels and settings."""

import json

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.out_of_scope import OutOfScopeThreshold
from tinybert_tf.export.metadata import write_metadata
from tinybert_tf.export.model_file import LABELS_FILE, SETTINGS_FILE, VOCABULARY_FILE, text_lines
from tinybert_tf.models.task import TinyBertTask

# What labels.txt says of the outputs that have no classes.
_OUTPUT_LABELS = {"spans": ["start", "end"], "embedding": ["embedding"]}
# Name and description in the metadata by kind of task.
_DESCRIPTIONS = {
    "classes": ("TinyBERT text classifier", "Exclusive classes: {count}."),
    "labels": ("TinyBERT text classifier", "Independent classes: {count}."),
    "score": ("TinyBERT text regression", "One score."),
    "tokens": ("TinyBERT token classifier", "Tags of each token: {count}."),
    "spans": ("TinyBERT question answering", "Logits of an answer's start and end."),
    "embedding": ("TinyBERT sentence embedder", "A vector of length one."),
}


def packed_metadata(classifier: TinyBertTask, attention: bool) -> bytes:
    """The TFLITE_METADATA buffer of a model's file."""
    name, description = _DESCRIPTIONS[classifier.kind]
    return write_metadata(
        name=name,
        description=description.format(count=getattr(classifier, "num_classes", 0)),
        vocabulary_file=VOCABULARY_FILE,
        labels_file=LABELS_FILE,
        description_files=(SETTINGS_FILE,),
        attention=attention,
    )


def packed_files(
    classifier: TinyBertTask,
    target: str,
    scheme: str | None,
    out_of_scope: OutOfScopeThreshold | None,
) -> dict[str, bytes]:
    """The files to pack, by name.

    Raises:
        TinyBertError: If the classifier has no tokenizer, the vocabulary exceeds the word table,
            or labels do not fit a file of lines or the number of logits.
    """
    if classifier.preprocessor is None or classifier.wordpiece is None:
        raise TinyBertError(
            "Expected a classifier with a preprocessor, whose vocabulary goes into the file; or "
            "pass metadata=False. Received: preprocessor=None, metadata=True"
        )
    wordpiece, labels = classifier.wordpiece, getattr(classifier, "labels", None)
    rows = classifier.backbone.vocabulary_size
    if wordpiece.vocabulary_size > rows:
        raise TinyBertError(
            f"Expected a vocabulary of at most {rows} tokens, the rows of the word table. "
            f"Received: vocabulary_size={wordpiece.vocabulary_size}"
        )
    if labels is None:
        labels = _OUTPUT_LABELS[classifier.kind]
    elif len(labels) != classifier.num_classes:
        raise TinyBertError(
            f"Expected one label a class. Received: {len(labels)} labels, "
            f"num_classes={classifier.num_classes}"
        )
    broken = [label for label in labels if "\n" in label or "\r" in label]
    if broken:
        raise TinyBertError(
            f"Expected labels of one line, for labels.txt. Received: labels={broken!r}"
        )
    settings = {
        "format": 1,
        "tokenizer": wordpiece.get_config(),
        "kind": classifier.kind,
        "multi_label": classifier.kind == "labels",
        "regression": classifier.kind == "score",
        "quantization": scheme or "float32",
        "target": target,
    }
    if classifier.kind == "spans":
        settings["question_answering"] = {
            "stride": classifier.stride,
            "max_question": classifier.max_question,
            "null_threshold": classifier.null_threshold,
        }
    if out_of_scope is not None:
        settings["out_of_scope"] = out_of_scope.to_dict()
    return {
        VOCABULARY_FILE: text_lines(wordpiece.vocabulary),
        LABELS_FILE: text_lines(labels),
        SETTINGS_FILE: json.dumps(settings, indent=2).encode("utf-8"),
    }
