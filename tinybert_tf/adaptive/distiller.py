"""DynaBERT's training step: many sub-networks, one set of weights."""

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.adaptive.guides import Guide
from tinybert_tf.adaptive.student import AdaptiveStudent
from tinybert_tf.adaptive.subnetwork import Subnetwork, run_subnetwork
from tinybert_tf.distillation.functional import (
    hidden_loss,
    multi_label_prediction_loss,
    prediction_loss,
)
from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.initializers import bert_initializer
from tinybert_tf.layers.precision import PrecisionModel


class AdaptiveDistiller(PrecisionModel, keras.Model):
    """Trains the sub-networks of an adaptive student together (Hou et al. 2020, section 2).

    The loss of a sub-network is `CE(z^T, z^S) + hidden_weight * sum MSE(H^S, H^T)`, over the
    embeddings and the outputs of its blocks. The input of each of its blocks is compared with
    what the same block of the full student should receive, and its last state with the guide's
    last. The losses of the sub-networks of a step are added up, so their gradients are too.

    Args:
        student: `AdaptiveStudent`. Trained in place.
        guide: what is imitated; see `teacher_guide` and `width_guide`.
        subnetworks: list of `Subnetwork`, those to train; the largest has full width and depth.
        guide_dim: int. Width of the guide's hidden states; another than the student's is
            reached by a learned projection. Defaults to `None`: the student's.
        hidden_weight: float. Defaults to `1.0`.
        temperature: float. Defaults to `1.0`.
        sandwich: bool. Whether a step trains only the largest, the smallest and one other
            sub-network (the sandwich rule, Yu and Huang 2019) instead of all. Defaults to `False`.
        seed: int. With the number of the step it decides which other one. Defaults to `0`.
    """

    def __init__(
        self,
        student: AdaptiveStudent,
        guide: Guide,
        subnetworks: list[Subnetwork],
        guide_dim: int | None = None,
        hidden_weight: float = 1.0,
        temperature: float = 1.0,
        sandwich: bool = False,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if hidden_weight < 0 or temperature <= 0:
            raise TinyBertError(
                "Expected a hidden weight of at least 0 and a temperature above 0. "
                f"Received: hidden_weight={hidden_weight}, temperature={temperature}"
            )
        self.student = student
        self.classifier = student.classifier  # for Keras, which tracks its weights
        self.guide = guide
        self.subnetworks = tuple(sorted(subnetworks, key=lambda found: -found.parameters))
        self.hidden_weight = hidden_weight
        self.temperature = temperature
        self.sandwich = sandwich and len(self.subnetworks) > 3
        self.seed = seed
        hidden_dim = student.classifier.backbone.hidden_dim
        self.projections = []
        if hidden_weight and guide_dim not in (None, hidden_dim):
            self.projections = [_projection(name, hidden_dim, guide_dim, seed) for name in _KINDS]

        self._means = [keras.metrics.Mean(name=name) for name in _LOSSES]
        accuracy = (
            (lambda name: keras.metrics.BinaryAccuracy(threshold=0.0, name=name))
            if student.classifier.multi_label
            else (lambda name: keras.metrics.SparseCategoricalAccuracy(name=name))
        )
        self._accuracies = [accuracy(name) for name in _ACCURACIES]
        self.built = True

    def compile(self, optimizer="adamw", **kwargs):
        """As `keras.Model.compile`; XLA is off unless asked for."""
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, **kwargs)

    def call(self, inputs, training=None):
        """Runs the largest sub-network."""
        return self.classifier(inputs, training=training)

    @property
    def metrics(self) -> list:
        return [*self._means, *self._accuracies]

    def train_step(self, data):
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        answer = self.guide(inputs)
        with tf.GradientTape() as tape:
            results = [
                self.evaluate_subnetwork(found, inputs, answer, training=True)
                for found in self._order(ends_only=self.sandwich)
            ]
            if self.sandwich:
                results.append(self._other(inputs, answer))
            loss = sum(self._total(*parts) for parts, _ in results)
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled_loss, [v.value for v in variables])
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self._track(results, labels)

    def test_step(self, data):
        """All sub-networks, with the sandwich rule too."""
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        answer = self.guide(inputs)
        results = [
            self.evaluate_subnetwork(found, inputs, answer)
            for found in self._order(ends_only=False)
        ]
        return self._track(results, labels)

    def evaluate_subnetwork(self, found: Subnetwork, inputs: dict, answer, training: bool = False):
        """Returns the two losses of a sub-network, `(prediction, hidden)`, and its logits.

        Args:
            found: `Subnetwork`.
            inputs: dict of token_ids, segment_ids and padding_mask.
            answer: function of heads and neurons, which the guide returned for the inputs.
            training: bool. Whether dropout is on. Defaults to `False`.
        """
        targets = answer(found.num_heads, found.intermediate_dim)
        return self._compare(
            found.blocks, found.num_heads, found.intermediate_dim, inputs, targets, training
        )

    def _compare(self, blocks, num_heads, intermediate_dim, inputs, targets, training, kept=None):
        """The losses of heads, neurons and blocks that may be tensors; see `run_subnetwork`."""
        outputs = run_subnetwork(
            self.classifier, blocks, num_heads, intermediate_dim, inputs, training, kept
        )
        logits, states = targets
        if self.classifier.multi_label:
            prediction = multi_label_prediction_loss(outputs["logits"], logits, self.temperature)
        else:
            prediction = prediction_loss(outputs["logits"], logits, self.temperature)
        hidden = ops.zeros(())
        if self.hidden_weight:
            # State j is what kept block j receives; the last is what the pooler does.
            wanted = [*blocks, len(states) - 1]
            counted = [1.0] * len(wanted)
            if kept is not None:
                counted = [*tf.unstack(ops.cast(kept, "float32"), len(blocks)), 1.0]
            hidden = sum(
                count
                * ops.mean(
                    hidden_loss(self._project(index, own), states[index], inputs["padding_mask"])
                )
                for count, index, own in zip(counted, wanted, outputs["hidden_states"], strict=True)
            )
        return (ops.mean(prediction), hidden), outputs["logits"]

    def _order(self, ends_only: bool) -> tuple[Subnetwork, ...]:
        """The largest sub-network, the smallest, then the others."""
        largest, *others = self.subnetworks
        return (largest, *others[-1:], *(() if ends_only else others[:-1]))

    def _other(self, inputs: dict, answer):
        """Runs the step's third sub-network, whose shape is looked up while the graph runs.

        Blocks that it lacks are computed in vain. Branches of the graph would avoid that, but
        TensorFlow takes twice as long to trace them.
        """
        others = self.subnetworks[1:-1]
        chosen = sandwich_choice(self.seed, self.optimizer.iterations, len(others))
        blocks = range(self.classifier.backbone.num_layers)
        counts = tf.constant([(found.num_heads, found.intermediate_dim) for found in others])
        kept = tf.constant([[index in found.blocks for index in blocks] for found in others])
        num_heads, intermediate_dim = tf.unstack(counts[chosen])
        targets = answer(num_heads, intermediate_dim)
        return self._compare(
            blocks, num_heads, intermediate_dim, inputs, targets, True, kept[chosen]
        )

    def _project(self, index: int, states):
        """From the student's width to the guide's."""
        if not self.projections:
            return states
        return self.projections[min(index, 1)](states)

    def _total(self, prediction, hidden):
        return prediction + self.hidden_weight * hidden

    def _track(self, results, labels) -> dict:
        """Losses are shown as means over the sub-networks of the step."""
        size = ops.shape(results[0][1])[0]
        for (prediction, hidden), _ in results:
            values = (self._total(prediction, hidden), prediction, hidden)
            for metric, value in zip(self._means, values, strict=True):
                metric.update_state(value, sample_weight=size)
        shown = list(self._means)
        if labels is not None:
            mean, largest, smallest = self._accuracies
            for _, logits in results:
                mean.update_state(labels, logits)
            largest.update_state(labels, results[0][1])
            smallest.update_state(labels, results[min(1, len(results) - 1)][1])
            shown += self._accuracies
        return {metric.name: metric.result() for metric in shown}


_KINDS = ("embedding_projection", "hidden_projection")
_LOSSES = ("loss", "prediction_loss", "hidden_loss")
_ACCURACIES = ("accuracy", "largest_accuracy", "smallest_accuracy")


def sandwich_choice(seed: int, step, count: int):
    """Which of `count` sub-networks a step trains besides the largest and the smallest.

    Args:
        seed: int.
        step: int, or an int variable. Steps done.
        count: int.

    Returns:
        An int32 scalar from 0 to `count - 1`, the same for the same arguments everywhere.
    """
    pair = tf.stack([tf.cast(seed, tf.int32), tf.cast(ops.convert_to_tensor(step), tf.int32)])
    return tf.random.stateless_uniform((), pair, maxval=count, dtype=tf.int32)


def _projection(name: str, width: int, guide_dim: int, seed: int) -> keras.layers.Dense:
    """W_e or W_h, without bias and shared by all blocks."""
    layer = dense(guide_dim, use_bias=False, kernel_initializer=bert_initializer(seed), name=name)
    layer.build((None, None, width))
    return layer
