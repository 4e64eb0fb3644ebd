"""A word table as the product of two smaller matrices."""

import numpy as np

from tinybert_tf.compress.importance import check_prunable
from tinybert_tf.compress.structured import rebuild
from tinybert_tf.distillation.narrowing import principal_directions
from tinybert_tf.errors import TinyBertError
from tinybert_tf.models import TinyBertTextClassifier


def factorize_word_table(classifier: TinyBertTextClassifier, rank: int) -> TinyBertTextClassifier:
    """Replaces the word table `(V, H)` by `(V, rank)` times `(rank, H)`.

    The two are the truncated singular value decomposition, whose product is the nearest matrix of
    this rank (Eckart and Young 1936), in the form of ALBERT's factorized embedding (Lan et al.
    2020, section 3.1). `V rank + rank H + H` numbers take the place of `V H`. The classifier
    answers differently the more of the table is lost: distil it afterwards.

    Args:
        classifier: `TinyBertTextClassifier`. It is left as it is.
        rank: int. From 1 to hidden_dim.

    Returns:
        A new, compiled `TinyBertTextClassifier` with `embedding_dim=rank`.

    Raises:
        TinyBertError: If the rank is out of range, or the classifier is factorized or
            quantization-aware already.
    """
    check_prunable(classifier)
    backbone = classifier.backbone
    if backbone.embedding_dim is not None:
        raise TinyBertError(
            "Expected a classifier with a whole word table. "
            f"Received: embedding_dim={backbone.embedding_dim}"
        )
    if not 1 <= rank <= backbone.hidden_dim:
        raise TinyBertError(f"Expected a rank from 1 to {backbone.hidden_dim}. Received: {rank=}")
    embeddings = backbone.embeddings
    table = embeddings.token_embedding.embeddings
    values = table.numpy().astype("float32")
    directions = principal_directions(values, rank)
    projection = f"{embeddings.path}/token_projection"
    return rebuild(
        classifier,
        {
            table.path: values @ directions,
            f"{projection}/kernel": directions.T,
            f"{projection}/bias": np.zeros(backbone.hidden_dim, "float32"),
        },
        embedding_dim=rank,
    )
