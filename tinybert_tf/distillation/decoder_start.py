"""A student's decoder that starts from its teacher's."""

from collections.abc import Sequence

import numpy as np

from tinybert_tf.distillation.layer_map import resolve_layer_map
from tinybert_tf.distillation.narrowing import assign_rows, narrow_attention, narrow_feed_forward
from tinybert_tf.errors import TinyBertError


def check_width(student, teacher) -> None:
    """Checks that a student's decoder can be copied from its teacher's.

    Raises:
        TinyBertError: If it is of another width or has more blocks.
    """
    own, other = student.decoder, teacher.decoder
    if own.hidden_dim != other.hidden_dim:
        raise TinyBertError(
            "Expected a sequence-to-sequence student as wide as the teacher that its decoder is "
            "copied from; use init='random' otherwise. "
            f"Received: hidden_dim={own.hidden_dim}, the teacher's {other.hidden_dim}"
        )
    if own.num_layers > other.num_layers:
        raise TinyBertError(
            f"Expected at most {other.num_layers} decoder blocks, as many as the teacher's; use "
            f"init='random' otherwise. Received: decoder_layers={own.num_layers}"
        )


def start_decoder(
    student, teacher, layer_map: str | Sequence[int] = "uniform", seed: int = 0
) -> None:
    """Overwrites a decoder's weights with those of a teacher of equal width.

    Fewer heads and neurons are chosen as in the encoder; see `narrow_attention`.

    Args:
        student: `TinyBertSeq2Seq`. Changed in place.
        teacher: `TinyBertSeq2Seq` with the same target vocabulary.
        layer_map: which teacher block starts which student block, by name; a list of encoder
            blocks says nothing of the decoder's, so that `"uniform"` stands for it. Defaults to
            `"uniform"`.
        seed: int. Of the random parts. Defaults to `0`.
    """
    own, other = student.decoder, teacher.decoder
    same = np.eye(other.hidden_dim, dtype="float32")
    if own.token_embedding is not None:
        own.token_embedding.set_weights(other.token_embedding.get_weights())
    if own.position_embedding.weights:
        table = own.position_embedding.weights[0]
        rows = other.position_embedding.get_weights()[0]
        assign_rows(table, rows[: table.shape[0]])
    own.layer_norm.set_weights(other.layer_norm.get_weights())
    if own.output_dense is None:
        own.output_bias.assign(other.output_bias)
    else:
        own.output_dense.set_weights(other.output_dense.get_weights())
    name = layer_map if isinstance(layer_map, str) else "uniform"
    blocks = resolve_layer_map(own.num_layers, other.num_layers, name)
    for block, index in zip(own.blocks, blocks, strict=True):
        source = other.blocks[index]
        narrow_attention(block.self_attention, source.self_attention, same, seed)
        narrow_attention(block.cross_attention, source.cross_attention, same, seed)
        narrow_feed_forward(block.feed_forward, source.feed_forward, same)
        for norm in ("self_attention", "cross_attention", "output"):
            weights = getattr(source, f"{norm}_layer_norm").get_weights()
            getattr(block, f"{norm}_layer_norm").set_weights(weights)
