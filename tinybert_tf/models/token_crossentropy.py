"""Loss and accuracy over the tokens of a batch, padding left out."""

import keras
from keras import ops

from tinybert_tf.errors import TinyBertError


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TokenCrossentropy(keras.losses.Loss):
    """Cross-entropy averaged over the real tokens of a batch, with label smoothing.

    A smoothed target is `1 - e` on the true token and `e / vocabulary` on every token (Szegedy et
    al. 2016, section 7; Vaswani et al. 2017, section 5.4).

    Args:
        label_smoothing: float. `e`, from 0 up to 1. Defaults to `0.0`.
        name: string. Defaults to `"token_crossentropy"`.
        **kwargs: `reduction` and `dtype`, to `keras.losses.Loss`.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "token_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0.0 <= label_smoothing < 1.0:
            raise TinyBertError(
                "Expected label smoothing from 0 up to 1. "
                f"Received: label_smoothing={label_smoothing}"
            )
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Returns `(batch, length)`, whose mean is that of the real tokens.

        Args:
            y_true: int tensor `(batch, length)`, negative for padding.
            y_pred: float tensor `(batch, length, vocabulary)`. Logits.
        """
        y_true = ops.cast(y_true, "int32")
        real = ops.cast(y_true >= 0, y_pred.dtype)
        log_p = ops.log_softmax(y_pred, axis=-1)
        of_true = ops.take_along_axis(log_p, ops.maximum(y_true, 0)[..., None], axis=-1)[..., 0]
        loss = -(1.0 - self.label_smoothing) * of_true
        loss = loss - self.label_smoothing * ops.mean(log_p, axis=-1)
        # Keras takes the mean over padding too.
        return loss * real / ops.maximum(ops.mean(real), keras.config.epsilon())

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TokenAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """The share of real tokens (labels that are not negative) whose logit is the largest."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true)
        real = ops.cast(y_true >= 0, "float32")
        if sample_weight is not None:
            real = real * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        return super().update_state(ops.maximum(y_true, 0), y_pred, sample_weight=real)
