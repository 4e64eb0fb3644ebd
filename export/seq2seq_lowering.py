"""A sequence-to-sequence model as two static graphs: the source once, then token by token.

Both follow the rules of `lowering.py`. What the decoder's step adds:

- keys are cached as `(1, heads, head_dim, tokens)` and values as `(1, heads, tokens, head_dim)`,
  as attention multiplies them: a step transposes nothing, since one token's vector splits into
  heads by a reshape;
- the position is an input, so that one graph serves all steps. It becomes numbers 0.0 and 1.0 by
  sums and relu, without a boolean tensor.
"""

import math

import numpy as np
import tensorflow as tf

from tinybert_tf.export.graph_pieces import constant4
from tinybert_tf.export.lowering import INPUT_NAMES, LoweredTask
from tinybert_tf.export.seq2seq_weights import AttentionWeights, DecoderBlockWeights, DecoderWeights
from tinybert_tf.export.weights import TaskWeights


def cache_names(kind: str, num_blocks: int) -> tuple[str, ...]:
    """Tensor names of the caches of all blocks.

    Args:
        kind: string. `"cross"` for the source's keys and values, `"self"` for the target's.
        num_blocks: int.
    """
    return tuple(f"{kind}_{part}_{i}" for i in range(num_blocks) for part in ("key", "value"))


class LoweredEncoder(LoweredTask):
    """The signature `encode`: a source to the keys and values that the steps attend to.

    Args:
        encoder: TaskWeights.
        decoder: DecoderWeights.
    """

    def __init__(self, encoder: TaskWeights, decoder: DecoderWeights):
        super().__init__(encoder)
        self._decoder = decoder
        self.input_names = INPUT_NAMES
        self.output_names = cache_names("cross", len(decoder.blocks))

    def signature(self, sequence_length: int) -> tf.types.experimental.ConcreteFunction:
        """The graph for sources of S tokens.

        Three int32 `(1, S)` inputs; for each decoder block `cross_key_i` `(1, heads, head_dim, S)`
        and `cross_value_i` `(1, heads, S, head_dim)`, float32.
        """
        specs = [tf.TensorSpec((1, sequence_length), tf.int32, name=name) for name in INPUT_NAMES]

        @tf.function(input_signature=specs, autograph=False)
        def encode(ids, mask, segment_ids):
            hidden = self._encode(ids, mask, segment_ids, first_only=False)
            caches = []
            for index, block in enumerate(self._decoder.blocks):
                weights, name = block.cross, f"decoder_block_{index}/cross_attention"
                shape = (1, sequence_length, weights.num_heads, -1)
                key = tf.reshape(self._dense(hidden, weights.key, f"{name}/key"), shape)
                value = tf.reshape(self._dense(hidden, weights.value, f"{name}/value"), shape)
                caches += [tf.transpose(key, (0, 2, 3, 1)), tf.transpose(value, (0, 2, 1, 3))]
            return dict(zip(self.output_names, caches, strict=True))

        return encode.get_concrete_function()


class LoweredDecoder(LoweredTask):
    """The signature `decode`: one target token to the logits of the next.

    Args:
        encoder: TaskWeights.
        decoder: DecoderWeights.
        target_length: int. T, most tokens of a target.
    """

    def __init__(self, encoder: TaskWeights, decoder: DecoderWeights, target_length: int):
        super().__init__(encoder)
        self._decoder = decoder
        self._target_length = target_length
        count = len(decoder.blocks)
        self._cache_names = cache_names("self", count)
        self._cross_names = cache_names("cross", count)
        self.input_names = ("id", "position", "mask", *self._cross_names, *self._cache_names)
        self.output_names = ("logits", *self._cache_names)

    def signature(self, sequence_length: int) -> tf.types.experimental.ConcreteFunction:
        """The graph of one step.

        Inputs: int32 `id` and `position` `(1, 1)`, from 0 to T - 1; `mask` `(1, S)` of the source
        and its keys and values, `cross_...`; `self_key_i` `(1, heads, head_dim, T)` and
        `self_value_i` `(1, heads, T, head_dim)` of the tokens before, at first zeros. Outputs:
        `logits` `(1, V)` and the `self_...` of the next step.

        Args:
            sequence_length: int. S, the length of the sources.
        """
        specs = {
            "id": tf.TensorSpec((1, 1), tf.int32, "id"),
            "position": tf.TensorSpec((1, 1), tf.int32, "position"),
            "mask": tf.TensorSpec((1, sequence_length), tf.int32, "mask"),
        }
        for index, block in enumerate(self._decoder.blocks):
            for kind, attention, length in (
                ("cross", block.cross, sequence_length),
                ("self", block.own, self._target_length),
            ):
                heads = attention.num_heads
                width = attention.key.bias.size // heads
                for part, shape in (("key", (width, length)), ("value", (length, width))):
                    name = f"{kind}_{part}_{index}"
                    specs[name] = tf.TensorSpec((1, heads, *shape), tf.float32, name)

        @tf.function(autograph=False)
        def decode(**inputs):
            return self._step(inputs)

        return decode.get_concrete_function(**specs)

    def _step(self, inputs: dict) -> dict:
        steps = constant4(np.arange(self._target_length, dtype="float32"))
        position = tf.cast(tf.reshape(inputs["position"], (1, 1, 1, 1)), tf.float32)
        # 1.0 at the position, and 1.0 up to it.
        here = tf.nn.relu(1.0 - tf.abs(steps - position))
        reached = tf.nn.relu(1.0 - tf.nn.relu(steps - position))
        own_bias = reached * -self._masked_score + self._masked_score
        cross_bias = self._score_bias(inputs["mask"])
        hidden = self._embed_one(inputs["id"], inputs["position"])
        caches = {}
        for index, block in enumerate(self._decoder.blocks):
            own = [inputs[f"self_{part}_{index}"] for part in ("key", "value")]
            cross = [inputs[f"cross_{part}_{index}"] for part in ("key", "value")]
            name = f"decoder_block_{index}"
            own = self._append(own, hidden, here, block.own, f"{name}/self_attention")
            hidden = self._attend(hidden, own, own_bias, block.own, f"{name}/self_attention")
            hidden = self._attend(hidden, cross, cross_bias, block.cross, f"{name}/cross_attention")
            hidden = self._transform(hidden, block, name)
            caches |= {f"self_key_{index}": own[0], f"self_value_{index}": own[1]}
        logits = self._dense(hidden, self._decoder.logits, "output")
        return {"logits": tf.reshape(logits, (1, -1)), **caches}

    def _embed_one(self, token_id, position) -> tf.Tensor:
        """Word + position of one token, normalized: `(1, 1, 1, hidden_dim)`."""
        weights = self._decoder
        self._register(weights.words, weights.words_grid)
        shape = (1, 1, 1, weights.words.shape[1])
        words = self._lookup(tf.constant(weights.words), tf.reshape(token_id, (1,)))
        rows = weights.positions[: self._target_length]
        row = self._lookup(tf.constant(rows), tf.reshape(position, (1,)))
        total = tf.reshape(words, shape) + tf.reshape(row, shape)
        return self._norm(total, weights.embedding_norm, "decoder/layer_norm")

    def _append(self, cache, hidden, here, weights: AttentionWeights, name: str) -> list[tf.Tensor]:
        """Writes the key and the value of a token at its position."""
        key, value = cache
        heads, width, length = key.shape[1:]
        new_key = tf.reshape(self._dense(hidden, weights.key, f"{name}/key"), (1, heads, width, 1))
        new_value = tf.reshape(
            self._dense(hidden, weights.value, f"{name}/value"), (1, heads, 1, width)
        )
        column = tf.reshape(here, (1, 1, length, 1))
        # DYNAMIC_UPDATE_SLICE is a little quicker on the CPU, and LiteRT's GPU accelerator computes
        # it right too; but the delegates' tables (delegates/rules.json) do not have it.
        return [key + (new_key - key) * here, value + (new_value - value) * column]

    def _attend(self, hidden, cache, score_bias, weights: AttentionWeights, name: str) -> tf.Tensor:
        """One token's attention to cached keys and values, residual and LayerNorm."""
        key, value = cache
        heads, width = key.shape[1], key.shape[2]
        query = weights.query.times(1.0 / math.sqrt(width))
        query = tf.reshape(self._dense(hidden, query, f"{name}/query"), (1, heads, 1, width))
        probabilities = tf.nn.softmax(tf.matmul(query, key) + score_bias)
        context = tf.reshape(tf.matmul(probabilities, value), (1, 1, 1, heads * width))
        attended = hidden + self._dense(context, weights.output, f"{name}/output")
        return self._norm(attended, weights.norm, f"{name}_layer_norm")

    def _transform(self, hidden, block: DecoderBlockWeights, name: str) -> tf.Tensor:
        path = f"{name}/feed_forward"
        inner = self._activation(self._dense(hidden, block.intermediate, f"{path}/intermediate"))
        output = hidden + self._dense(inner, block.output, f"{path}/output")
        return self._norm(output, block.output_norm, f"{name}/output_layer_norm")
