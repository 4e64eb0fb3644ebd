"""How well out-of-scope texts are told from those of known classes."""

from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

_NAMES = {
    "in_scope_kept": "in-scope texts kept",
    "accuracy_before": "in-scope accuracy without the threshold",
    "in_scope_accuracy": "in-scope accuracy with it",
    "out_of_scope_recall": "out-of-scope texts found",
    "auroc": "AUROC",
    "fpr_at_95_tpr": "out-of-scope texts missed where 95 % of in-scope texts are kept",
}


@dataclass(frozen=True)
class OutOfScopeReport:
    """What a threshold does to two sets of texts; `evaluate_out_of_scope` makes it.

    Args:
        num_in_scope: int. Texts of the known classes.
        num_out_of_scope: int. Other texts.
        in_scope_kept: float. Share of the in-scope texts that are not refused.
        out_of_scope_recall: float. Share of the out-of-scope texts that are refused.
        auroc: float. Area under the ROC curve over all thresholds, ties counted half: how often
            an out-of-scope text looks stranger than an in-scope one.
        fpr_at_95_tpr: float. Share of the out-of-scope texts that pass the strictest threshold
            that keeps at least 95 % of the in-scope texts (lower is better).
        accuracy_before: float. Share of the in-scope texts answered correctly when none is
            refused. Defaults to `None`: unknown.
        in_scope_accuracy: float. Share of the in-scope texts answered correctly and not refused.
            Defaults to `None`: unknown.
    """

    num_in_scope: int
    num_out_of_scope: int
    in_scope_kept: float
    out_of_scope_recall: float
    auroc: float
    fpr_at_95_tpr: float
    accuracy_before: float | None = None
    in_scope_accuracy: float | None = None

    def to_dict(self) -> dict:
        """Returns everything as a dict that JSON can hold."""
        return asdict(self)

    def summary(self) -> dict[str, float]:
        """Returns the shares that are known, by name."""
        return {name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None}

    def to_text(self, digits: int = 3) -> str:
        """One line for a terminal."""
        shown = (f"{_NAMES[name]} {value:.{digits}f}" for name, value in self.summary().items())
        return f"{', '.join(shown)} {self._counts()}"

    def rich_table(self, title: str = "Out of scope") -> Table:
        """Returns a table for the terminal."""
        table = Table(title=title, caption=self._counts())
        table.add_column("measure")
        table.add_column("share", justify="right")
        for name, value in self.summary().items():
            table.add_row(_NAMES[name], f"{value:.3f}")
        return table

    def __rich__(self) -> Table:
        return self.rich_table()

    def __str__(self) -> str:
        return self.to_text()

    def _counts(self) -> str:
        return f"on {self.num_in_scope:,} in-scope and {self.num_out_of_scope:,} other texts"


def measures_of(
    inside: np.ndarray, outside: np.ndarray, limit: float, correct: np.ndarray | None
) -> OutOfScopeReport:
    """Measures of scores where high means out of scope; refused is what exceeds `limit`."""
    kept, ordered = inside <= limit, np.sort(inside)
    # Mann and Whitney's U: in-scope scores below each out-of-scope score, ties half.
    ranks = np.searchsorted(ordered, outside, "left") + np.searchsorted(ordered, outside, "right")
    strictest = ordered[-(-95 * len(ordered) // 100) - 1]
    known = correct is not None
    return OutOfScopeReport(
        num_in_scope=len(inside),
        num_out_of_scope=len(outside),
        in_scope_kept=float(kept.mean()),
        out_of_scope_recall=float((outside > limit).mean()),
        auroc=float(ranks.mean() / (2 * len(inside))),
        fpr_at_95_tpr=float((outside <= strictest).mean()),
        accuracy_before=float(correct.mean()) if known else None,
        in_scope_accuracy=float((correct & kept).mean()) if known else None,
    )
