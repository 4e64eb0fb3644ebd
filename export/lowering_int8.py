"""The graph of `static_int8`: the lowering with every tensor rounded to a trained range.

The fake quantization between the operations becomes int8 tensors in the converter. What differs
from the float graph is what int8 needs:

- the mask and the segments are looked up in int8 tables by GATHER, so that no float exists;
- masked scores saturate at the bottom of the scores' range instead of standing far below it;
- gamma and beta of a layer norm are a depthwise convolution: one scale a channel, int32 bias.
"""

import numpy as np
import tensorflow as tf

from tinybert_tf.export.graph_pieces import constant4
from tinybert_tf.export.lowering import LoweredTask
from tinybert_tf.export.weights import NormWeights
from tinybert_tf.layers.quantized.int8_attention import masked_score_range


class LoweredInt8Task(LoweredTask):
    """A `static_int8` model as a static graph; see `LoweredTask`."""

    def _round(self, x, quantizer: str, scale: float = 1.0) -> tf.Tensor:
        low, high = self._weights.ranges[quantizer]
        return _fake_quant(x, low * scale, high * scale)

    def _embed(self, ids, segment_ids) -> tf.Tensor:
        weights = self._weights
        length = ids.shape[1]
        shape = (1, 1, length, -1)
        words = tf.reshape(_lookup_int8(weights.words_grid, ids), shape)
        words = self._project_words(words)
        rows = weights.positions[:length]
        positions = _fake_quant(constant4(rows), min(rows.min(), 0.0), max(rows.max(), 0.0))
        total = self._round(words + positions, "embeddings/position_sum")
        segments = tf.reshape(_lookup_int8(weights.segments_grid, segment_ids), shape)
        return self._round(total + segments, "embeddings/segment_sum")

    def _score_bias(self, mask) -> tf.Tensor:
        """The mask itself, as row numbers `(S,)`: what it adds differs from block to block."""
        return tf.reshape(mask, (mask.shape[1],))

    def _softmax(self, scores, score_bias, name: str) -> tf.Tensor:
        scores = self._round(scores, f"{name}/scores")
        low, high = masked_score_range(*self._weights.ranges[f"{name}/scores"])
        bias = tf.gather(tf.constant([low - high, 0.0], tf.float32), score_bias)
        bias = _fake_quant(tf.reshape(bias, (1, 1, 1, -1)), low - high, 0.0)
        return _fake_quant(tf.nn.softmax(_fake_quant(scores + bias, low, high)), 0.0, 255 / 256)

    def _tanh(self, x) -> tf.Tensor:
        return _fake_quant(tf.tanh(x), -1.0, 127 / 128)

    def _relu(self, x) -> tf.Tensor:
        return _fake_quant(tf.nn.relu(x), -1.0, 127 / 128)

    def _norm(self, x, weights: NormWeights, name: str) -> tf.Tensor:
        mean = self._round(tf.reduce_mean(x, axis=-1, keepdims=True), f"{name}/mean")
        centered = self._round(x - mean, f"{name}/centered")
        squared = self._round(centered * centered, f"{name}/squared")
        variance = tf.reduce_mean(squared, axis=-1, keepdims=True)
        variance = self._round(variance, f"{name}/variance")
        inverse = self._round(tf.math.rsqrt(variance), f"{name}/inverse")
        normalized = self._round(centered * inverse, f"{name}/normalized")
        gamma = tf.constant(weights.gamma.reshape((1, 1, -1, 1)))
        scaled = tf.nn.depthwise_conv2d(normalized, gamma, (1, 1, 1, 1), "VALID")
        return self._round(scaled + tf.constant(weights.beta), f"{name}/output")


def _fake_quant(x, low: float, high: float) -> tf.Tensor:
    return tf.quantization.fake_quant_with_min_max_args(x, float(low), float(high))


def _lookup_int8(grid, ids) -> tf.Tensor:
    """Rows `(S, hidden_dim)` of a symmetric int8 table at ids `(1, S)`."""
    rows = tf.gather(tf.constant(grid.values()), tf.reshape(ids, (ids.shape[1],)))
    scale = np.float32(grid.scales[0])
    # The converter's grid has 256 levels where this one uses 255.
    return _fake_quant(rows, -128 * scale, 127 * scale)
