"""The decoder: target tokens in, logits of the next ones out."""

from collections.abc import Callable

import keras
from keras import ops

from tinybert_tf.layers.decoder_block import DecoderBlock
from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.initializers import bert_initializer
from tinybert_tf.layers.position_table import PositionTable
from tinybert_tf.layers.precision import multiply


@keras.saving.register_keras_serializable(package="tinybert_tf")
class Decoder(keras.layers.Layer):
    """The right half of the Transformer (Vaswani et al. 2017, figure 1), with BERT's post-norms.

    Word and position vectors are summed and normalized, the blocks follow, and the word table is
    the output matrix too (Press and Wolf 2017), with a bias of its own.

    Args:
        vocabulary_size: int. Target tokens.
        num_layers: int. Decoder blocks.
        num_heads: int. Attention heads of each block.
        hidden_dim: int. Width of the decoder.
        intermediate_dim: int. Neurons of each feed-forward network.
        max_length: int. Rows of the position table. Defaults to `128`.
        position_encoding: string. `"learned"` or `"sinusoidal"`. Defaults to `"learned"`.
        activation: string. See `FeedForward`. Defaults to `"gelu"`.
        attention_dim: int. See `MultiHeadSelfAttention`. Defaults to `None`.
        dropout: float. Defaults to `0.1`.
        attention_dropout: float. Dropout rate of the probabilities. Defaults to `0.1`.
        layer_norm_epsilon: float. Defaults to `1e-12`.
        shared_words: bool. Whether the word table is another layer's: see `share`. Defaults to
            `False`.
        tie_output: bool. Whether the word table is the output matrix. Defaults to `True`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        max_length: int = 128,
        position_encoding: str = "learned",
        activation: str = "gelu",
        attention_dim: int | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_epsilon: float = 1e-12,
        shared_words: bool = False,
        tie_output: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.max_length = max_length
        self.position_encoding = position_encoding
        self.activation = activation
        self.attention_dim = attention_dim
        self.dropout_rate = dropout
        self.attention_dropout = attention_dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.shared_words = shared_words
        self.tie_output = tie_output

        # === Layers ===
        policy = self.dtype_policy
        self.token_embedding = None
        if not shared_words:
            self.token_embedding = keras.layers.Embedding(
                vocabulary_size,
                hidden_dim,
                embeddings_initializer=bert_initializer(),
                dtype=policy,
                name="token_embedding",
            )
        self.position_embedding = PositionTable(
            max_length,
            hidden_dim,
            encoding=position_encoding,
            dtype=policy,
            name="position_embedding",
        )
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=policy, name="layer_norm"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=policy, name="dropout")
        self.blocks = [
            DecoderBlock(
                num_heads,
                hidden_dim,
                intermediate_dim,
                activation=activation,
                attention_dim=attention_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                layer_norm_epsilon=layer_norm_epsilon,
                dtype=policy,
                name=f"decoder_block_{index}",
            )
            for index in range(num_layers)
        ]
        self.output_dense = None
        if not tie_output:
            self.output_dense = dense(vocabulary_size, dtype=policy, name="output")
        self._words = lambda: self.token_embedding

    def share(self, words: Callable) -> None:
        """Sets a function that returns the embedding layer whose table is shared.

        A function hides the layer from Keras' tracking: its weights are not the decoder's.
        """
        self._words = words

    def build(
        self,
        token_ids_shape,
        encoder_states_shape,
        padding_mask_shape=None,
        encoder_mask_shape=None,
    ):
        if self.token_embedding is not None:
            self.token_embedding.build(token_ids_shape)
        hidden_shape = (*token_ids_shape, self.hidden_dim)
        for layer in (self.position_embedding, self.layer_norm, self.dropout):
            layer.build(hidden_shape)
        for block in self.blocks:
            block.build(hidden_shape, encoder_states_shape)
        if self.output_dense is not None:
            self.output_dense.build(hidden_shape)
        else:
            self.output_bias = self.add_weight(
                shape=(self.vocabulary_size,), initializer="zeros", name="output_bias"
            )
        self.built = True

    # === All tokens at once ===
    def call(self, token_ids, encoder_states, padding_mask=None, encoder_mask=None, training=None):
        """Predicts, at every position, the token that follows.

        Args:
            token_ids: int tensor `(batch, length)`, `[CLS]` first.
            encoder_states: float tensor `(batch, source length, hidden_dim)`.
            padding_mask: int tensor `(batch, length)`, 1 for real tokens. Defaults to `None`.
            encoder_mask: int tensor `(batch, source length)`. Defaults to `None`.

        Returns:
            A dict: `"logits"`, float32 `(batch, length, vocabulary_size)`, and for distillation
            `"hidden_states"`, num_layers + 1 tensors `(batch, length, hidden_dim)`,
            `"self_attention_scores"` and `"cross_attention_scores"`; see `DecoderBlock.call`.
        """
        hidden = self._words()(token_ids)
        hidden = self.layer_norm(hidden + self.position_embedding(hidden))
        hidden = self.dropout(hidden, training=training)
        outputs = {
            "hidden_states": [hidden],
            "self_attention_scores": [],
            "cross_attention_scores": [],
        }
        for block in self.blocks:
            hidden, self_scores, cross_scores = block(
                hidden,
                encoder_states,
                padding_mask=padding_mask,
                encoder_mask=encoder_mask,
                training=training,
            )
            outputs["hidden_states"].append(hidden)
            outputs["self_attention_scores"].append(self_scores)
            outputs["cross_attention_scores"].append(cross_scores)
        return {"logits": self._logits(hidden), **outputs}

    def _logits(self, hidden):
        if self.output_dense is not None:
            return ops.cast(self.output_dense(hidden), "float32")
        table = ops.cast(self._words().embeddings, hidden.dtype)
        logits = multiply(hidden, ops.transpose(table))
        return ops.cast(logits, "float32") + ops.cast(self.output_bias, "float32")

    # === One token at a time ===
    def cross_caches(self, encoder_states) -> list[tuple]:
        """The encoder's keys and values as each block reads them; see `DecoderBlock`."""
        return [block.cross_cache(encoder_states) for block in self.blocks]

    def empty_caches(self, batch: int, max_length: int) -> list[tuple]:
        """The caches before the first step, one pair a block; see `DecoderBlock`."""
        return [block.empty_cache(batch, max_length) for block in self.blocks]

    def step(self, token_ids, position, caches, cross_caches, encoder_mask=None):
        """Predicts the token that follows the one at `position`. Every shape is static.

        Args:
            token_ids: int tensor `(batch, 1)`.
            position: int scalar, from 0.
            caches: what `empty_caches` or the step before gave.
            cross_caches: what `cross_caches` gave.
            encoder_mask: int tensor `(batch, source length)`. Defaults to `None`.

        Returns:
            Logits, float32 `(batch, vocabulary_size)`, and the new caches.
        """
        words = self._words()(token_ids)
        # The table looks at the length of its input only.
        positions = self.position_embedding(ops.zeros((1, self.max_length, 1)))
        row = ops.slice(positions, (0, position, 0), (1, 1, self.hidden_dim))
        hidden = self.layer_norm(words + row)
        new_caches = []
        for block, cache, cross_cache in zip(self.blocks, caches, cross_caches, strict=True):
            hidden, cache = block.step(hidden, position, cache, cross_cache, encoder_mask)
            new_caches.append(cache)
        return self._logits(hidden)[:, 0], new_caches

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "vocabulary_size": self.vocabulary_size,
                "num_layers": self.num_layers,
                "num_heads": self.num_heads,
                "hidden_dim": self.hidden_dim,
                "intermediate_dim": self.intermediate_dim,
                "max_length": self.max_length,
                "position_encoding": self.position_encoding,
                "activation": self.activation,
                "attention_dim": self.attention_dim,
                "dropout": self.dropout_rate,
                "attention_dropout": self.attention_dropout,
                "layer_norm_epsilon": self.layer_norm_epsilon,
                "shared_words": self.shared_words,
                "tie_output": self.tie_output,
            }
        )
        return config
