"""The task's own score on the validation data, where Keras' metrics of a batch do not tell it."""

import keras

from tinybert_tf.evaluate.tasks import MAIN_SCORES, evaluate_model

# Kinds of logits whose score counts entities or answers, not tokens. (Regression goes by its loss:
# an app shows the number, whose order alone a correlation tells.)
SCORED_AS_A_WHOLE = ("tokens", "spans")


class DevScore(keras.callbacks.Callback):
    """Adds the task's main score on the validation data to the logs of each epoch.

    Args:
        student: `TinyBertTask`. What is scored; the model that is fitted may be a `Distiller`.
        validation_data: a pair (raw examples, labels).

    Attributes:
        name: string. Of the score, such as `"f1"`; in the logs behind `val_`.
    """

    def __init__(self, student, validation_data: tuple):
        super().__init__()
        self.student = student
        self.validation_data = validation_data
        self.name = MAIN_SCORES[student.kind][0]

    def measure(self) -> float:
        """The score of the weights as they are."""
        return float(getattr(evaluate_model(self.student, *self.validation_data), self.name))

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs[f"val_{self.name}"] = self.measure()


def dev_score(student, validation_data: tuple | None) -> DevScore | None:
    """A `DevScore` for a model whose batches do not tell its score; else `None`."""
    if validation_data is None or student.kind not in SCORED_AS_A_WHOLE:
        return None
    return DevScore(student, validation_data)
