"""What a sub-network keeps of the full encoder, and its forward pass on the shared weights."""

from dataclasses import dataclass

from keras import ops

from tinybert_tf.layers.feed_forward import ACTIVATIONS
from tinybert_tf.layers.precision import multiply

# DynaBERT's multipliers.
WIDTHS = (0.25, 0.5, 0.75, 1.0)
DEPTHS = (0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Subnetwork:
    """A part of an adaptive student.

    Args:
        width: float. The share of heads and neurons.
        depth: float. The share of blocks.
        blocks: tuple of ints. The full encoder's blocks that it runs, in order.
        num_heads: int. It has the first so many heads of each block.
        intermediate_dim: int. And the first so many neurons.
        parameters: int. Weights of the extracted classifier.
    """

    width: float
    depth: float
    blocks: tuple[int, ...]
    num_heads: int
    intermediate_dim: int
    parameters: int


def kept_count(count: int, share: float) -> int:
    """How many heads, neurons or blocks a share of them is: `round(share * count)`, at least 1."""
    return max(1, round(share * count))


def kept_blocks(num_layers: int, depth: float) -> tuple[int, ...]:
    """The blocks that a sub-network of a depth runs, as DynaBERT's released code chooses them.

    Block `floor(i / depth)` for each `i`: blocks are dropped evenly. Of 12 blocks, depth 0.5
    keeps 0, 2, 4, ..., 10 ("every other"), and depth 0.75 drops 3, 7 and 11.
    """
    return tuple(int(i / depth) for i in range(kept_count(num_layers, depth)))


def find_subnetwork(classifier, width: float, depth: float) -> Subnetwork:
    """Works out the shape of a sub-network of a `TinyBertTextClassifier`."""
    backbone = classifier.backbone
    blocks = kept_blocks(backbone.num_layers, depth)
    heads = kept_count(backbone.num_heads, width)
    neurons = kept_count(backbone.intermediate_dim, width)
    block = backbone.encoder_blocks[0]
    hidden = backbone.hidden_dim
    # A head has columns with a bias in query, key and value, and rows in the output.
    head_size = block.attention.head_dim * (3 * (hidden + 1) + hidden)
    neuron_size = 2 * hidden + 1
    block_size = block.count_params()
    removed = (backbone.num_layers - len(blocks)) * block_size
    removed += len(blocks) * (backbone.num_heads - heads) * head_size
    removed += len(blocks) * (backbone.intermediate_dim - neurons) * neuron_size
    return Subnetwork(width, depth, blocks, heads, neurons, classifier.count_params() - removed)


def run_subnetwork(
    classifier,
    blocks,
    num_heads,
    intermediate_dim,
    inputs: dict,
    training: bool = False,
    kept=None,
) -> dict:
    """Runs a sub-network on the full classifier's variables, of which it reads the first slices.

    Args:
        classifier: `TinyBertTextClassifier`. The full one.
        blocks: ints. The blocks to run, in order.
        num_heads: int, or an int32 scalar: a number that is known only when the graph runs.
        intermediate_dim: int, or an int32 scalar.
        inputs: dict of token_ids, segment_ids and padding_mask, int `(batch, length)`.
        training: bool. Whether dropout is on. Defaults to `False`.
        kept: bool `(len(blocks),)`: where false, what the block computes is thrown away. For a
            depth that is known only when the graph runs. Defaults to `None`: all are kept.

    Returns:
        A dict: `"logits"` `(batch, classes)`; `"hidden_states"`, one more than the sub-network
        has blocks, `(batch, length, hidden_dim)`; `"attention_scores"`, one a block, before the
        softmax, `(batch, num_heads, length, length)`.
    """
    backbone = classifier.backbone
    hidden = backbone.embeddings(
        ops.convert_to_tensor(inputs["token_ids"]),
        ops.convert_to_tensor(inputs["segment_ids"]),
        training=training,
    )
    mask = ops.convert_to_tensor(inputs["padding_mask"])
    hidden_states, attention_scores = [hidden], []
    for position, index in enumerate(blocks):
        block = backbone.encoder_blocks[index]
        output, scores = _block(block, num_heads, intermediate_dim, hidden, mask, training)
        hidden = output if kept is None else ops.where(kept[position], output, hidden)
        hidden_states.append(hidden)
        attention_scores.append(scores)
    if backbone.reduction is not None:
        hidden = backbone.reduction(hidden)
    pooled = backbone.pooler(hidden[:, 0, :])
    if classifier.head == "tinybert":
        pooled = ops.relu(pooled)
    pooled = classifier.output_dropout(pooled, training=training)
    return {
        "logits": classifier.output_dense(pooled),
        "hidden_states": hidden_states,
        "attention_scores": attention_scores,
    }


def _block(block, num_heads, neurons, hidden, mask, training):
    """`EncoderBlock.call` with fewer heads and neurons."""
    attended, scores = _attention(block.attention, num_heads, hidden, mask, training)
    attended = block.attention_output_dropout(attended, training=training)
    hidden = block.attention_layer_norm(hidden + attended)
    feed_forward = block.feed_forward
    inner = _dense(feed_forward.intermediate_dense, hidden, columns=neurons)
    inner = ACTIVATIONS[feed_forward.activation](inner)
    transformed = _dense(feed_forward.output_dense, inner, rows=neurons)
    transformed = block.output_dropout(transformed, training=training)
    return block.output_layer_norm(hidden + transformed), scores


def _attention(attention, num_heads, hidden, mask, training):
    """`MultiHeadSelfAttention.call` with the first `num_heads` heads."""
    batch, length = ops.shape(hidden)[0], ops.shape(hidden)[1]
    width = num_heads * attention.head_dim

    def split(dense):
        x = ops.reshape(
            _dense(dense, hidden, columns=width), (batch, length, num_heads, attention.head_dim)
        )
        return ops.transpose(x, (0, 2, 1, 3))

    query = split(attention.query_dense) / attention.head_dim**0.5
    key, value = split(attention.key_dense), split(attention.value_dense)
    context, scores = attention._attend(query, key, value, mask, training)
    context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (batch, length, width))
    return _dense(attention.output_dense, context, rows=width), scores


def _dense(layer, x, rows=None, columns=None):
    """A dense layer that has only its first inputs (rows) and outputs (columns)."""
    kernel = ops.cast(layer.kernel[:rows, :columns], layer.compute_dtype)
    return multiply(x, kernel) + ops.cast(layer.bias[:columns], layer.compute_dtype)
