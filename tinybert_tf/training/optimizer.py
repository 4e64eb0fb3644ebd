"""BERT's optimizer and learning-rate schedule."""

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.models.heads import BertAdamW


@keras.saving.register_keras_serializable(package="tinybert_tf")
class FusedAdamW(BertAdamW):
    """Keras' AdamW with TensorFlow's fused update kernel.

    The same formula in one pass over each variable instead of a dozen. A gradient of few rows, such
    as the word table's, is clipped as these rows; Keras' norm squares a repeated row part by part,
    and so is not the gradient's. On a CPU the word table's update is a good part of a training
    step on short texts; RESULTS.md has the ratio (benchmarks/optimizer_step.py).
    """

    def _clip_gradients(self, grads):
        if self.clipnorm or not self.global_clipnorm:
            return super()._clip_gradients(grads)
        grads = [_summed(gradient) for gradient in grads]
        parts = [_values(gradient) for gradient in grads if gradient is not None]
        # l2_loss, half the sum of squares, reads once and writes nothing.
        norm = tf.sqrt(2.0 * tf.add_n([tf.cast(tf.nn.l2_loss(p), tf.float32) for p in parts]))
        scale = self.global_clipnorm * tf.minimum(1.0 / norm, 1.0 / self.global_clipnorm)
        scale += norm - norm  # as Keras: an infinite norm gives NaN
        return [None if gradient is None else _scaled(gradient, scale) for gradient in grads]

    def _apply_weight_decay(self, variables):
        if self.weight_decay is None:
            return
        kept = 1.0 - tf.cast(self.learning_rate, tf.float32) * self.weight_decay
        for variable in variables:
            if self._use_weight_decay(variable):
                variable.assign(variable * tf.cast(kept, variable.dtype))

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad or variable.dtype != tf.float32:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations, tf.float32) + 1.0
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1, tf.float32), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, tf.float32), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=tf.constant(self.beta_1, tf.float32),
            beta2=tf.constant(self.beta_2, tf.float32),
            epsilon=tf.constant(self.epsilon, tf.float32),
            grad=tf.convert_to_tensor(gradient),
        )


def _summed(gradient):
    """A sparse gradient with each row once."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _values(gradient) -> tf.Tensor:
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _scaled(gradient, scale):
    values = _values(gradient)
    values = values * tf.cast(scale, values.dtype)
    if not isinstance(gradient, tf.IndexedSlices):
        return values
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)


@keras.saving.register_keras_serializable(package="tinybert_tf")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly, then falls linearly to zero (Devlin et al. 2019).

    Args:
        peak: float. The highest learning rate.
        total_steps: int. Steps until zero.
        warmup_steps: int. Steps of the rise.
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int):
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1.0) / max(self.warmup_steps, 1)
        fall = (self.total_steps - step) / max(self.total_steps - self.warmup_steps, 1)
        return self.peak * ops.clip(ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }


def bert_optimizer(
    learning_rate: float,
    total_steps: int,
    warmup: float = 0.1,
    weight_decay: float = 0.01,
    clip_norm: float = 1.0,
) -> keras.optimizers.Optimizer:
    """AdamW with warm-up, linear decay and clipping; biases and norms are not decayed.

    Args:
        learning_rate: float. The peak.
        total_steps: int. Steps of the whole training.
        warmup: float. Share of the steps that rise. Defaults to `0.1`.
        weight_decay: float. Defaults to `0.01`.
        clip_norm: float. Largest global norm of a step's gradients. Defaults to `1.0`.
    """
    schedule = WarmupLinearDecay(learning_rate, total_steps, int(warmup * total_steps))
    return FusedAdamW(schedule, weight_decay=weight_decay, global_clipnorm=clip_norm, epsilon=1e-6)
