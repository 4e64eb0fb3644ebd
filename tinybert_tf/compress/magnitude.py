"""Unstructured pruning: single weights become zero, matrices keep their shape."""

import keras
import numpy as np

from tinybert_tf.compress.schedules import polynomial_decay
from tinybert_tf.errors import TinyBertError


class MagnitudePruning(keras.callbacks.Callback):
    """Sets the smallest weights of the encoder's dense kernels to zero, and keeps them there.

    Each kernel loses its smallest absolute values on its own, as many as tfmot's
    `PolynomialDecay` says (Zhu and Gupta 2017). After every batch the mask is applied again,
    whatever the optimizer did. A weight that is zero stays zero: also when training goes on in
    another `fit`, or resumes from a checkpoint.

    This makes nothing faster: TFLite's dense kernels multiply by zeros like by any other number,
    and the file is as large as before. It only compresses better (zip, an APK). For a faster
    model remove heads and neurons, see `prune_structure`.

    Args:
        target_sparsity: float. The share of zeros in the end, below 1.
        begin_step: int. The optimizer step from which on weights go.
        end_step: int. The optimizer step that reaches the target. Steps of training that follow
            heal the model.
        frequency: int. Steps from one pruning to the next. Defaults to `100`.

    Raises:
        TinyBertError: If a value is out of range.

    Example:
    ```python
    pruning = MagnitudePruning(0.5, begin_step=0, end_step=400, frequency=50)
    tb.distill(teacher, student, texts, stages="prediction", callbacks=[pruning])
    print(sparsity(student)["total"])
    ```
    """

    def __init__(
        self,
        target_sparsity: float,
        begin_step: int,
        end_step: int,
        frequency: int = 100,
    ):
        super().__init__()
        self.target_sparsity = target_sparsity
        self.begin_step = begin_step
        self.end_step = end_step
        self.frequency = frequency
        self._schedule = polynomial_decay(target_sparsity, begin_step, end_step, frequency)
        self._masks: list[tuple[keras.Variable, np.ndarray]] = []

    def on_train_begin(self, logs=None):
        classifier = getattr(self.model, "student", self.model)
        self._masks = [(kernel, kernel.numpy() != 0) for kernel in encoder_kernels(classifier)]

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations)
        is_turn, share = self._schedule(step)
        for kernel, mask in self._masks:
            values = kernel.numpy() * mask
            # tfmot would miss an end_step that is not a whole number of turns away.
            if is_turn or step == self.end_step:
                mask &= magnitude_mask(values, float(share))
            kernel.assign(values * mask)


def magnitude_mask(values: np.ndarray, sparsity: float) -> np.ndarray:
    """Where the largest absolute values are: bool, of the shape of `values`.

    `round(sparsity * size)` entries are `False`; of equal values, the first ones.

    Args:
        values: float array.
        sparsity: float. From 0 to 1.
    """
    order = np.argsort(np.abs(values), axis=None, kind="stable")
    mask = np.ones(values.size, bool)
    mask[order[: round(sparsity * values.size)]] = False
    return mask.reshape(values.shape)


def sparsity(classifier) -> dict[str, float]:
    """The share of zeros of each dense kernel of the encoder.

    Args:
        classifier: `TinyBertTextClassifier` or `TinyBertBackbone`.

    Returns:
        Path of the kernel to its share, and `"total"` to the share of all of them.
    """
    kernels = {kernel.path: kernel.numpy() for kernel in encoder_kernels(classifier)}
    zeros = {path: int(np.sum(values == 0)) for path, values in kernels.items()}
    shares = {path: zeros[path] / values.size for path, values in kernels.items()}
    shares["total"] = sum(zeros.values()) / sum(values.size for values in kernels.values())
    return shares


def encoder_kernels(model) -> list:
    """The kernels of attention and feed-forward, six a block."""
    backbone = getattr(model, "backbone", model)
    blocks = getattr(backbone, "encoder_blocks", None)
    if blocks is None:
        raise TinyBertError(
            "Expected a model of tinybert_tf, or a Distiller of one. "
            f"Received: {type(model).__name__}"
        )
    return [
        layer.kernel
        for block in blocks
        for layer in (
            block.attention.query_dense,
            block.attention.key_dense,
            block.attention.value_dense,
            block.attention.output_dense,
            block.feed_forward.intermediate_dense,
            block.feed_forward.output_dense,
        )
    ]
