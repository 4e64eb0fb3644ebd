"""Which operators of a file each delegate takes, by a table of rules; no TensorFlow is loaded."""

from tinybert_tf.export.delegates.report import (
    DelegateReport,
    DelegateSummary,
    Objection,
    OperatorFinding,
    check,
)
from tinybert_tf.export.delegates.report import check as check_delegates
from tinybert_tf.export.delegates.rules import DELEGATES, Verdict

__all__ = [
    "DELEGATES",
    "DelegateReport",
    "DelegateSummary",
    "Objection",
    "OperatorFinding",
    "Verdict",
    "check",
    "check_delegates",
]
