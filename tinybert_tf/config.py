"""Encoder architectures by name.

Sizes follow the papers they come from; `python -m tinybert_tf info` prints the table.
"""

from tinybert_tf.errors import TinyBertError


def _shape(num_layers: int, hidden_dim: int, num_heads: int, intermediate_dim: int) -> dict:
    return {
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": num_heads,
        "intermediate_dim": intermediate_dim,
    }


# Student shapes that match no teacher's width start from principal directions; the minilm_*
# shapes share MiniLM-L6-H384's width, so whole blocks of that teacher can be copied.
ARCHITECTURES: dict[str, dict] = {
    "bert_base": _shape(12, 768, 12, 3072),  # Devlin et al. 2019
    "tinybert_6l_768": _shape(6, 768, 12, 3072),  # Jiao et al. 2020, TinyBERT6
    "tinybert_4l_312": _shape(4, 312, 12, 1200),  # Jiao et al. 2020, TinyBERT4
    "minilm_6l_384": _shape(6, 384, 12, 1536),  # Wang et al. 2020, MiniLM-L6-H384
    "minilm_4l_384": _shape(4, 384, 12, 1536),
    "minilm_3l_384": _shape(3, 384, 12, 1536),
    "minilm_2l_384": _shape(2, 384, 12, 1536),
    "bert_mini_4l_256": _shape(4, 256, 4, 1024),  # Turc et al. 2019, BERT-Mini
    "bert_tiny_2l_128": _shape(2, 128, 2, 512),  # Turc et al. 2019, BERT-Tiny
}


def architecture(name: str) -> dict:
    """Returns the constructor arguments of a named encoder shape.

    Args:
        name: string. One of `ARCHITECTURES`.

    Returns:
        A dict with num_layers, hidden_dim, num_heads and intermediate_dim.

    Raises:
        TinyBertError: If no architecture has that name.
    """
    if name not in ARCHITECTURES:
        raise TinyBertError(
            f"Expected an architecture name out of {', '.join(ARCHITECTURES)}. "
            f"Received: name={name!r}"
        )
    return dict(ARCHITECTURES[name])
