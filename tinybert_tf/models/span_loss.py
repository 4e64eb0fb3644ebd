"""Loss and metric of start and end logits."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tinybert_tf")
class SpanCrossentropy(keras.losses.Loss):
    """Cross-entropy over the positions, averaged over start and end.

    `y_true` int `(batch, 2)`, the first and the last token; `y_pred` logits `(batch, length, 2)`.
    """

    def __init__(self, name: str = "span_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        per_end = keras.losses.sparse_categorical_crossentropy(
            y_true, ops.transpose(y_pred, (0, 2, 1)), from_logits=True
        )
        return ops.mean(per_end, axis=-1)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class SpanAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of the windows whose start and end are both the likeliest positions."""

    def __init__(self, name: str = "span_accuracy", dtype=None):
        super().__init__(_both_right, name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def _both_right(y_true, y_pred):
    found = ops.cast(ops.argmax(y_pred, axis=1), "int32")
    return ops.cast(ops.all(found == ops.cast(y_true, "int32"), axis=-1), "float32")
