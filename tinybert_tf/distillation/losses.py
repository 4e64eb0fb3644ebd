"""Loss terms of the distiller: which tensors each of equations (7)-(11) compares.

A term is a Keras layer, since it may own learned projections (W_h, W_e): they are trained with
the student and left behind with the term.
"""

from collections.abc import Sequence

import keras
from keras import ops

from tinybert_tf.distillation.functional import (
    attention_loss,
    check_reduction,
    hidden_loss,
)
from tinybert_tf.distillation.layer_map import resolve_layer_map
from tinybert_tf.distillation.predictions import KINDS
from tinybert_tf.distillation.terms import Encoder, LossTerm
from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense

PROJECTIONS = ("auto", "shared", "per_layer", "none")


class _LayerwiseTerm(LossTerm):
    """A term that compares pairs of layers."""

    options = ("layer_map", "reduction")

    def __init__(
        self,
        layer_map: str | Sequence[int] = "uniform",
        reduction: str = "masked",
        weight: float = 1.0,
        **kwargs,
    ):
        super().__init__(weight=weight, **kwargs)
        self.layer_map = layer_map
        self.reduction = check_reduction(reduction)
        self.pairs: list[tuple[int, int]] = []

    def prepare(self, student: Encoder, teacher: Encoder) -> None:
        blocks = resolve_layer_map(student.num_layers, teacher.num_layers, self.layer_map)
        self.pairs = list(enumerate(blocks))


class AttentionLoss(_LayerwiseTerm):
    """Equation (7), summed over the mapped blocks.

    Args:
        layer_map: see `resolve_layer_map`. Defaults to `"uniform"`.
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
        weight: float. Defaults to `1.0`.
    """

    def __init__(self, *args, name: str = "attention", **kwargs):
        super().__init__(*args, name=name, **kwargs)

    def compute(self, student: dict, teacher: dict, batch: dict):
        return sum(
            attention_loss(
                student["attention_scores"][own],
                teacher["attention_scores"][other],
                batch["padding_mask"],
                self.reduction,
            )
            for own, other in self.pairs
        )


class HiddenLoss(_LayerwiseTerm):
    """Equation (8), summed over the mapped blocks' outputs.

    Args:
        layer_map: see `resolve_layer_map`. Defaults to `"uniform"`.
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
        projection: string. `"shared"`: one W_h for all layers, as in the released code;
            `"per_layer"`; `"none"`; `"auto"`: none where the widths agree, else one a layer.
            Defaults to `"auto"`.
        use_bias: bool. The paper's W_h has no bias, the released code's has. Defaults to `False`.
        weight: float. Defaults to `1.0`.
    """

    options = ("layer_map", "reduction", "projection", "use_bias")

    def __init__(
        self,
        layer_map: str | Sequence[int] = "uniform",
        reduction: str = "masked",
        projection: str = "auto",
        use_bias: bool = False,
        weight: float = 1.0,
        name: str = "hidden",
    ):
        super().__init__(layer_map, reduction, weight, name=name)
        if projection not in PROJECTIONS:
            raise TinyBertError(
                f"Expected a projection out of {PROJECTIONS}. Received: projection={projection!r}"
            )
        self.projection = projection
        self.use_bias = use_bias
        self.projections: list[keras.layers.Dense] = []

    def prepare(self, student: Encoder, teacher: Encoder) -> None:
        super().prepare(student, teacher)
        self.pairs = self.state_pairs()
        mode = self.projection
        same_width = student.hidden_dim == teacher.hidden_dim
        if mode == "none" and not same_width:
            raise TinyBertError(
                "Expected equal widths without a projection. Received: projection='none', "
                f"student hidden_dim={student.hidden_dim}, teacher hidden_dim={teacher.hidden_dim}"
            )
        if mode == "none" or (mode == "auto" and same_width):
            self.projections = []
            return
        count = 1 if mode == "shared" else len(self.pairs)
        self.projections = [
            dense(teacher.hidden_dim, use_bias=self.use_bias, name=f"projection_{index}")
            for index in range(count)
        ]
        for projection in self.projections:
            projection.build((None, None, student.hidden_dim))

    def state_pairs(self) -> list[tuple[int, int]]:
        """Pairs of hidden states: block i's output is state i + 1."""
        return [(own + 1, other + 1) for own, other in self.pairs]

    def project(self, index: int, states):
        """Applies W of the index-th pair: `(batch, length, width)` to the teacher's width."""
        if not self.projections:
            return states
        return self.projections[index % len(self.projections)](states)

    def compute(self, student: dict, teacher: dict, batch: dict):
        return sum(
            hidden_loss(
                self.project(index, student["hidden_states"][own]),
                teacher["hidden_states"][other],
                batch["padding_mask"],
                self.reduction,
            )
            for index, (own, other) in enumerate(self.pairs)
        )


class EmbeddingLoss(HiddenLoss):
    """Equation (9): hidden state 0 against hidden state 0, with its own W_e.

    Args:
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
        projection: string. As in `HiddenLoss`. Defaults to `"auto"`.
        use_bias: bool. Defaults to `False`.
        weight: float. Defaults to `1.0`.
    """

    def __init__(
        self,
        reduction: str = "masked",
        projection: str = "auto",
        use_bias: bool = False,
        weight: float = 1.0,
        name: str = "embedding",
    ):
        super().__init__("uniform", reduction, projection, use_bias, weight, name)

    def state_pairs(self) -> list[tuple[int, int]]:
        return [(0, 0)]


class PredictionLoss(LossTerm):
    """Equation (10): soft cross-entropy to the teacher's logits, as their kind wants it.

    Multi-label models compare every label's sigmoid, taggers every word, decoders every target
    token, span models start and end over the positions; regressions and embeddings take the
    squared difference.

    Args:
        temperature: float, or a Keras `LearningRateSchedule` of it over the steps. t. Defaults to
            `1.0`, the paper's best.
        reduction: string. `"masked"` or `"paper"`. Defaults to `"masked"`.
        weight: float. Defaults to `1.0`.
    """

    reads_states = False
    options = ("temperature", "reduction")

    def __init__(
        self,
        temperature=1.0,
        reduction: str = "masked",
        weight: float = 1.0,
        name: str = "prediction",
    ):
        super().__init__(weight=weight, name=name)
        if not callable(temperature) and temperature <= 0:
            raise TinyBertError(
                f"Expected a temperature above 0. Received: temperature={temperature}"
            )
        self.temperature = temperature
        self.reduction = check_reduction(reduction)
        self.kind = "classes"

    def prepare(self, student: Encoder, teacher: Encoder) -> None:
        self.kind = student.kind

    def compute(self, student: dict, teacher: dict, batch: dict):
        temperature = self.temperature
        if callable(temperature):
            temperature = ops.cast(temperature(batch["step"]), "float32")
        soft = KINDS[self.kind].soft
        return soft(student["logits"], teacher["logits"], temperature, self.reduction, batch)


class HardLabelLoss(LossTerm):
    """Cross-entropy to the gold labels; TinyBERT does without, other recipes mix it in.

    Of a regression, the squared error.

    Args:
        weight: float. Defaults to `1.0`.
    """

    reads_states = False

    def __init__(self, weight: float = 1.0, name: str = "hard_label"):
        super().__init__(weight=weight, name=name)
        self.kind = "classes"

    def prepare(self, student: Encoder, teacher: Encoder) -> None:
        self.kind = student.kind
        if KINDS[self.kind].hard is None:
            raise TinyBertError(
                f"Expected a task with gold labels for the hard-label loss. Received: {self.kind}"
            )

    def compute(self, student: dict, teacher: dict, batch: dict):
        if batch["labels"] is None:
            raise TinyBertError("Expected labels for the hard-label loss. Received: labels=None")
        return KINDS[self.kind].hard(student["logits"], batch["labels"])


def intermediate_losses(
    layer_map: str | Sequence[int] = "uniform",
    reduction: str = "masked",
    projection: str = "auto",
) -> list[LossTerm]:
    """The intermediate stage, equation (11) for m <= M: embeddings, hidden states, attention."""
    return [
        EmbeddingLoss(reduction=reduction, projection=projection),
        HiddenLoss(layer_map=layer_map, reduction=reduction, projection=projection),
        AttentionLoss(layer_map=layer_map, reduction=reduction),
    ]


def prediction_losses(
    temperature=1.0, hard_label_weight: float = 0.0, reduction: str = "masked"
) -> list[LossTerm]:
    """The prediction stage, equation (11) for m = M + 1, and optionally the gold labels."""
    terms: list[LossTerm] = [PredictionLoss(temperature=temperature, reduction=reduction)]
    if hard_label_weight:
        terms.append(HardLabelLoss(weight=hard_label_weight))
    return terms
