"""keras-hub's BERT as one of ours: the same weights, with attention scores that can be reached."""

from tinybert_tf.errors import TinyBertError
from tinybert_tf.text.wordpiece import WordPiece


def from_keras_hub(model):
    """Copies a keras-hub BERT into our backbone, or classifier.

    keras-hub computes GELU by its tanh form, so the copy does too. Its tokenizer never strips
    accents; the copy's tokenizer keeps them as well.

    Args:
        model: `keras_hub.models.BertBackbone` or `keras_hub.models.BertTextClassifier`.

    Returns:
        `TinyBertBackbone` or `TinyBertTextClassifier`.

    Raises:
        TinyBertError: If a classifier outputs probabilities instead of logits.
    """
    from tinybert_tf.models import TinyBertBackbone, TinyBertTextClassifier

    source = getattr(model, "backbone", model)
    backbone = TinyBertBackbone(
        vocabulary_size=source.vocabulary_size,
        num_layers=source.num_layers,
        num_heads=source.num_heads,
        hidden_dim=source.hidden_dim,
        intermediate_dim=source.intermediate_dim,
        dropout=source.dropout,
        max_sequence_length=source.max_sequence_length,
        num_segments=source.num_segments,
        activation="gelu_tanh",
        dtype=source.dtype_policy,
    )
    _copy_encoder(source, backbone)
    if source is model:
        return backbone
    activation = getattr(model.activation, "__name__", "linear")
    if activation != "linear":
        raise TinyBertError(
            "Expected a classifier that outputs logits; build it with activation=None. "
            f"Received: activation={activation!r}"
        )
    classifier = TinyBertTextClassifier(
        backbone,
        num_classes=model.num_classes,
        preprocessor=_preprocessor(model.preprocessor),
        dropout=model.dropout,
    )
    classifier.output_dense.set_weights(model.output_dense.get_weights())
    return classifier


def _copy_encoder(source, backbone) -> None:
    embeddings = backbone.embeddings
    embeddings.token_embedding.set_weights([source.token_embedding.embeddings.numpy()])
    embeddings.position_embedding.set_weights(source.position_embedding.get_weights())
    embeddings.segment_embedding.set_weights(source.segment_embedding.get_weights())
    embeddings.layer_norm.set_weights(source.embeddings_layer_norm.get_weights())
    for block, layer in zip(backbone.encoder_blocks, source.transformer_layers, strict=True):
        attention = layer._self_attention_layer
        width = block.attention.num_heads * block.attention.head_dim
        for own, other in (("query", "query"), ("key", "key"), ("value", "value")):
            kernel, bias = getattr(attention, f"_{other}_dense").get_weights()
            getattr(block.attention, f"{own}_dense").set_weights(
                [kernel.reshape(-1, width), bias.reshape(width)]
            )
        kernel, bias = attention._output_dense.get_weights()
        block.attention.output_dense.set_weights([kernel.reshape(width, -1), bias])
        for own, other in (
            (block.attention_layer_norm, layer._self_attention_layer_norm),
            (block.feed_forward.intermediate_dense, layer._feedforward_intermediate_dense),
            (block.feed_forward.output_dense, layer._feedforward_output_dense),
            (block.output_layer_norm, layer._feedforward_layer_norm),
        ):
            own.set_weights(other.get_weights())
    backbone.pooler.set_weights(source.pooled_dense.get_weights())


def _preprocessor(preprocessor):
    from tinybert_tf.models import TinyBertTextClassifierPreprocessor, TinyBertTokenizer

    if preprocessor is None:
        return None
    tokenizer = preprocessor.tokenizer
    wordpiece = WordPiece(
        list(tokenizer.get_vocabulary()), lowercase=tokenizer.lowercase, strip_accents=False
    )
    return TinyBertTextClassifierPreprocessor(
        TinyBertTokenizer.from_wordpiece(wordpiece), preprocessor.sequence_length
    )
