"""`config.json` of a BERT checkpoint, and the backbone's arguments."""

from tinybert_tf.errors import TinyBertError

# Hugging Face's hidden_act -> ours. Its "gelu_new", "gelu_fast" and "gelu_pytorch_tanh" are one
# function, the tanh approximation, computed in different orders.
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
_HIDDEN_ACTS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu"}

# (our argument, Hugging Face's key, BertConfig's default; None where a value is required)
_ARGUMENTS = (
    ("vocabulary_size", "vocab_size", None),
    ("num_layers", "num_hidden_layers", None),
    ("num_heads", "num_attention_heads", None),
    ("hidden_dim", "hidden_size", None),
    ("intermediate_dim", "intermediate_size", None),
    ("dropout", "hidden_dropout_prob", 0.1),
    ("attention_dropout", "attention_probs_dropout_prob", 0.1),
    ("max_sequence_length", "max_position_embeddings", 512),
    ("num_segments", "type_vocab_size", 2),
    ("layer_norm_epsilon", "layer_norm_eps", 1e-12),
)
_FRACTIONS = {"dropout", "attention_dropout", "layer_norm_epsilon"}


def backbone_config(config: dict) -> dict:
    """Turns a checkpoint's config.json into the arguments of `TinyBertBackbone`.

    Official TinyBERT files have no `model_type`; they are BERT.

    Args:
        config: dict. The parsed config.json.

    Returns:
        The arguments by name.

    Raises:
        TinyBertError: If the model is not a plain BERT encoder, or a size is missing or no
            number.
    """
    _check_architecture(config)
    arguments = {}
    for name, key, default in _ARGUMENTS:
        value = config.get(key, default)
        kinds, least = ((int, float), 0) if name in _FRACTIONS else ((int,), 1)
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
            raise TinyBertError(
                f"Expected a number of at least {least} for {key!r} in config.json. "
                f"Received: {key}={value!r}"
            )
        arguments[name] = value
    arguments["activation"] = _ACTIVATIONS[config.get("hidden_act", "gelu")]
    return arguments


def _check_architecture(config: dict) -> None:
    """Refuses what would load, and compute something else."""
    for key, default, admitted in (
        ("model_type", "bert", ("bert",)),
        ("position_embedding_type", "absolute", ("absolute",)),
        ("hidden_act", "gelu", tuple(_ACTIVATIONS)),
        ("is_decoder", False, (False,)),
        ("add_cross_attention", False, (False,)),
    ):
        value = config.get(key, default)
        if value not in admitted:
            raise TinyBertError(
                f"Expected a BERT encoder with {key} out of {admitted} in config.json. "
                f"Received: {key}={value!r}"
            )


def label_names(config: dict) -> list[str] | None:
    """Reads the class names from `id2label`.

    Returns:
        The names in the order of their ids, or `None` if there are none.

    Raises:
        TinyBertError: If the ids are not 0, 1, 2, ...
    """
    names = config.get("id2label")
    if not names:
        return None
    try:
        by_id = {int(index): str(name) for index, name in names.items()}
    except (AttributeError, ValueError) as error:
        raise TinyBertError(
            f"Expected id2label to map class numbers to names. Received: id2label={names!r}"
        ) from error
    if sorted(by_id) != list(range(len(names))):
        raise TinyBertError(
            f"Expected id2label to number the classes from 0. Received: ids {sorted(by_id)}"
        )
    return [by_id[index] for index in range(len(by_id))]


def hugging_face_config(backbone) -> dict:
    """Describes a backbone as the config.json of Hugging Face's `BertModel`.

    Args:
        backbone: `TinyBertBackbone`.

    Raises:
        TinyBertError: If `BertModel` has no such form: an attention width of its own, a
            factorized word table or a reduced representation.
    """
    plain_sizes = {
        "attention_dim": backbone.hidden_dim,
        "embedding_dim": backbone.hidden_dim,
        "reduced_dim": None,
    }
    for name, plain in plain_sizes.items():
        value = getattr(backbone, name)
        if value not in (None, plain):
            raise TinyBertError(
                f"Expected a backbone that Hugging Face's BertModel can represent, with {name} "
                f"left out. Received: {name}={value}"
            )
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        **{key: getattr(backbone, name) for name, key, _ in _ARGUMENTS},
        "hidden_act": _HIDDEN_ACTS[backbone.activation],
        "position_embedding_type": "absolute",
        "initializer_range": 0.02,
        "pad_token_id": 0,
    }
