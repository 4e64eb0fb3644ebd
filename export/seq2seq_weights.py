"""What a decoder knows, as plain arrays: the input of its lowering."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinybert_tf.export.weights import (
    DenseWeights,
    Grid,
    NormWeights,
    TaskWeights,
    read_array,
    read_dense,
    read_norm,
)


@dataclass(frozen=True)
class AttentionWeights:
    """An attention of the decoder, to its own tokens or to the source, and its LayerNorm."""

    num_heads: int
    query: DenseWeights
    key: DenseWeights
    value: DenseWeights
    output: DenseWeights
    norm: NormWeights


@dataclass(frozen=True)
class DecoderBlockWeights:
    """One decoder block: attention to its own tokens, to the source, feed-forward, LayerNorm."""

    own: AttentionWeights
    cross: AttentionWeights
    intermediate: DenseWeights
    output: DenseWeights
    output_norm: NormWeights


@dataclass(frozen=True)
class DecoderWeights:
    """A decoder's weights. Matrices with a grid hold the float32 values of its integers.

    Args:
        words: array `(target vocabulary, hidden_dim)`. The word table.
        words_grid: Grid or None. Its integers.
        positions: array `(max_length, hidden_dim)`. Learned or sinusoidal.
        embedding_norm: NormWeights. The LayerNorm after the sum of the two.
        blocks: tuple of DecoderBlockWeights.
        logits: DenseWeights. The output matrix `(hidden_dim, target vocabulary)`; that of a tied
            decoder is its word table.
    """

    words: np.ndarray
    words_grid: Grid | None
    positions: np.ndarray
    embedding_norm: NormWeights
    blocks: tuple[DecoderBlockWeights, ...]
    logits: DenseWeights


def read_decoder(decoder, encoder: TaskWeights, int8: bool) -> DecoderWeights:
    """Copies a decoder's weights out of Keras.

    Args:
        decoder: Decoder.
        encoder: TaskWeights. Of the encoder, whose word table may be the decoder's too.
        int8: bool. Whether to round matrices to int8, one scale a column; a word table of its own
            gets one a row.
    """
    dense = _int8_dense if int8 else read_dense
    words, words_grid = encoder.words, encoder.words_grid
    if decoder.token_embedding is not None:
        words, words_grid = read_array(decoder.token_embedding.embeddings), None
        if int8:
            words_grid = Grid.nearest(words, axis=0)
            words = words_grid.values()
    if decoder.output_dense is not None:
        logits = dense(decoder.output_dense)
    else:
        grid = None if words_grid is None else words_grid.transposed
        logits = DenseWeights(words.T, read_array(decoder.output_bias), grid)
    return DecoderWeights(
        words=words,
        words_grid=words_grid,
        positions=decoder.position_embedding.table.astype("float32"),
        embedding_norm=read_norm(decoder.layer_norm),
        blocks=tuple(_block(block, dense) for block in decoder.blocks),
        logits=logits,
    )


def _int8_dense(layer) -> DenseWeights:
    grid = Grid.nearest(read_array(layer.kernel), axis=1)
    return DenseWeights(grid.values(), read_array(layer.bias), grid)


def _block(block, dense: Callable) -> DecoderBlockWeights:
    return DecoderBlockWeights(
        own=_attention(block.self_attention, block.self_attention_layer_norm, dense),
        cross=_attention(block.cross_attention, block.cross_attention_layer_norm, dense),
        intermediate=dense(block.feed_forward.intermediate_dense),
        output=dense(block.feed_forward.output_dense),
        output_norm=read_norm(block.output_layer_norm),
    )


def _attention(layer, norm, dense: Callable) -> AttentionWeights:
    return AttentionWeights(
        num_heads=layer.num_heads,
        query=dense(layer.query_dense),
        key=dense(layer.key_dense),
        value=dense(layer.value_dense),
        output=dense(layer.output_dense),
        norm=read_norm(norm),
    )
