"""Loss weights that let every term start equal."""

from collections.abc import Sequence

import numpy as np


def balance_terms(distiller, batches: Sequence[tuple]) -> dict[str, float]:
    """Divides each term's weight by the term's value before training.

    Raw attention scores differ by an order of magnitude more than hidden states do, so that with
    TinyBERT's equal weights the intermediate stage mostly fits attention. Balanced, every term
    starts at its own weight, 1 unless set otherwise.

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
    for term, value in zip(distiller.terms, totals / max(len(batches), 1), strict=True):
        term.weight /= max(float(value), 1e-8)
    return {term.name: term.weight for term in distiller.terms}
