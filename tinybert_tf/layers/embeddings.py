"""The embedding layer: word + position + segment, normalized."""

import keras

from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.initializers import bert_initializer
from tinybert_tf.layers.position_table import PositionTable
from tinybert_tf.layers.quantized.quantized_embedding import QuantizedEmbedding


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertEmbeddings(keras.layers.Layer):
    """Sums word, position and segment vectors and normalizes them (Devlin et al. 2019, fig. 2).

    Its output is hidden state 0 of the encoder: the one TinyBERT's embedding loss,
    equation (9), compares.

    Args:
        vocabulary_size: int. Rows of the word table.
        hidden_dim: int. Width of a vector.
        max_sequence_length: int. Rows of the position table. Defaults to `512`.
        num_segments: int. Rows of the segment table. Defaults to `2`.
        position_encoding: string. `"learned"` or `"sinusoidal"`. Defaults to `"learned"`.
        dropout: float. Dropout rate of the sum. Defaults to `0.1`.
        layer_norm_epsilon: float. Defaults to `1e-12`, BERT's value.
        embedding_dim: int. Width of a factorized word table: a dense layer takes its rows to
            hidden_dim (ALBERT, Lan et al. 2020, section 3.1). Defaults to `None`: hidden_dim, and
            no such layer.
        quantization: string. Scheme that is trained for; see `SCHEMES`. Defaults to `None`.
    """

    layer_norm_cls = keras.layers.LayerNormalization

    def __init__(
        self,
        vocabulary_size: int,
        hidden_dim: int,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        position_encoding: str = "learned",
        dropout: float = 0.1,
        layer_norm_epsilon: float = 1e-12,
        embedding_dim: int | None = None,
        quantization: str | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.position_encoding = position_encoding
        self.dropout_rate = dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.embedding_dim = embedding_dim
        self.quantization = quantization

        # === Layers ===
        self.token_embedding = self._table(
            vocabulary_size, embedding_dim or hidden_dim, "token_embedding", quantization
        )
        self.token_projection = None
        if embedding_dim is not None:
            self.token_projection = dense(
                hidden_dim, quantization, dtype=self.dtype_policy, name="token_projection"
            )
        self.position_embedding = PositionTable(
            max_sequence_length,
            hidden_dim,
            encoding=position_encoding,
            dtype=self.dtype_policy,
            name="position_embedding",
        )
        self.segment_embedding = self._table(
            num_segments, hidden_dim, "segment_embedding", self._segment_quantization
        )
        self.layer_norm = self.layer_norm_cls(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="layer_norm"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _table(
        self, rows: int, width: int, name: str, quantization: str | None
    ) -> keras.layers.Embedding:
        settings = {
            "embeddings_initializer": bert_initializer(),
            "dtype": self.dtype_policy,
            "name": name,
        }
        if quantization is None:
            return keras.layers.Embedding(rows, width, **settings)
        return QuantizedEmbedding(rows, width, quantization, **settings)

    @property
    def _segment_quantization(self) -> str | None:
        """Two rows: they stay float32 where activations do."""
        return None

    def build(self, token_ids_shape, segment_ids_shape=None):
        self.token_embedding.build(token_ids_shape)
        if self.token_projection is not None:
            self.token_projection.build((*token_ids_shape, self.embedding_dim))
        self.segment_embedding.build(segment_ids_shape or token_ids_shape)
        hidden_shape = (*token_ids_shape, self.hidden_dim)
        self.position_embedding.build(hidden_shape)
        self.layer_norm.build(hidden_shape)
        self.dropout.build(hidden_shape)
        self.built = True

    def call(self, token_ids, segment_ids, training=None):
        """Maps two int tensors `(batch, length)` to `(batch, length, hidden_dim)`."""
        hidden = self._sum(token_ids, segment_ids, training)
        return self.dropout(self.layer_norm(hidden), training=training)

    def _sum(self, token_ids, segment_ids, training):
        hidden = self._words(token_ids, training)
        return hidden + self.position_embedding(hidden) + self.segment_embedding(segment_ids)

    def _words(self, token_ids, training):
        """The word vectors `(batch, length, hidden_dim)`."""
        words = self.token_embedding(token_ids)
        if self.token_projection is None:
            return words
        return self.token_projection(words, training=training)

    def compute_output_shape(self, token_ids_shape, segment_ids_shape=None):
        return (*token_ids_shape, self.hidden_dim)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "vocabulary_size": self.vocabulary_size,
                "hidden_dim": self.hidden_dim,
                "max_sequence_length": self.max_sequence_length,
                "num_segments": self.num_segments,
                "position_encoding": self.position_encoding,
                "dropout": self.dropout_rate,
                "layer_norm_epsilon": self.layer_norm_epsilon,
                "embedding_dim": self.embedding_dim,
                "quantization": self.quantization,
            }
        )
        return config
