"""MiniLMv2's alternative to the intermediate stage."""

from tinybert_tf.distillation.functional import relation_loss
from tinybert_tf.distillation.terms import Encoder, LossTerm
from tinybert_tf.errors import TinyBertError


class RelationLoss(LossTerm):
    """MiniLMv2's self-attention relations of one block (Wang et al. 2021, equations (3)-(6)).

    Queries, keys and values of the student's last block relate tokens to tokens as the teacher's
    do: KL divergence of `softmax(X X^T / sqrt(d_r))`. Neither widths nor head counts need to
    agree, so that there is no projection to learn.

    Args:
        relation_heads: int. Heads that queries, keys and values are cut into anew. Defaults to
            `12`.
        teacher_block: int. Defaults to `-1`: the last, as for MiniLM-sized teachers.
        weight: float. Defaults to `1.0`.
    """

    options = ("relation_heads", "teacher_block")

    def __init__(
        self,
        relation_heads: int = 12,
        teacher_block: int = -1,
        weight: float = 1.0,
        name: str = "relation",
    ):
        super().__init__(weight=weight, name=name)
        self.relation_heads = relation_heads
        self.teacher_block = teacher_block

    def prepare(self, student: Encoder, teacher: Encoder) -> None:
        for owner, encoder in (("student", student), ("teacher", teacher)):
            width = encoder.attention_dim or encoder.hidden_dim
            if self.relation_heads < 1 or width % self.relation_heads:
                raise TinyBertError(
                    f"Expected relation_heads that divide the attention width of the {owner}, "
                    f"{width}. Received: relation_heads={self.relation_heads}"
                )
        count = teacher.num_layers
        if not -count <= self.teacher_block < count:
            raise TinyBertError(
                f"Expected a teacher block from {-count} to {count - 1}. "
                f"Received: teacher_block={self.teacher_block}"
            )
        self.relation_blocks = (student.num_layers - 1, self.teacher_block % count)

    def compute(self, student: dict, teacher: dict, batch: dict):
        own, other = student["relations"], teacher["relations"]
        return sum(
            relation_loss(own[name], other[name], batch["padding_mask"], self.relation_heads)
            for name in ("query", "key", "value")
        )


def relation_losses(relation_heads: int = 12, teacher_block: int = -1) -> list[LossTerm]:
    """MiniLMv2's alternative to the intermediate stage: relations of the last block only."""
    return [RelationLoss(relation_heads, teacher_block)]
