"""A classifier whose prefixes are classifiers too."""

import json
import os
from pathlib import Path

from tinybert_tf.adaptive.subnetwork import (
    DEPTHS,
    WIDTHS,
    Subnetwork,
    find_subnetwork,
    run_subnetwork,
)
from tinybert_tf.atomic import atomic_folder
from tinybert_tf.compress.importance import measure_importance
from tinybert_tf.compress.structured import reorder_by_importance
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertTextClassifier

SETTINGS_FILE = "adaptive.json"


class AdaptiveStudent:
    """A student with adaptive width and depth (DynaBERT, Hou et al. 2020, section 2).

    The heads and neurons of each block are sorted by importance. A sub-network of width `w` has
    the first `round(w * num_heads)` heads and the first `round(w * intermediate_dim)` neurons of
    each block, at least one; of depth `d`, `round(d * num_layers)` blocks, see `kept_blocks`.
    All share the weights of one classifier: `distill_adaptive` trains them together, and
    `extract` gives any of them as a plain classifier.

    Args:
        classifier: `TinyBertTextClassifier`. The largest sub-network, sorted already; see
            `from_classifier`. It is trained in place.
        widths: floats above 0, 1 included. Defaults to 0.25, 0.5, 0.75 and 1.
        depths: floats above 0, 1 included. Defaults to 0.5, 0.75 and 1.

    Raises:
        TinyBertError: If the classifier is quantized or a multiplier is out of range.

    Example:
    ```python
    student = AdaptiveStudent.from_classifier(classifier, train_texts, train_labels)
    distill_adaptive(teacher, student, train_texts)
    small = student.extract(width=0.5, depth=0.5)  # a plain classifier, ready for export
    ```
    """

    def __init__(
        self,
        classifier: TinyBertTextClassifier,
        widths: tuple[float, ...] = WIDTHS,
        depths: tuple[float, ...] = DEPTHS,
    ):
        if not isinstance(classifier, TinyBertTextClassifier):
            raise TinyBertError(
                "Expected a TinyBertTextClassifier. "
                f"Received: classifier={type(classifier).__name__}"
            )
        if classifier.backbone.quantization is not None:
            raise TinyBertError(
                "Expected a classifier in floating point; quantize what `extract` gives. "
                f"Received: quantization={classifier.backbone.quantization!r}"
            )
        self.classifier = classifier
        self.widths = _multipliers("widths", widths)
        self.depths = _multipliers("depths", depths)
        self._subnetworks = {
            (width, depth): find_subnetwork(classifier, width, depth)
            for depth in self.depths
            for width in self.widths
        }

    @classmethod
    def from_classifier(
        cls,
        classifier: TinyBertTextClassifier,
        texts,
        labels=None,
        teacher=None,
        widths: tuple[float, ...] = WIDTHS,
        depths: tuple[float, ...] = DEPTHS,
        **importance_arguments,
    ) -> "AdaptiveStudent":
        """Sorts heads and neurons of a copy of a classifier by importance, and wraps it.

        Sorting alone does not change the classifier's answers.

        Args:
            classifier: `TinyBertTextClassifier`. Trained; it is left as it is.
            texts: list of strings, or a tuple of two. Training texts that the importance is
                measured on.
            labels: label names or numbers. Defaults to `None`.
            teacher: what `as_teacher` accepts. Its answers stand in for labels. Defaults to
                `None`.
            widths: see the class.
            depths: see the class.
            **importance_arguments: more arguments of `measure_importance`.

        Raises:
            TinyBertError: If there are neither labels nor a teacher, or as the class.
        """
        importance = measure_importance(
            classifier, texts, labels=labels, teacher=teacher, **importance_arguments
        )
        return cls(reorder_by_importance(classifier, importance), widths, depths)

    @property
    def subnetworks(self) -> list[Subnetwork]:
        """All sub-networks, smallest depth first; those of equal shape only once.

        In small encoders multipliers coincide: 0.75 of two blocks are two. Then the sub-network
        is listed under the largest multipliers.
        """
        by_shape = {
            (found.blocks, found.num_heads, found.intermediate_dim): found
            for found in self._subnetworks.values()
        }
        return list(by_shape.values())

    def subnetwork(self, width: float = 1.0, depth: float = 1.0) -> Subnetwork:
        """Returns the sub-network of a width and a depth.

        Raises:
            TinyBertError: If the student has no such width or depth.
        """
        found = self._subnetworks.get((width, depth))
        if found is None:
            raise TinyBertError(
                f"Expected a width out of {self.widths} and a depth out of {self.depths}. "
                f"Received: width={width}, depth={depth}"
            )
        return found

    def forward(
        self, inputs: dict, width: float = 1.0, depth: float = 1.0, training: bool = False
    ) -> dict:
        """Runs a sub-network on the shared weights; gradients reach them.

        Args:
            inputs: dict of token_ids, segment_ids and padding_mask, int `(batch, length)`.
            width: float. Defaults to `1.0`.
            depth: float. Defaults to `1.0`.
            training: bool. Whether dropout is on. Defaults to `False`.

        Returns:
            A dict of logits, hidden_states and attention_scores; see `run_subnetwork`.
        """
        found = self.subnetwork(width, depth)
        return run_subnetwork(
            self.classifier,
            found.blocks,
            found.num_heads,
            found.intermediate_dim,
            inputs,
            training,
        )

    def extract(self, width: float = 1.0, depth: float = 1.0) -> TinyBertTextClassifier:
        """Builds a sub-network as a plain classifier with smaller matrices of its own.

        Args:
            width: float. Defaults to `1.0`.
            depth: float. Defaults to `1.0`.

        Returns:
            A new, compiled `TinyBertTextClassifier`; it answers as `forward` does.
        """
        found = self.subnetwork(width, depth)
        source, backbone = self.classifier, self.classifier.backbone
        head_dim = backbone.encoder_blocks[0].attention.head_dim
        attention_dim = found.num_heads * head_dim
        shape = {
            "num_layers": len(found.blocks),
            "num_heads": found.num_heads,
            "attention_dim": None if attention_dim == backbone.hidden_dim else attention_dim,
            "intermediate_dim": found.intermediate_dim,
        }
        target = source.on_backbone(type(backbone).from_config({**backbone.get_config(), **shape}))
        pairs = [
            (target.backbone.embeddings, backbone.embeddings),
            (target.backbone.pooler, backbone.pooler),
            (target.output_dense, source.output_dense),
        ]
        if backbone.reduction is not None:
            pairs.append((target.backbone.reduction, backbone.reduction))
        kept = (backbone.encoder_blocks[index] for index in found.blocks)
        pairs += zip(target.backbone.encoder_blocks, kept, strict=True)
        for own, other in pairs:
            for variable, full in zip(own.weights, other.weights, strict=True):
                prefix = tuple(slice(size) for size in variable.shape)
                variable.assign(full.numpy()[prefix])
        return target

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the full classifier as a preset, and the multipliers beside it.

        The folder is replaced whole, or not at all. It is a preset like any other:
        `TinyBertTextClassifier.from_preset` loads the largest sub-network from it.
        """
        with atomic_folder(folder) as temporary:
            self.classifier.save_to_preset(str(temporary))
            settings = {"widths": self.widths, "depths": self.depths}
            (temporary / SETTINGS_FILE).write_text(json.dumps(settings, indent=2), "utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "AdaptiveStudent":
        """Reads what `save` wrote.

        Raises:
            TinyBertError: If the folder holds no adaptive student.
        """
        path = Path(folder, SETTINGS_FILE)
        try:
            settings = json.loads(path.read_text("utf-8"))
            widths, depths = settings["widths"], settings["depths"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TinyBertError(
                f"Expected the folder of an adaptive student, with its {SETTINGS_FILE}. "
                f"Received: {str(folder)!r} ({type(error).__name__}: {error})"
            ) from error
        return cls(TinyBertTextClassifier.from_preset(str(folder)), widths, depths)


def _multipliers(name: str, values) -> tuple[float, ...]:
    """Ascending and without repetition."""
    try:
        found = tuple(sorted({float(value) for value in values}))
    except (TypeError, ValueError):
        found = ()
    if 1 not in found or not all(0 < value <= 1 for value in found):
        raise TinyBertError(
            f"Expected numbers above 0 and up to 1, with 1 among them. Received: {name}={values!r}"
        )
    return found
