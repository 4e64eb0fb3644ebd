"""What every loss term of the distiller has: a weight, a name, and what it reads."""

from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Encoder:
    """What a term must know of a model's encoder."""

    num_layers: int
    hidden_dim: int
    attention_dim: int | None = None  # `None`: hidden_dim
    kind: str = "classes"  # of the logits; see `TinyBertTask`


class LossTerm(keras.layers.Layer):
    """One summand of the distillation objective.

    Args:
        weight: float. Factor of the term in the total loss. Defaults to `1.0`.

    Attributes:
        reads_states: bool. Whether the term reads more of the teacher than its logits.
        relation_blocks: pair of ints, after `prepare`. The blocks of student and teacher whose
            queries, keys and values the term reads; `None` for none.
    """

    reads_states = True
    # Attributes that say what the term computes, besides its weight.
    options: tuple[str, ...] = ()

    def __init__(self, weight: float = 1.0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.weight = weight
        self.relation_blocks: tuple[int, int] | None = None

    def describe(self) -> dict:
        """Type, weight and options as JSON values: what a checkpoint's fingerprint holds."""
        found = {"type": type(self).__name__, "weight": float(self.weight)}
        for name in self.options:
            value = getattr(self, name)
            if hasattr(value, "get_config"):  # a schedule
                value = value.get_config()
            found[name] = value if isinstance(value, (str, int, float, dict)) else list(value)
        return found

    def prepare(self, student: Encoder, teacher: Encoder) -> None:
        """Resolves maps and creates projections for this pair of models."""

    def compute(self, student: dict, teacher: dict, batch: dict):
        """Returns the loss of each example, `(batch,)`.

        Args:
            student: dict with hidden_states, attention_scores and logits, and relations where
                some term asks for them.
            teacher: dict with the same keys.
            batch: dict with the model's inputs, such as padding_mask, labels (`None` when there
                are none), step, the number of optimizer steps so far, and position_mask, where
                the task gives one.
        """
        raise NotImplementedError
