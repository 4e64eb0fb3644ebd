"""Adaptive students: one training, many sizes (DynaBERT, Hou et al. 2020, arXiv 2004.04037)."""

from tinybert_tf.adaptive.distiller import AdaptiveDistiller
from tinybert_tf.adaptive.pareto import Pareto, ParetoRow
from tinybert_tf.adaptive.recipe import distill_adaptive
from tinybert_tf.adaptive.student import AdaptiveStudent
from tinybert_tf.adaptive.subnetwork import DEPTHS, WIDTHS, Subnetwork, kept_blocks

__all__ = [
    "AdaptiveDistiller",
    "AdaptiveStudent",
    "DEPTHS",
    "Pareto",
    "ParetoRow",
    "Subnetwork",
    "WIDTHS",
    "distill_adaptive",
    "kept_blocks",
]
