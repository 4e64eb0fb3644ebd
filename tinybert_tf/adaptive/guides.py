"""What the sub-networks imitate in each of DynaBERT's two phases.

A guide is called once a step. It returns a function from a number of heads and of neurons to the
logits `(batch, classes)` and hidden states `(batch, length, dim)` that a sub-network of that
width should have: one for each state of the full student, the embeddings first.
"""

from collections.abc import Callable, Sequence

from tinybert_tf.adaptive.student import AdaptiveStudent
from tinybert_tf.adaptive.subnetwork import run_subnetwork
from tinybert_tf.distillation.layer_map import resolve_layer_map
from tinybert_tf.distillation.views import observe

Guide = Callable[[dict], Callable]


def teacher_guide(
    student: AdaptiveStudent, teacher, layer_map: str | Sequence[int] = "uniform"
) -> Guide:
    """The width phase's: one teacher for all widths (Hou et al. 2020, section 2.2, equation (4)).

    In the paper the teacher has the student's shape. Here it may be deeper: state `i + 1` of the
    full student is compared with the teacher's state `map[i] + 1`.

    Args:
        student: `AdaptiveStudent`.
        teacher: `TinyBertTextClassifier`.
        layer_map: see `resolve_layer_map`. Defaults to `"uniform"`.
    """
    view = observe(teacher)
    blocks = resolve_layer_map(
        student.classifier.backbone.num_layers, teacher.backbone.num_layers, layer_map
    )
    states = [0, *(block + 1 for block in blocks)]

    def guide(inputs: dict) -> Callable:
        outputs = view(inputs, training=False)
        answer = outputs["logits"], [outputs["hidden_states"][state] for state in states]
        return lambda num_heads, intermediate_dim: answer

    return guide


def width_guide(student: AdaptiveStudent) -> Guide:
    """The depth phase's: the full-depth sub-network of each width, as it is now (section 2.3).

    Args:
        student: `AdaptiveStudent`. Its weights are copied: training does not move the guide.
    """
    frozen = student.extract()
    blocks = range(frozen.backbone.num_layers)

    def guide(inputs: dict) -> Callable:
        known = {}

        def answer(num_heads, intermediate_dim) -> tuple:
            # Tensors have no hash; a width given so is asked for once.
            key = (num_heads, intermediate_dim) if isinstance(num_heads, int) else None
            if key is None or key not in known:
                out = run_subnetwork(frozen, blocks, num_heads, intermediate_dim, inputs)
                known[key] = out["logits"], out["hidden_states"]
            return known[key]

        return answer

    return guide
