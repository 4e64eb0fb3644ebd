"""The encoder as one Functional model."""

import keras
import keras_hub

from tinybert_tf.errors import TinyBertError
from tinybert_tf.layers import BertEmbeddings, EncoderBlock
from tinybert_tf.layers.dense import dense
from tinybert_tf.layers.quantized.int8_embeddings import Int8Embeddings
from tinybert_tf.layers.quantized.int8_encoder_block import Int8EncoderBlock
from tinybert_tf.quantization.schemes import find_scheme


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertBackbone(keras_hub.models.Backbone):
    """A BERT encoder whose every intermediate tensor can be named.

    The architecture of [BERT](https://arxiv.org/abs/1810.04805) in the sizes of
    [TinyBERT](https://arxiv.org/abs/1909.10351). Argument and tensor names are keras-hub's.
    `intermediates` gives the tensors that TinyBERT's losses compare, as symbolic outputs of the
    same graph: one forward pass serves the prediction and every loss.

    Args:
        vocabulary_size: int. The size of the token vocabulary.
        num_layers: int. The number of encoder blocks.
        num_heads: int. The number of attention heads of each block.
        hidden_dim: int. The width of the encoder.
        intermediate_dim: int. The number of neurons of each feed-forward network.
        dropout: float. Dropout rate of embeddings and residual branches. Defaults to `0.1`.
        attention_dropout: float. Dropout rate of attention probabilities. Defaults to `0.1`.
        max_sequence_length: int. Rows of the position table. Defaults to `512`.
        num_segments: int. The number of segment ids. Defaults to `2`.
        activation: string. `"gelu"` (erf), `"gelu_tanh"` or `"relu"`. Defaults to `"gelu"`.
        attention_dim: int. Total width of the attention heads. Defaults to `None`: hidden_dim.
        position_encoding: string. `"learned"` or `"sinusoidal"`. Defaults to `"learned"`.
        reduced_dim: int. Width of a learned down-projection of the encoder's output; adds the
            output `reduced_output`, and the pooler reads it. Defaults to `None`: none.
        layer_norm_epsilon: float. Defaults to `1e-12`.
        embedding_dim: int. Width of a factorized word table; see `BertEmbeddings`. Defaults to
            `None`: hidden_dim.
        quantization: string. Scheme of quantization-aware training; `export.quantize_aware` sets
            it. Defaults to `None`.
        dtype: string or `keras.DTypePolicy`. Computations and weights. Softmax and layer
            normalization stay in float32.

    Example:
    ```python
    backbone = TinyBertBackbone(
        vocabulary_size=30522, **tinybert_tf.architecture("tinybert_4l_312")
    )
    backbone({
        "token_ids": np.ones((1, 12), "int32"),
        "segment_ids": np.zeros((1, 12), "int32"),
        "padding_mask": np.ones((1, 12), "int32"),
    })["sequence_output"].shape  # (1, 12, 312)
    ```
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        activation: str = "gelu",
        attention_dim: int | None = None,
        position_encoding: str = "learned",
        reduced_dim: int | None = None,
        layer_norm_epsilon: float = 1e-12,
        embedding_dim: int | None = None,
        quantization: str | None = None,
        dtype=None,
        **kwargs,
    ):
        for name, value in (
            ("vocabulary_size", vocabulary_size),
            ("num_layers", num_layers),
            ("hidden_dim", hidden_dim),
            ("intermediate_dim", intermediate_dim),
            ("max_sequence_length", max_sequence_length),
            ("embedding_dim", embedding_dim),
        ):
            if value is not None and value < 1:
                raise TinyBertError(f"Expected {name} of at least 1. Received: {name}={value}")

        # === Layers ===
        int8 = quantization is not None and find_scheme(quantization).integer_activations
        self.embeddings = (Int8Embeddings if int8 else BertEmbeddings)(
            vocabulary_size,
            hidden_dim,
            max_sequence_length=max_sequence_length,
            num_segments=num_segments,
            position_encoding=position_encoding,
            dropout=dropout,
            layer_norm_epsilon=layer_norm_epsilon,
            embedding_dim=embedding_dim,
            quantization=quantization,
            dtype=dtype,
            name="embeddings",
        )
        self.encoder_blocks = [
            (Int8EncoderBlock if int8 else EncoderBlock)(
                num_heads,
                hidden_dim,
                intermediate_dim,
                activation=activation,
                attention_dim=attention_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                layer_norm_epsilon=layer_norm_epsilon,
                quantization=quantization,
                dtype=dtype,
                name=f"encoder_block_{index}",
            )
            for index in range(num_layers)
        ]
        self.reduction = None
        if reduced_dim is not None:
            self.reduction = dense(reduced_dim, quantization, dtype=dtype, name="reduction")
        self.pooler = dense(
            reduced_dim or hidden_dim,
            quantization,
            activation="tanh",
            dtype=dtype,
            name="pooler",
        )

        # === Functional Model ===
        inputs = {
            name: keras.Input(shape=(None,), dtype="int32", name=name)
            for name in ("token_ids", "segment_ids", "padding_mask")
        }
        hidden = self.embeddings(inputs["token_ids"], inputs["segment_ids"])
        hidden_states, attention_scores = [hidden], []
        for block in self.encoder_blocks:
            hidden, scores = block(hidden, padding_mask=inputs["padding_mask"])
            hidden_states.append(hidden)
            attention_scores.append(scores)
        outputs = {"sequence_output": hidden}
        if self.reduction is not None:
            hidden = outputs["reduced_output"] = self.reduction(hidden)
        outputs["pooled_output"] = self.pooler(hidden[:, 0, :])
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)
        self._hidden_states = tuple(hidden_states)
        self._attention_scores = tuple(attention_scores)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.activation = activation
        self.attention_dim = attention_dim
        self.position_encoding = position_encoding
        self.reduced_dim = reduced_dim
        self.layer_norm_epsilon = layer_norm_epsilon
        self.embedding_dim = embedding_dim
        self.quantization = quantization

    @property
    def intermediates(self) -> dict:
        """The symbolic tensors that distillation compares.

        Returns:
            `"hidden_states"`: num_layers + 1 tensors `(batch, length, hidden_dim)`, the first
            being the embedding output; `"attention_scores"`: num_layers tensors
            `(batch, heads, length, length)`, before masking and softmax.
        """
        return {
            "hidden_states": list(self._hidden_states),
            "attention_scores": list(self._attention_scores),
        }

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "vocabulary_size": self.vocabulary_size,
                "num_layers": self.num_layers,
                "num_heads": self.num_heads,
                "hidden_dim": self.hidden_dim,
                "intermediate_dim": self.intermediate_dim,
                "dropout": self.dropout,
                "attention_dropout": self.attention_dropout,
                "max_sequence_length": self.max_sequence_length,
                "num_segments": self.num_segments,
                "activation": self.activation,
                "attention_dim": self.attention_dim,
                "position_encoding": self.position_encoding,
                "reduced_dim": self.reduced_dim,
                "layer_norm_epsilon": self.layer_norm_epsilon,
                "embedding_dim": self.embedding_dim,
                "quantization": self.quantization,
            }
        )
        return config
