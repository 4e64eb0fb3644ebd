"""The table of rules, and the verdict that it gives on an operator."""

import functools
import json
from dataclasses import dataclass, field
from importlib import resources

from tinybert_tf.export.delegates.conditions import holds
from tinybert_tf.export.delegates.graph import Operator

DELEGATES = ("nnapi", "gpu_classic", "gpu_litert", "xnnpack")
ANY_OPERATOR = "*"
NOT_IN_TABLE = "not in the table"


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    It applies to an operator of its names for which `when` holds. There it refuses the operator if
    `refuse` is set or `require` does not hold; else it asks for a feature level, or warns.

    Args:
        ops: tuple of strings. Names of operators, or `"*"` for all that have another row.
        reason: string. What is asked for; printed when the operator is refused.
        source: string. Repository, file and function; or how it was measured.
        fix: string. What to change. Defaults to `""`.
        exclude: tuple of strings. Operators that `"*"` leaves out. Defaults to none.
        when: dict. Condition under which the row applies. Defaults to `{}`: always.
        require: dict. Condition that must hold. Defaults to `{}`: none.
        refuse: bool. Whether the operator is never accepted. Defaults to `False`.
        caution: bool. Whether the delegate accepts the operator but should not be given it.
            Defaults to `False`.
        feature_level: int. NNAPI's feature level that is needed. Defaults to `0`: none.
    """

    ops: tuple[str, ...]
    reason: str
    source: str
    fix: str = ""
    exclude: tuple[str, ...] = ()
    when: dict = field(default_factory=dict)
    require: dict = field(default_factory=dict)
    refuse: bool = False
    caution: bool = False
    feature_level: int = 0

    def covers(self, name: str) -> bool:
        """Whether the row is about an operator of this name."""
        return name in self.ops or (ANY_OPERATOR in self.ops and name not in self.exclude)

    def refuses(self, operator: Operator) -> bool:
        """Whether the row refuses an operator that it applies to."""
        return self.refuse or not holds(self.require, operator)


@dataclass(frozen=True)
class Verdict:
    """What a delegate does with an operator.

    Args:
        accepted: bool. Whether the delegate takes it.
        reason: string. Why it is refused, what to beware of, or why the level is needed.
        source: string. Where that is written, or how it was measured.
        fix: string. What to change, where that is known.
        caution: bool. Accepted, but the result is wrong or holds under a condition: see `reason`.
        feature_level: int or None. NNAPI's feature level that is needed; `None` elsewhere.
        api_level: int or None. The first Android API level that has it.
    """

    accepted: bool
    reason: str = ""
    source: str = ""
    fix: str = ""
    caution: bool = False
    feature_level: int | None = None
    api_level: int | None = None


@dataclass(frozen=True)
class RuleTable:
    """All rules.

    Args:
        rules: dict of delegate to tuple of Rules, in the order they are tried.
        titles: dict of delegate to its name for people.
        feature_levels: dict of NNAPI's feature level to `{"api_level": int, "android": string}`.
    """

    rules: dict[str, tuple[Rule, ...]]
    titles: dict[str, str]
    feature_levels: dict[int, dict]

    def verdict(self, delegate: str, operator: Operator) -> Verdict:
        """What a delegate does with an operator."""
        rows = [row for row in self.rules[delegate] if row.covers(operator.name)]
        if all(ANY_OPERATOR in row.ops for row in rows):
            return Verdict(False, NOT_IN_TABLE, "rules.json")
        rows = [row for row in rows if holds(row.when, operator)]
        for row in rows:
            if row.refuses(operator):
                return Verdict(False, row.reason, row.source, row.fix)
        level = max((row.feature_level for row in rows), default=0)
        api_level = self.feature_levels[level]["api_level"] if level else None
        # The most particular row that asks for the level says why.
        asking = [row for row in rows if level and row.feature_level == level]
        warning = [row for row in rows if row.caution]
        row = (warning or asking[-1:] or [Rule((), "", rows[0].source if rows else "")])[0]
        return Verdict(
            True, row.reason, row.source, row.fix, bool(warning), level or None, api_level
        )


@functools.cache
def rule_table() -> RuleTable:
    """The table that ships with the package."""
    text = resources.files(__package__).joinpath("rules.json").read_text("utf-8")
    content = json.loads(text)
    sources = content["sources"]
    return RuleTable(
        rules={
            delegate: tuple(_rule(row, sources) for row in entry["rules"])
            for delegate, entry in content["delegates"].items()
        },
        titles={name: entry["title"] for name, entry in content["delegates"].items()},
        feature_levels={int(level): entry for level, entry in content["feature_levels"].items()},
    )


def _rule(row: dict, sources: dict[str, str]) -> Rule:
    lists = {name: tuple(row[name]) for name in ("ops", "exclude") if name in row}
    return Rule(**{**row, **lists, "source": sources[row["source"]]})
