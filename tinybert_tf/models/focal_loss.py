"""Focal loss for unbalanced labels."""

import math
from collections.abc import Sequence

import keras
from keras import ops

from tinybert_tf.errors import TinyBertError


@keras.saving.register_keras_serializable(package="tinybert_tf")
class FocalLoss(keras.losses.Loss):
    """Cross-entropy that counts less for examples which are already classified well.

    Equation (5) of "Focal Loss for Dense Object Detection" (https://arxiv.org/abs/1708.02002),
    `-alpha_t (1 - p_t)^gamma log(p_t)`, with `p_t` the probability of the true class: softmax
    over the classes, or, for multi-label targets, a sigmoid per class and the mean over classes.

    Args:
        gamma: float. 0 gives (weighted) cross-entropy. Defaults to `2.0`.
        alpha: None, list of floats or dict. The weight of each class, as `class_weights` returns
            it; of its positives for multi-label targets. Defaults to `None`, 1 everywhere.
        from_logits: bool. Whether predictions are logits, else probabilities. Defaults to
            `True`.
        multi_label: bool. Whether targets are multi-hot. Defaults to `False`.
        reduction: string. As in `keras.losses.Loss`. Defaults to `"sum_over_batch_size"`.
        name: string. Defaults to `"focal_loss"`.
        **kwargs: `dtype`, to `keras.losses.Loss`.

    Example:
        >>> loss = FocalLoss(gamma=2.0)
        >>> float(loss([1], [[0.0, 0.0]]))  # (1 - 0.5)^2 * log(2)
        0.1732867956161499
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: Sequence[float] | dict[int, float] | None = None,
        from_logits: bool = True,
        multi_label: bool = False,
        reduction: str = "sum_over_batch_size",
        name: str = "focal_loss",
        **kwargs,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        if not (math.isfinite(gamma) and gamma >= 0):
            raise TinyBertError(f"`gamma` is expected to be 0 or more. Received: gamma={gamma}")
        if isinstance(alpha, dict):
            # JSON turns the class ids of a saved config into strings.
            by_class = {int(index): weight for index, weight in alpha.items()}
            if sorted(by_class) != list(range(len(by_class))):
                raise TinyBertError(
                    "`alpha` is expected to hold every class id from 0. "
                    f"Received: the ids {sorted(by_class)[:10]}"
                )
            alpha = [by_class[index] for index in range(len(by_class))]
        self.gamma = float(gamma)
        self.alpha = None if alpha is None else [float(weight) for weight in alpha]
        self.from_logits = from_logits
        self.multi_label = multi_label

    def call(self, y_true, y_pred):
        """Returns one loss per example.

        Args:
            y_true: class ids `(batch,)` or `(batch, 1)`, one-hot or soft targets
                `(batch, classes)`, or multi-hot `(batch, classes)` if `multi_label`.
            y_pred: `(batch, classes)` logits or probabilities.
        """
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.convert_to_tensor(y_true)
        classes = y_pred.shape[-1]
        if self.alpha is not None and len(self.alpha) != classes:
            raise TinyBertError(
                f"`alpha` is expected to have a weight for each of {classes} classes. "
                f"Received: {len(self.alpha)} weights"
            )
        if self.multi_label:
            return self._binary(ops.cast(y_true, y_pred.dtype), y_pred)
        if len(y_true.shape) < len(y_pred.shape) or (y_true.shape[-1] == 1 and classes != 1):
            y_true = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes)
        return self._categorical(ops.cast(y_true, y_pred.dtype), y_pred)

    def _categorical(self, targets, predictions):
        log_p = (
            ops.log_softmax(predictions, axis=-1)
            if self.from_logits
            else ops.log(ops.clip(predictions, keras.config.epsilon(), 1.0))
        )
        return ops.sum(targets * self._weighted(self._focal(log_p)), axis=-1)

    def _binary(self, targets, predictions):
        if self.from_logits:
            log_p, log_not_p = ops.log_sigmoid(predictions), ops.log_sigmoid(-predictions)
        else:
            epsilon = keras.config.epsilon()
            log_p = ops.log(ops.clip(predictions, epsilon, 1.0))
            log_not_p = ops.log(ops.clip(1.0 - predictions, epsilon, 1.0))
        positives = targets * self._weighted(self._focal(log_p))
        negatives = (1.0 - targets) * self._focal(log_not_p)
        return ops.mean(positives + negatives, axis=-1)

    def _focal(self, log_p):
        """Returns `-(1 - p)^gamma log(p)`."""
        if self.gamma == 0:
            return -log_p
        # 1 - p without cancellation; kept off 0, where the power has no gradient for gamma < 1.
        not_p = ops.maximum(-ops.expm1(log_p), keras.config.epsilon())
        return -ops.power(not_p, self.gamma) * log_p

    def _weighted(self, loss):
        return loss if self.alpha is None else loss * ops.convert_to_tensor(self.alpha, loss.dtype)

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "alpha": self.alpha,
            "from_logits": self.from_logits,
            "multi_label": self.multi_label,
        }
