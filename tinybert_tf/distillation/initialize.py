"""Students that start from their teacher instead of from noise."""

from collections.abc import Sequence

import keras
import numpy as np

from tinybert_tf.config import architecture
from tinybert_tf.distillation.layer_map import resolve_layer_map
from tinybert_tf.distillation.narrowing import (
    narrow_attention,
    narrow_dense,
    narrow_feed_forward,
    norm_parameters,
    principal_directions,
)
from tinybert_tf.distillation.views import as_teacher, observe
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertBackbone, TinyBertTextClassifier

INITIALIZATIONS = ("teacher", "random")
# Hidden states that the principal directions are taken from; more change little.
SAMPLE_TEXTS = 256


def student_of(
    teacher,
    architecture_name: str | None = None,
    init: str = "teacher",
    layer_map: str | Sequence[int] = "uniform",
    texts: Sequence[str] | None = None,
    seed: int = 0,
    **overrides,
) -> TinyBertTextClassifier:
    """Builds a smaller classifier with the teacher's vocabulary, labels and head.

    With `init="teacher"`, blocks of equal width are copied whole, chosen by the layer map. A
    narrower student lives in the subspace of the principal directions of the teacher's hidden
    states: every matrix is projected into it, each head keeps the best low-rank form of its
    score and value maps, and the feed-forward keeps its most important neurons.

    Args:
        teacher: `TinyBertTextClassifier`, or what `as_teacher` accepts.
        architecture_name: string. See `ARCHITECTURES`. Defaults to `None`: the teacher's own
            shape with `overrides`.
        init: string. `"teacher"` or `"random"`. Defaults to `"teacher"`.
        layer_map: which teacher block starts which student block; see `resolve_layer_map`.
            Defaults to `"uniform"`.
        texts: list of strings to take hidden states from when the student is narrower. Defaults
            to `None`: pseudo-texts of vocabulary words, which serve less well.
        seed: int. Of the random parts. Defaults to `0`.
        **overrides: arguments of `TinyBertBackbone`, such as `num_layers=3`.

    Returns:
        A `TinyBertTextClassifier`.

    Raises:
        TinyBertError: If the student is wider than the teacher or names are unknown.
    """
    if init not in INITIALIZATIONS:
        raise TinyBertError(f"Expected init out of {INITIALIZATIONS}. Received: init={init!r}")
    teacher = as_teacher(teacher)
    keras.utils.set_random_seed(seed)
    config = teacher.backbone.get_config()
    for name in ("name", "trainable"):
        config.pop(name)
    if architecture_name is not None:
        config.update(architecture(architecture_name), attention_dim=None)
    config.update(overrides)
    student = TinyBertTextClassifier(
        TinyBertBackbone.from_config(config),
        labels=teacher.labels,
        preprocessor=teacher.preprocessor,
        head=teacher.head,
        multi_label=teacher.multi_label,
        dropout=teacher.dropout,
    )
    if init == "teacher":
        start_from_teacher(student, teacher, layer_map, texts, seed)
    return student


def start_from_teacher(
    student: TinyBertTextClassifier,
    teacher: TinyBertTextClassifier,
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
            _assign_rows(table.weights[0], rows @ directions)
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
        kernel, bias = teacher.output_dense.get_weights()
        student.output_dense.set_weights([directions.T @ kernel, bias])


def _assign_rows(variable, rows: np.ndarray) -> None:
    """Overwrites the first rows of a table."""
    table = variable.numpy()
    table[: len(rows)] = rows
    variable.assign(table)


def _sample_states(teacher, texts, seed: int) -> list[np.ndarray]:
    """Hidden states of real tokens, one array `(tokens, hidden_dim)` a state of the teacher."""
    generator = np.random.default_rng(seed)
    if texts is None:
        words = [w for w in teacher.wordpiece.vocabulary if w.isalpha()]
        chosen = generator.choice(words, (SAMPLE_TEXTS, 16))
        texts = [" ".join(row) for row in chosen]
    texts = list(texts)
    if len(texts) > SAMPLE_TEXTS:
        rows = generator.choice(len(texts), SAMPLE_TEXTS, replace=False)
        texts = [texts[row] for row in rows]
    batches = teacher.batches(texts, batch_size=32, shuffle=False)
    view = observe(teacher)
    collected = [[] for _ in range(teacher.backbone.num_layers + 1)]
    for step in range(len(batches)):
        inputs = batches.batch(0, step)[0]
        outputs = view(inputs, training=False)["hidden_states"]
        for states, output in zip(collected, outputs, strict=True):
            states.append(np.array(output)[inputs["padding_mask"].astype(bool)])
    return [np.concatenate(states) for states in collected]
