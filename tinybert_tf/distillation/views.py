"""A model seen by the distiller: every tensor it compares, from one forward pass."""

import keras
import keras_hub

from tinybert_tf.distillation.terms import Encoder
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertBackbone, TinyBertTextClassifier
from tinybert_tf.models.task import TinyBertTask


def observe(model: keras.Model, relation_block: int | None = None) -> keras.Model:
    """Returns a model of the same weights that outputs everything a loss may compare.

    Args:
        model: a task model of ours, or `TinyBertBackbone`.
        relation_block: int. The block whose queries, keys and values are put out as
            `relations`, a dict. Defaults to `None`: none.

    Returns:
        A Functional model from the model's inputs to a dict with the encoder's hidden_states and
        attention_scores and, for a task model, logits.
    """
    backbone = getattr(model, "backbone", model)
    outputs = backbone.intermediates
    if relation_block is not None:
        attention = backbone.encoder_blocks[relation_block].attention
        hidden = outputs["hidden_states"][relation_block]
        outputs["relations"] = {
            name: getattr(attention, f"{name}_dense")(hidden) for name in ("query", "key", "value")
        }
    if backbone is not model:
        outputs["logits"] = model.compute_logits(backbone.output, model.input)
    return keras.Model(model.input, outputs, name=f"{model.name}_view")


def encoder_of(model: keras.Model) -> Encoder:
    """Reads the sizes that loss terms need."""
    backbone = getattr(model, "backbone", model)
    return Encoder(
        num_layers=backbone.num_layers,
        hidden_dim=backbone.hidden_dim,
        attention_dim=backbone.attention_dim,
        kind=getattr(model, "kind", "classes"),
    )


def as_teacher(model) -> TinyBertTask | TinyBertBackbone:
    """Brings a teacher into a form whose intermediate tensors can be reached.

    Args:
        model: a model of ours, a keras-hub `BertTextClassifier` or `BertBackbone` (its weights
            are copied, since keras-hub's attention hides its raw scores), or the name or folder
            of a Hugging Face classifier.

    Raises:
        TinyBertError: If the model is of another kind.
    """
    if isinstance(model, (TinyBertTask, TinyBertBackbone)):
        return model
    if isinstance(model, str):
        return TinyBertTextClassifier.from_hf(model)
    if isinstance(model, (keras_hub.models.BertTextClassifier, keras_hub.models.BertBackbone)):
        from tinybert_tf.checkpoints.keras_hub_bert import from_keras_hub

        return from_keras_hub(model)
    raise TinyBertError(
        "Expected a teacher that is a task model of tinybert_tf, such as TinyBertTextClassifier, "
        "a TinyBertBackbone, a keras-hub BertTextClassifier or BertBackbone, or the name of a "
        "Hugging Face checkpoint. "
        f"Received: {type(model).__name__}"
    )
