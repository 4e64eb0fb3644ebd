"""Students that start from their teacher instead of from noise."""

import os
from collections.abc import Sequence

import keras
import numpy as np

from tinybert_tf.config import architecture
from tinybert_tf.distillation.alignment import align_head, align_token_head
from tinybert_tf.distillation.decoder_start import check_width, start_decoder
from tinybert_tf.distillation.layer_map import resolve_layer_map
from tinybert_tf.distillation.narrowing import (
    assign_rows,
    narrow_attention,
    narrow_dense,
    narrow_feed_forward,
    norm_parameters,
    principal_directions,
)
from tinybert_tf.distillation.views import as_teacher, observe
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertBackbone
from tinybert_tf.models.task import BY_TOKEN, TinyBertTask

INITIALIZATIONS = ("teacher", "random")
# Hidden states that the principal directions are taken from; more change little.
SAMPLE_TEXTS = 256
# Texts that a head is fitted on: some for each feature.
HEAD_TEXTS = 2048


def student_of(
    teacher,
    architecture_name: str | None = None,
    init="teacher",
    layer_map: str | Sequence[int] = "uniform",
    texts: Sequence[str] | None = None,
    seed: int = 0,
    **overrides,
) -> TinyBertTask:
    """Builds a smaller model of the teacher's task, with its vocabulary, labels and head.

    With `init="teacher"`, blocks of equal width are copied whole, chosen by the layer map. A
    narrower student lives in the subspace of the principal directions of the teacher's hidden
    states: every matrix is projected into it, each head keeps the best low-rank form of its
    score and value maps, and the feed-forward keeps its most important neurons. The decoder of a
    sequence-to-sequence student is copied too, which needs the teacher's width.

    Args:
        teacher: a task model of ours, or what `as_teacher` accepts.
        architecture_name: string. See `ARCHITECTURES`. Defaults to `None`: the teacher's own
            shape with `overrides`.
        init: `"teacher"`, `"random"`, or an encoder to start from, such as a general student: a
            `TinyBertBackbone`, a task model, or a preset's folder. It gives the shape too, and
            pooler and head are fitted to the teacher's logits; a decoder is copied from a teacher
            of its width, else starts at random. Defaults to `"teacher"`.
        layer_map: which teacher block starts which student block; see `resolve_layer_map`.
            Defaults to `"uniform"`.
        texts: list of strings to take hidden states from when the student is narrower or starts
            from an encoder. Defaults to `None`: pseudo-texts of vocabulary words, which serve less
            well.
        seed: int. Of the random parts. Defaults to `0`.
        **overrides: arguments of `TinyBertBackbone`, such as `num_layers=3`; of a
            sequence-to-sequence student also `decoder_layers`, which is otherwise as many as the
            encoder has, at most the teacher's.

    Returns:
        A model of the teacher's class.

    Raises:
        TinyBertError: If the student is wider than the teacher or names are unknown.
    """
    encoder = _encoder(init)
    teacher = as_teacher(teacher)
    keras.utils.set_random_seed(seed)
    if encoder is not None:
        return _student_on(encoder, teacher, architecture_name, texts, seed, overrides)
    decoder_layers = overrides.pop("decoder_layers", None) if hasattr(teacher, "decoder") else None
    config = teacher.backbone.get_config()
    for name in ("name", "trainable"):
        config.pop(name)
    if architecture_name is not None:
        config.update(architecture(architecture_name), attention_dim=None)
    # A factorized word table comes out whole: `factorize_word_table` factors the student's again.
    config.update({"embedding_dim": None, **overrides})
    student = _on_backbone(teacher, TinyBertBackbone.from_config(config), decoder_layers)
    if init == "teacher":
        start_from_teacher(student, teacher, layer_map, texts, seed)
    return student


def _on_backbone(teacher, backbone, decoder_layers: int | None = None) -> TinyBertTask:
    """A model of the teacher's task, with fewer decoder blocks where it has a decoder."""
    if not hasattr(teacher, "decoder"):
        return teacher.on_backbone(backbone)
    if decoder_layers is None:
        decoder_layers = min(backbone.num_layers, teacher.decoder_layers)
    return teacher.on_backbone(backbone, decoder_layers=decoder_layers)


def _encoder(init) -> TinyBertBackbone | None:
    """The encoder that `init` names; `None` for one of the plain starts."""
    if isinstance(init, str) and init in INITIALIZATIONS:
        return None
    if isinstance(init, (str, os.PathLike)):
        if not os.path.isdir(init):
            raise TinyBertError(
                f"Expected init out of {INITIALIZATIONS}, an encoder or the folder of a preset. "
                f"Received: init={str(init)!r}"
            )
        init = TinyBertBackbone.from_preset(str(init))
    encoder = getattr(init, "backbone", init)
    if not isinstance(encoder, TinyBertBackbone):
        raise TinyBertError(
            f"Expected init out of {INITIALIZATIONS} or an encoder. "
            f"Received: init={type(init).__name__}"
        )
    return encoder


def _student_on(encoder, teacher, architecture_name, texts, seed, overrides):
    """A classifier on a copy of an encoder, its pooler and head fitted to the teacher's."""
    if architecture_name is not None or overrides:
        raise TinyBertError(
            "Expected no architecture beside an encoder to start from: it has its own. Received: "
            f"architecture_name={architecture_name!r}, {overrides}"
        )
    if encoder.vocabulary_size != teacher.backbone.vocabulary_size:
        raise TinyBertError(
            "Expected an encoder with the teacher's vocabulary. Received: vocabulary_size="
            f"{encoder.vocabulary_size} and {teacher.backbone.vocabulary_size}"
        )
    backbone = TinyBertBackbone.from_config(encoder.get_config())
    backbone.set_weights(encoder.get_weights())
    student = _on_backbone(teacher, backbone)
    if hasattr(teacher, "decoder") and encoder.hidden_dim == teacher.backbone.hidden_dim:
        start_decoder(student, teacher, seed=seed)
    if hasattr(teacher, "output_dense"):
        align = align_token_head if teacher.kind in BY_TOKEN else align_head
        align(student, teacher, sample_batches(teacher, texts, HEAD_TEXTS, seed))
    return student


def start_from_teacher(
    student: TinyBertTask,
    teacher: TinyBertTask,
    layer_map: str | Sequence[int] = "uniform",
    texts: Sequence[str] | None = None,
    seed: int = 0,
) -> None:
    """Overwrites a student's weights with what the teacher's give; see `student_of`."""
    own, other = student.backbone, teacher.backbone
    if own.hidden_dim > other.hidden_dim:
        raise TinyBertError(
            "Expected a student at most as wide as its teacher; use init='random' otherwise. "
            f"Received: hidden_dim={own.hidden_dim}, the teacher's {other.hidden_dim}"
        )
    if hasattr(teacher, "decoder"):
        check_width(student, teacher)
        start_decoder(student, teacher, layer_map, seed)
    narrower = own.hidden_dim < other.hidden_dim
    states, directions = None, np.eye(other.hidden_dim, dtype="float32")
    if narrower:
        states = _sample_states(teacher, texts, seed)
        directions = principal_directions(np.concatenate(states), own.hidden_dim)

    def norm(target, source, state):
        if narrower:
            target.set_weights(norm_parameters(states[state] @ directions))
        else:
            target.set_weights(source.get_weights())

    # === Embeddings ===
    for name in ("token_embedding", "position_embedding", "segment_embedding"):
        table = getattr(own.embeddings, name)
        source = getattr(other.embeddings, name)
        if table.weights and source.weights:
            rows = source.get_weights()[0][: table.weights[0].shape[0]]
            if name == "token_embedding" and other.embeddings.token_projection is not None:
                kernel, bias = other.embeddings.token_projection.get_weights()
                rows = rows @ kernel + bias
            assign_rows(table.weights[0], rows @ directions)
    norm(own.embeddings.layer_norm, other.embeddings.layer_norm, 0)

    # === Blocks ===
    blocks = resolve_layer_map(own.num_layers, other.num_layers, layer_map)
    for block, index in zip(own.encoder_blocks, blocks, strict=True):
        source = other.encoder_blocks[index]
        narrow_attention(block.attention, source.attention, directions, seed)
        narrow_feed_forward(block.feed_forward, source.feed_forward, directions)
        norm(block.attention_layer_norm, source.attention_layer_norm, index + 1)
        norm(block.output_layer_norm, source.output_layer_norm, index + 1)

    # === Pooler and head ===
    if own.reduced_dim == other.reduced_dim is None:
        narrow_dense(own.pooler, other.pooler, directions, directions)
        if hasattr(teacher, "output_dense"):
            kernel, bias = teacher.output_dense.get_weights()
            student.output_dense.set_weights([directions.T @ kernel, bias])


def sample_batches(model, texts, count: int, seed: int) -> list[dict]:
    """Input tensors of at most `count` texts; of pseudo-texts if there are none."""
    generator = np.random.default_rng(seed)
    if texts is None:
        words = [w for w in model.wordpiece.vocabulary if w.isalpha()]
        chosen = generator.choice(words, (count, 16))
        texts = [" ".join(row) for row in chosen]
        if model.kind == "spans":  # questions and contexts
            texts = (texts, texts)
    texts = model.choose(texts, count, generator)
    batches = model.batches(texts, batch_size=32, shuffle=False)
    return [batches.batch(0, step)[0] for step in range(len(batches))]


def _sample_states(teacher, texts, seed: int) -> list[np.ndarray]:
    """Hidden states of real tokens, one array `(tokens, hidden_dim)` a state of the teacher."""
    view = observe(teacher)
    collected = [[] for _ in range(teacher.backbone.num_layers + 1)]
    for inputs in sample_batches(teacher, texts, SAMPLE_TEXTS, seed):
        outputs = view(inputs, training=False)["hidden_states"]
        for states, output in zip(collected, outputs, strict=True):
            states.append(np.array(output)[inputs["padding_mask"].astype(bool)])
    return [np.concatenate(states) for states in collected]
