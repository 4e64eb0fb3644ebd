"""From a trained sequence-to-sequence model to a `.tflite` file."""

import json
import os
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.converter import ExportResult, convert
from tinybert_tf.export.graph_edits import equalize_ranks, name_tensors
from tinybert_tf.export.model_file import SETTINGS_FILE, pack_model, parse_model, text_lines
from tinybert_tf.export.qat import check_supported, quantize_aware
from tinybert_tf.export.requirements import check_requirements
from tinybert_tf.export.seq2seq_lowering import LoweredDecoder, LoweredEncoder
from tinybert_tf.export.seq2seq_runner import KIND, SOURCE_FILE, TARGET_FILE
from tinybert_tf.export.seq2seq_weights import read_decoder
from tinybert_tf.export.signatures import merge_models
from tinybert_tf.export.targets import find_target, scheme_of
from tinybert_tf.export.weight_packing import pack_weights
from tinybert_tf.export.weights import TaskWeights, check_finite, read_weights
from tinybert_tf.models.sentence_embedder import TinyBertSentenceEmbedder
from tinybert_tf.models.seq2seq import TinyBertSeq2Seq

_TARGETS = ("universal", "float32")
# Of a source: [CLS], a token, [SEP]. Of a target: a token, [SEP].
_SHORTEST_SOURCE, _SHORTEST_TARGET = 3, 2


def seq2seq_to_tflite(
    model: TinyBertSeq2Seq,
    path: str | os.PathLike,
    target: str = "universal",
    sequence_length: int | None = None,
    target_length: int | None = None,
) -> ExportResult:
    """Writes a sequence-to-sequence model as a `.tflite` file of two signatures.

    `encode` maps a source, int32 `ids`, `mask` and `segment_ids` `(1, S)`, to the keys and values
    that each decoder block attends to. `decode` maps one target token, its position, the mask and
    these, and the keys and values of the tokens before, to the logits `(1, V)` of the next token
    and the keys and values up to this one. Both share the weights, which are stored once.
    `TFLiteSeq2Seq` runs the file.

    Under `"universal"` matrices are rounded to int8 without training: one scale a column, word
    tables one a row. An encoder trained under `"dynamic_int8"` keeps its integers.

    Args:
        model: TinyBertSeq2Seq, with a preprocessor. Of any dtype policy.
        path: path. The file to write; its folder is created. Replaced whole, or not at all.
        target: string. `"universal"` or `"float32"`, see `TARGETS`. Defaults to `"universal"`.
        sequence_length: int. S, tokens of a source. Defaults to `None`: the model's.
        target_length: int. Most tokens of a target, [SEP] included. Defaults to `None`: the
            preprocessor's.

    Returns:
        ExportResult.

    Raises:
        TinyBertError: If an argument does not fit the model, a weight is NaN or infinite, or the
            file cannot be written.

    Example:
        >>> seq2seq_to_tflite(model, "translate.tflite")
        >>> TFLiteSeq2Seq("translate.tflite").generate(["I like tea."])
        ['我喜欢茶。']
    """
    profile = find_target(target)
    if target not in _TARGETS:
        raise TinyBertError(
            f"Expected for a sequence-to-sequence model a target out of {', '.join(_TARGETS)}. "
            f"Received: target={target!r}"
        )
    _check_model(model)
    scheme = scheme_of(profile, None, model.backbone.quantization)
    sequence_length = _length(
        "sequence_length",
        model.sequence_length if sequence_length is None else sequence_length,
        _SHORTEST_SOURCE,
        model.backbone.max_sequence_length,
    )
    target_length = _length(
        "target_length",
        model.preprocessor.target_length if target_length is None else target_length,
        _SHORTEST_TARGET,
        model.max_target_length,
    )
    encoder = _read_encoder(model, scheme)
    decoder = read_decoder(model.decoder, encoder, int8=scheme is not None)
    merged = merge_models(
        {
            "encode": _build(LoweredEncoder(encoder, decoder), sequence_length),
            "decode": _build(LoweredDecoder(encoder, decoder, target_length), sequence_length),
        }
    )
    check_requirements(merged, profile, Path(path))
    settings = {
        "format": 1,
        "kind": KIND,
        "purpose": model.purpose,
        "tokenizer": model.wordpiece.get_config(),
        "target_tokenizer": model.target_wordpiece.get_config(),
        "begin_id": model.target_wordpiece.cls_id,
        "end_id": model.target_wordpiece.sep_id,
        "sequence_length": sequence_length,
        "target_length": target_length,
        "quantization": scheme or "float32",
        "target": target,
    }
    files = {
        SOURCE_FILE: text_lines(model.wordpiece.vocabulary),
        TARGET_FILE: text_lines(model.target_wordpiece.vocabulary),
        SETTINGS_FILE: json.dumps(settings, indent=2).encode("utf-8"),
    }
    content = pack_model(merged, files=files)
    with atomic_file(path, "wb") as stream:
        stream.write(content)
    return ExportResult(
        Path(path), len(content), (sequence_length,), target, settings["quantization"]
    )


def _check_model(model: TinyBertSeq2Seq) -> None:
    if not isinstance(model, TinyBertSeq2Seq):
        raise TinyBertError(
            "Expected a TinyBertSeq2Seq; `to_tflite` exports the other models. "
            f"Received: model={type(model).__name__}"
        )
    if model.preprocessor is None:
        raise TinyBertError(
            "Expected a model with a preprocessor, whose vocabularies go into the file. "
            "Received: preprocessor=None"
        )
    check_supported(model)
    check_finite(model)


def _length(name: str, value: int, shortest: int, longest: int) -> int:
    if not isinstance(value, int) or not shortest <= value <= longest:
        raise TinyBertError(
            f"Expected a {name} from {shortest} to {longest}, the rows of the position table. "
            f"Received: {name}={value!r}"
        )
    return value


def _read_encoder(model: TinyBertSeq2Seq, scheme: str | None) -> TaskWeights:
    if scheme is None or model.backbone.quantization is not None:
        return read_weights(model)
    # Of all tasks an embedder is the one that adds nothing to its encoder.
    return read_weights(quantize_aware(TinyBertSentenceEmbedder(model.backbone), scheme))


def _build(lowered: LoweredEncoder | LoweredDecoder, sequence_length: int) -> schema.ModelT:
    """The flatbuffer of one signature as an object tree."""
    converted = convert(lowered, sequence_length, integer=False)
    model = parse_model(converted, "the converter's output")
    name_tensors(model, lowered.input_names, lowered.output_names)
    equalize_ranks(model)
    pack_weights(model, lowered.grids)
    return model
