"""The TFLite metadata that MediaPipe's TextClassifier reads, written and read back.

Field numbers and enum values are those of `metadata_schema.fbs` (TFLite metadata schema 1.5.0).
MediaPipe finds the tokenizer in `input_process_units` and matches the three inputs by these
names in the order of the model's inputs: it ignores the names of the tensors themselves.
"""

import struct
from dataclasses import dataclass

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.flat_tables import Byte, TableReader, write_root

FILE_IDENTIFIER = b"M001"
# The schema version that introduced BertTokenizerOptions, the newest thing used here.
MIN_PARSER_VERSION = "1.1.0"

# Field numbers of each table.
_MODEL_NAME, _MODEL_DESCRIPTION, _MODEL_SUBGRAPHS, _MODEL_FILES, _MODEL_MIN_PARSER = 0, 1, 3, 6, 7
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS, _SUBGRAPH_INPUT_UNITS = 2, 3, 5
_TENSOR_NAME, _TENSOR_DESCRIPTION, _TENSOR_CONTENT, _TENSOR_STATS, _TENSOR_FILES = 0, 1, 3, 5, 6
_CONTENT_TYPE, _CONTENT_PROPERTIES = 0, 1
_STATS_MAX, _STATS_MIN = 0, 1
_UNIT_TYPE, _UNIT_OPTIONS = 0, 1
_TOKENIZER_VOCABULARY = 0
_FILE_NAME, _FILE_DESCRIPTION, _FILE_TYPE = 0, 1, 2

# Enum and union values.
_FEATURE_PROPERTIES = 1
_BERT_TOKENIZER_OPTIONS = 4
_DESCRIPTIONS, _TENSOR_AXIS_LABELS, _VOCABULARY = 1, 2, 5

_INPUTS = (
    ("ids", "Tokenized ids of the input text."),
    ("mask", "Mask with 1 for real tokens and 0 for padding tokens."),
    ("segment_ids", "0 for the first sequence, 1 for the second sequence if exists."),
)


@dataclass(frozen=True)
class ModelMetadata:
    """What a file's TFLITE_METADATA buffer says.

    Args:
        name: string. Name of the model.
        description: string.
        min_parser_version: string. The oldest metadata schema that covers it.
        input_names: tuple of strings. In the order of the model's inputs.
        output_names: tuple of strings.
        vocabulary_file: string. Packed file with the BERT vocabulary; empty when there is none.
        labels_file: string. Packed file with the class names; empty when there is none.
        description_files: tuple of strings. Other packed files.
    """

    name: str
    description: str
    min_parser_version: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    vocabulary_file: str
    labels_file: str
    description_files: tuple[str, ...] = ()


def write_metadata(
    name: str,
    description: str,
    vocabulary_file: str,
    labels_file: str,
    description_files: tuple[str, ...] = (),
    attention: bool = False,
) -> bytes:
    """Serializes the metadata of a BERT text classifier with inputs ids, mask, segment_ids.

    Args:
        name: string. Name of the model.
        description: string.
        vocabulary_file: string. Name of the packed vocabulary.
        labels_file: string. Name of the packed class names.
        description_files: tuple of strings. Further packed files. Defaults to `()`.
        attention: bool. Whether there is a second output. Defaults to `False`.
    """
    features = {_CONTENT_TYPE: Byte(_FEATURE_PROPERTIES), _CONTENT_PROPERTIES: {}}
    inputs = [
        {_TENSOR_NAME: name, _TENSOR_DESCRIPTION: text, _TENSOR_CONTENT: features}
        for name, text in _INPUTS
    ]
    output = {
        _TENSOR_NAME: "probability",
        _TENSOR_DESCRIPTION: "Probabilities of the labels respectively.",
        _TENSOR_CONTENT: features,
        _TENSOR_STATS: {_STATS_MAX: [1.0], _STATS_MIN: [0.0]},
        _TENSOR_FILES: [_file(labels_file, "Class names, one a line.", _TENSOR_AXIS_LABELS)],
    }
    outputs = [output]
    if attention:
        text = "What the classification token attends to in the last block, head by head."
        outputs.append(
            {
                _TENSOR_NAME: "attention",
                _TENSOR_DESCRIPTION: text,
                _TENSOR_CONTENT: features,
                _TENSOR_STATS: output[_TENSOR_STATS],
            }
        )
    vocabulary = _file(vocabulary_file, "WordPiece vocabulary, one token a line.", _VOCABULARY)
    tokenizer = {
        _UNIT_TYPE: Byte(_BERT_TOKENIZER_OPTIONS),
        _UNIT_OPTIONS: {_TOKENIZER_VOCABULARY: [vocabulary]},
    }
    subgraph = {
        _SUBGRAPH_INPUTS: inputs,
        _SUBGRAPH_OUTPUTS: outputs,
        _SUBGRAPH_INPUT_UNITS: [tokenizer],
    }
    model = {
        _MODEL_NAME: name,
        _MODEL_DESCRIPTION: description,
        _MODEL_SUBGRAPHS: [subgraph],
        _MODEL_MIN_PARSER: MIN_PARSER_VERSION,
    }
    if description_files:
        model[_MODEL_FILES] = [
            _file(name, "Settings.", _DESCRIPTIONS) for name in description_files
        ]
    return write_root(model, FILE_IDENTIFIER)


def parse_metadata(data: bytes) -> ModelMetadata:
    """Reads a TFLITE_METADATA buffer.

    Raises:
        TinyBertError: If the bytes are no TFLite metadata.
    """
    if data[4:8] != FILE_IDENTIFIER:
        raise TinyBertError(
            f"Expected metadata with the identifier {FILE_IDENTIFIER!r}. "
            f"Received: identifier={bytes(data[4:8])!r}"
        )
    try:
        return _parse(TableReader.root(data))
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise TinyBertError(f"Expected readable TFLite metadata. Received: {error}") from error


def _parse(model: TableReader) -> ModelMetadata:
    subgraphs = model.tables(_MODEL_SUBGRAPHS)
    inputs = subgraphs[0].tables(_SUBGRAPH_INPUTS) if subgraphs else []
    outputs = subgraphs[0].tables(_SUBGRAPH_OUTPUTS) if subgraphs else []
    units = subgraphs[0].tables(_SUBGRAPH_INPUT_UNITS) if subgraphs else []
    vocabularies = [
        name
        for unit in units
        if unit.byte(_UNIT_TYPE) == _BERT_TOKENIZER_OPTIONS
        for name in _file_names(unit.table(_UNIT_OPTIONS), _TOKENIZER_VOCABULARY, _VOCABULARY)
    ]
    labels = [
        name for table in outputs for name in _file_names(table, _TENSOR_FILES, _TENSOR_AXIS_LABELS)
    ]
    return ModelMetadata(
        name=model.string(_MODEL_NAME),
        description=model.string(_MODEL_DESCRIPTION),
        min_parser_version=model.string(_MODEL_MIN_PARSER),
        input_names=tuple(table.string(_TENSOR_NAME) for table in inputs),
        output_names=tuple(table.string(_TENSOR_NAME) for table in outputs),
        vocabulary_file=vocabularies[0] if vocabularies else "",
        labels_file=labels[0] if labels else "",
        description_files=tuple(_file_names(model, _MODEL_FILES, _DESCRIPTIONS)),
    )


def _file(name: str, description: str, kind: int) -> dict:
    return {_FILE_NAME: name, _FILE_DESCRIPTION: description, _FILE_TYPE: Byte(kind)}


def _file_names(table: TableReader | None, field: int, kind: int) -> list[str]:
    """Names of the associated files of one kind in a vector of files."""
    files = table.tables(field) if table else []
    return [file.string(_FILE_NAME) for file in files if file.byte(_FILE_TYPE) == kind]
