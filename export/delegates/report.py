"""What each delegate does with each operator of a file."""

import collections
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tinybert_tf.errors import TinyBertError
from tinybert_tf.export.delegates.graph import read_operators, whole_file
from tinybert_tf.export.delegates.layers import source_layers
from tinybert_tf.export.delegates.partitions import count_partitions
from tinybert_tf.export.delegates.rules import DELEGATES, Verdict, rule_table
from tinybert_tf.export.model_file import ModelFile, read_model_file

# Objections to more kinds of operators are not listed by name.
_SHOWN_OPERATORS = 4


@dataclass(frozen=True)
class OperatorFinding:
    """An operator and what becomes of it.

    Args:
        subgraph: int. Index of its subgraph; files with several signatures have several.
        index: int. Its place in the order of execution.
        operator: string. Its name in TFLite's schema.
        version: int. Version of the operator.
        layer: string. The layer of the model that it seems to come from, by the name of its
            result or by its place; `""` if unknown.
        verdicts: dict of delegate to Verdict.
    """

    subgraph: int
    index: int
    operator: str
    version: int
    layer: str
    verdicts: dict[str, Verdict]


@dataclass(frozen=True)
class Objection:
    """Operators that a delegate refuses, or accepts with a caution, for one reason.

    Args:
        operators: tuple of (name, version, count), in the order of their first occurrence.
        count: int. How many operators there are in all.
        reason: string. Why.
        fix: string. What to change, `""` if unknown.
        source: string. Where the rule comes from.
        layers: tuple of strings. The layers they come from.
    """

    operators: tuple[tuple[str, int, int], ...]
    count: int
    reason: str
    fix: str
    source: str
    layers: tuple[str, ...]

    def describe(self) -> str:
        """The operators in words, as `"20 FULLY_CONNECTED (version 12)"`."""
        if len(self.operators) > _SHOWN_OPERATORS:
            return f"{self.count} operators of {len(self.operators)} kinds"
        return ", ".join(
            f"{count} {name} (version {version})" for name, version, count in self.operators
        )


@dataclass(frozen=True)
class DelegateSummary:
    """What a delegate does with a file.

    Args:
        delegate: string. `"nnapi"`, `"gpu_classic"`, `"gpu_litert"` or `"xnnpack"`.
        title: string. Its name for people.
        accepted: int. Operators that it takes, those with a caution included.
        total: int. All operators.
        refused: tuple of Objections.
        cautions: tuple of Objections. Accepted, yet wrong or on a condition.
        partitions: tuple of ints. For each subgraph, the pieces that go to the delegate.
        feature_level: int or None. NNAPI's feature level that the accepted operators need.
        api_level: int or None. The first Android API level that has it.
        android: string. The Android version of that level, `""` for other delegates.
    """

    delegate: str
    title: str
    accepted: int
    total: int
    refused: tuple[Objection, ...]
    cautions: tuple[Objection, ...]
    partitions: tuple[int, ...]
    feature_level: int | None = None
    api_level: int | None = None
    android: str = ""

    @property
    def takes_all(self) -> bool:
        """Whether the delegate takes every operator, and none with a caution."""
        return not self.refused and not self.cautions


@dataclass(frozen=True)
class DelegateReport:
    """The verdicts of all delegates on all operators of a file.

    Args:
        path: path. The file.
        operators: tuple of OperatorFindings, subgraph by subgraph in the order of execution.
        partitions: dict of delegate to the number of pieces it gets of each subgraph.
    """

    path: Path
    operators: tuple[OperatorFinding, ...]
    partitions: dict[str, tuple[int, ...]]

    def summary(self, delegate: str) -> DelegateSummary:
        """What one delegate does with the file.

        Raises:
            TinyBertError: If there is no such delegate.
        """
        _check_delegate(delegate)
        verdicts = [finding.verdicts[delegate] for finding in self.operators]
        table = rule_table()
        level = max((v.feature_level or 0 for v in verdicts if v.accepted), default=0)
        entry = table.feature_levels.get(level, {})
        return DelegateSummary(
            delegate=delegate,
            title=table.titles[delegate],
            accepted=sum(verdict.accepted for verdict in verdicts),
            total=len(verdicts),
            refused=self._objections(delegate, refused=True),
            cautions=self._objections(delegate, refused=False),
            partitions=self.partitions[delegate],
            feature_level=level or None,
            api_level=entry.get("api_level"),
            android=entry.get("android", ""),
        )

    def require(self, delegate: str, max_api_level: int | None = None) -> None:
        """Checks that a delegate takes every operator and computes it right.

        Args:
            delegate: string. One of `DELEGATES`.
            max_api_level: int. For NNAPI, the Android API level of the oldest device. Defaults to
                `None`: any.

        Raises:
            TinyBertError: If an operator is refused, is accepted with a caution, or needs a later
                Android. The message names the operator, its layer and what to change.
        """
        summary = self.summary(delegate)
        for objection in (*summary.refused, *summary.cautions):
            raise TinyBertError(
                f"Expected only operators that {summary.title} takes and computes right. "
                f"Received: {_found(objection)}"
            )
        if max_api_level is None or (summary.api_level or 0) <= max_api_level:
            return
        for finding in self.operators:
            verdict = finding.verdicts[delegate]
            if (verdict.api_level or 0) > max_api_level:
                raise TinyBertError(
                    f"Expected only operators that {summary.title} has at Android API level "
                    f"{max_api_level}. Received: {finding.operator} version {finding.version} in "
                    f"{finding.layer or 'an unnamed layer'} (operator {finding.index}), which "
                    f"needs API level {verdict.api_level}: {verdict.reason}"
                )

    def to_dict(self) -> dict:
        """The report as JSON values."""
        return {
            "path": str(self.path),
            "delegates": {name: asdict(self.summary(name)) for name in DELEGATES},
            "operators": [asdict(finding) for finding in self.operators],
        }

    def _objections(self, delegate: str, refused: bool) -> tuple[Objection, ...]:
        groups: dict[tuple, list[OperatorFinding]] = {}
        for finding in self.operators:
            verdict = finding.verdicts[delegate]
            if not verdict.accepted if refused else verdict.accepted and verdict.caution:
                key = (verdict.reason, verdict.fix, verdict.source)
                groups.setdefault(key, []).append(finding)
        return tuple(
            Objection(
                operators=_counted(findings),
                count=len(findings),
                reason=reason,
                fix=fix,
                source=source,
                layers=tuple(dict.fromkeys(finding.layer for finding in findings)),
            )
            for (reason, fix, source), findings in groups.items()
        )


def _counted(findings: list[OperatorFinding]) -> tuple[tuple[str, int, int], ...]:
    counts = collections.Counter((finding.operator, finding.version) for finding in findings)
    return tuple((name, version, count) for (name, version), count in counts.items())


def check(file: str | os.PathLike | ModelFile) -> DelegateReport:
    """Tells what NNAPI, the GPU delegates and XNNPACK do with each operator of a file.

    The rules are a table of what the delegates' sources ask for and of what was measured; nothing
    is run. TFLite's own analyzer approves every file.

    Args:
        file: path or ModelFile. A `.tflite` file of any origin.

    Returns:
        DelegateReport.

    Raises:
        TinyBertError: If it cannot be read, is no TFLite file or is truncated.

    Example:
        >>> report = check("model.tflite")
        >>> report.summary("gpu_litert").takes_all
        True
        >>> report.require("nnapi", max_api_level=33)
        TinyBertError: Expected only operators that NNAPI takes and computes right. Received: ...
    """
    file = file if isinstance(file, ModelFile) else read_model_file(file)
    table = rule_table()
    findings, pieces = [], {name: [] for name in DELEGATES}
    with whole_file(file.path):
        for operators in read_operators(file.model):
            verdicts = [{name: table.verdict(name, op) for name in DELEGATES} for op in operators]
            for name in DELEGATES:
                taken = [verdict[name].accepted for verdict in verdicts]
                pieces[name].append(count_partitions(operators, taken))
            findings += [
                OperatorFinding(op.subgraph, op.index, op.title, op.version, layer, verdict)
                for op, layer, verdict in zip(
                    operators, source_layers(operators), verdicts, strict=True
                )
            ]
    return DelegateReport(
        file.path, tuple(findings), {name: tuple(counts) for name, counts in pieces.items()}
    )


def _check_delegate(name: str) -> None:
    if name not in DELEGATES:
        raise TinyBertError(
            f"Expected a delegate out of {', '.join(DELEGATES)}. Received: delegate={name!r}"
        )


def _found(objection: Objection) -> str:
    """The objection with the layers of its operators and what to change."""
    layers = [layer for layer in objection.layers if layer] or ["an unnamed layer"]
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    fix = f". Fix: {objection.fix}" if objection.fix else ""
    return f"{objection.describe()} in {layers[0]}{more}: {objection.reason}{fix}"
