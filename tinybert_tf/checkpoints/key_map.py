"""Which Hugging Face key belongs to which variable of the backbone."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tinybert_tf.errors import TinyBertError


class MappedWeight(NamedTuple):
    """One weight of the backbone.

    Attributes:
        key: string. Its name in Hugging Face's `BertModel`, without the prefix `bert.`.
        variable: `keras.Variable`.
        transposed: bool. Whether the file holds the transpose: PyTorch's Linear keeps
            `(out, in)`, a Keras kernel is `(in, out)`.
    """

    key: str
    variable: object
    transposed: bool

    @property
    def file_shape(self) -> tuple[int, ...]:
        """The shape in the file."""
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.transposed else shape


# Heads and training leftovers beside the encoder: masked-LM and next-sentence heads, classifiers,
# TinyBERT's projections to the teacher's width, and buffers that are no weights.
_BESIDE_THE_ENCODER = re.compile(
    r"(cls|classifier|qa_outputs|fit_dense|fit_denses)\.|embeddings\.(position|token_type)_ids$"
)
# What wrappers put in front: DataParallel's "module.", the task models' "bert.".
_PREFIX = re.compile(r"^(module\.)?(bert\.)?")
# TensorFlow's names, kept by the oldest PyTorch checkpoints.
_LEGACY_NORM = re.compile(r"(?<=LayerNorm\.)(gamma|beta)$")
_NORM_NAMES = {"gamma": "weight", "beta": "bias"}


def backbone_weights(backbone) -> Iterator[MappedWeight]:
    """Lists the weights of a `TinyBertBackbone` that `BertModel` has too, in file order.

    A sinusoidal position table is no weight, so it is absent. With a reduced representation the
    pooler is absent as well: it reads another width than BERT's.
    """
    embeddings = backbone.embeddings
    yield MappedWeight(
        "embeddings.word_embeddings.weight", embeddings.token_embedding.embeddings, False
    )
    if embeddings.position_embedding.embeddings is not None:
        yield MappedWeight(
            "embeddings.position_embeddings.weight", embeddings.position_embedding.embeddings, False
        )
    yield MappedWeight(
        "embeddings.token_type_embeddings.weight", embeddings.segment_embedding.embeddings, False
    )
    yield from _norm("embeddings.LayerNorm", embeddings.layer_norm)
    for index, block in enumerate(backbone.encoder_blocks):
        prefix = f"encoder.layer.{index}"
        yield from _dense(f"{prefix}.attention.self.query", block.attention.query_dense)
        yield from _dense(f"{prefix}.attention.self.key", block.attention.key_dense)
        yield from _dense(f"{prefix}.attention.self.value", block.attention.value_dense)
        yield from _dense(f"{prefix}.attention.output.dense", block.attention.output_dense)
        yield from _norm(f"{prefix}.attention.output.LayerNorm", block.attention_layer_norm)
        yield from _dense(f"{prefix}.intermediate.dense", block.feed_forward.intermediate_dense)
        yield from _dense(f"{prefix}.output.dense", block.feed_forward.output_dense)
        yield from _norm(f"{prefix}.output.LayerNorm", block.output_layer_norm)
    if backbone.reduction is None:
        yield from _dense("pooler.dense", backbone.pooler)


def _dense(key: str, layer) -> Iterator[MappedWeight]:
    yield MappedWeight(f"{key}.weight", layer.kernel, True)
    yield MappedWeight(f"{key}.bias", layer.bias, False)


def _norm(key: str, layer) -> Iterator[MappedWeight]:
    yield MappedWeight(f"{key}.weight", layer.gamma, False)
    yield MappedWeight(f"{key}.bias", layer.beta, False)


def plain_keys(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames weights to `BertModel`'s keys: without prefixes and legacy LayerNorm names.

    Raises:
        TinyBertError: If two weights get the same name.
    """
    renamed: dict[str, np.ndarray] = {}
    for key, value in weights.items():
        plain = _LEGACY_NORM.sub(lambda match: _NORM_NAMES[match[0]], _PREFIX.sub("", key))
        if plain in renamed:
            raise TinyBertError(
                f"Expected each weight once. Received: {plain!r} under several names, such as "
                f"{key!r}"
            )
        renamed[plain] = value
    return renamed


def belongs_to_encoder(key: str) -> bool:
    """Whether a plain key should be one of the encoder's weights, rather than a head's."""
    return _BESIDE_THE_ENCODER.match(key) is None
