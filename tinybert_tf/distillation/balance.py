"""Loss weights that let every term start equal."""

from collections.abc import Sequence

import numpy as np

# A term that starts at less than this share of the largest one is weighted as if it were there: a
# student that copies the teacher's embeddings starts at 0, and would be held there.
SMALLEST = 1 / 100


def balance_terms(distiller, batches: Sequence[tuple]) -> dict[str, float]:
    """Divides each term's weight by the term's value before training.

    Raw attention scores differ by an order of magnitude more than hidden states do, so that with
    TinyBERT's equal weights the intermediate stage mostly fits attention. Balanced, every term
    starts at its own weight, 1 unless set otherwise; one that starts near zero gets at most 100
    times the weight of the largest.

    Args:
        distiller: `Distiller`. The weights of its terms change.
        batches: list of batches as training sees them: inputs, and labels where a term needs
            them.

    Returns:
        Term name to its new weight.
    """
    totals = np.zeros(len(distiller.terms))
    for data in batches:
        totals += np.array(distiller.term_values(data))
    values = totals / max(len(batches), 1)
    values = np.maximum(values, max(SMALLEST * values.max(), 1e-8))
    for term, value in zip(distiller.terms, values, strict=True):
        term.weight /= float(value)
    return {term.name: term.weight for term in distiller.terms}
