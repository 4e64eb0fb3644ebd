import pytest

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export import read_metadata
from tinybert_tf.export.metadata import ModelMetadata, parse_metadata, write_metadata


def _written() -> bytes:
    return write_metadata(
        "a name", "größe, 天気", "vocab.txt", "labels.txt", description_files=("settings.json",)
    )


def test_round_trip():
    assert parse_metadata(_written()) == ModelMetadata(
        name="a name",
        description="größe, 天気",
        min_parser_version="1.1.0",
        input_names=("ids", "mask", "segment_ids"),
        output_names=("probability",),
        vocabulary_file="vocab.txt",
        labels_file="labels.txt",
        description_files=("settings.json",),
    )


def test_exported_file_carries_it(float_file):
    metadata = read_metadata(float_file)
    assert metadata.input_names == ("ids", "mask", "segment_ids")
    assert metadata.vocabulary_file == "vocab.txt"
    assert metadata.labels_file == "labels.txt"


@pytest.fixture
def mediapipe_schema():
    return pytest.importorskip(
        "mediapipe.tasks.metadata.metadata_schema_py_generated",
        reason="needs the extra `mediapipe`: its schema judges ours",
    )


def _file(schema, name, description, kind):
    file = schema.AssociatedFileT()
    file.name, file.description, file.type = name, description, kind
    return file


def _tensor(schema, name, description):
    tensor = schema.TensorMetadataT()
    tensor.name, tensor.description = name, description
    tensor.content = schema.ContentT()
    tensor.content.contentPropertiesType = schema.ContentProperties.FeatureProperties
    tensor.content.contentProperties = schema.FeaturePropertiesT()
    return tensor


def _reference(schema):
    """The same metadata through MediaPipe's generated classes."""
    kinds = schema.AssociatedFileType
    output = _tensor(schema, "probability", "Probabilities of the labels respectively.")
    output.stats = schema.StatsT()
    output.stats.max, output.stats.min = [1.0], [0.0]
    output.associatedFiles = [
        _file(schema, "labels.txt", "Class names, one a line.", kinds.TENSOR_AXIS_LABELS)
    ]
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.BertTokenizerOptions
    unit.options = schema.BertTokenizerOptionsT()
    unit.options.vocabFile = [
        _file(schema, "vocab.txt", "WordPiece vocabulary, one token a line.", kinds.VOCABULARY)
    ]
    subgraph = schema.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [
        _tensor(schema, "ids", "Tokenized ids of the input text."),
        _tensor(schema, "mask", "Mask with 1 for real tokens and 0 for padding tokens."),
        _tensor(
            schema, "segment_ids", "0 for the first sequence, 1 for the second sequence if exists."
        ),
    ]
    subgraph.outputTensorMetadata = [output]
    subgraph.inputProcessUnits = [unit]
    model = schema.ModelMetadataT()
    model.name, model.description = "a name", "größe, 天気"
    model.subgraphMetadata = [subgraph]
    model.minParserVersion = "1.1.0"
    model.associatedFiles = [_file(schema, "settings.json", "Settings.", kinds.DESCRIPTIONS)]
    return model


def _pack(schema, model) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())


def _tree(node):
    """A generated object as nested dicts, lists and plain values."""
    if isinstance(node, list):
        return [_tree(item) for item in node]
    if hasattr(node, "tolist"):
        return node.tolist()
    if hasattr(node, "__dict__"):
        return {type(node).__name__: {key: _tree(value) for key, value in vars(node).items()}}
    return node


def test_mediapipe_reads_what_was_meant(mediapipe_schema):
    expected = _pack(mediapipe_schema, _reference(mediapipe_schema))
    read = mediapipe_schema.ModelMetadataT.InitFromPackedBuf
    assert _tree(read(_written())) == _tree(read(expected))
    assert mediapipe_schema.ModelMetadata.ModelMetadataBufferHasIdentifier(_written(), 0)


def test_mediapipe_written_metadata_is_read_here(mediapipe_schema):
    packed = _pack(mediapipe_schema, _reference(mediapipe_schema))
    assert parse_metadata(packed) == parse_metadata(_written())


def test_mediapipe_finds_the_buffer_in_the_file(mediapipe_schema, float_file):
    from mediapipe.tasks.metadata import schema_py_generated as tflite

    data = float_file.read_bytes()
    model = tflite.Model.GetRootAsModel(data, 0)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    (entry,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
    buffer = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    metadata = mediapipe_schema.ModelMetadataT.InitFromPackedBuf(buffer)
    (unit,) = metadata.subgraphMetadata[0].inputProcessUnits
    assert unit.optionsType == mediapipe_schema.ProcessUnitOptions.BertTokenizerOptions
    assert unit.options.vocabFile[0].name == b"vocab.txt"


def test_other_bytes_are_refused():
    with pytest.raises(TinyBertError, match="identifier"):
        parse_metadata(b"\0" * 64)


def test_truncated_metadata_is_refused():
    written = _written()
    for length in range(8, len(written) // 2, 4):
        with pytest.raises(TinyBertError, match="readable TFLite metadata"):
            parse_metadata(written[:length])
