"""Models side by side: how much of the reference's accuracy each keeps, at what size and speed."""

from dataclasses import asdict, dataclass, field

from rich.markup import escape
from rich.table import Table

from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.report import ClassificationReport


@dataclass(frozen=True)
class ComparisonRow:
    """One model.

    Args:
        name: string. What the reader calls it.
        accuracy: float. From 0 to 1.
        macro_f1: float. From 0 to 1. Defaults to `None` (not known; so do the others).
        parameters: int. Number of weights.
        size_mb: float. File size in MB of 1,000,000 bytes.
        latency_ms: float. Median time of one example in ms.
    """

    name: str
    accuracy: float
    macro_f1: float | None = None
    parameters: int | None = None
    size_mb: float | None = None
    latency_ms: float | None = None


# Field, heading with unit, how a value is written.
_COLUMNS = (
    ("accuracy", "accuracy (%)", lambda value: f"{100 * value:.2f}"),
    ("keeps_percent", "keeps (%)", lambda value: f"{value:.1f}"),
    ("macro_f1", "macro F1 (%)", lambda value: f"{100 * value:.2f}"),
    ("parameters", "parameters", lambda value: f"{value:,}"),
    ("size_mb", "size (MB)", lambda value: f"{value:.2f}"),
    ("latency_ms", "latency (ms)", lambda value: f"{value:.2f}"),
)


@dataclass
class Comparison:
    """A table of models whose first row is the reference, usually the teacher.

    Example:

    ```python
    comparison = Comparison()
    comparison.add("teacher", teacher_report, parameters=22_713_986)
    comparison.add("student", accuracy=0.894, size_mb=14.3, latency_ms=3.1)
    rich.print(comparison)
    ```

    Args:
        rows: list of `ComparisonRow`. Defaults to an empty list; `add` appends.
        title: string. Title of the terminal table. Defaults to `None`.
    """

    rows: list[ComparisonRow] = field(default_factory=list)
    title: str | None = None

    def add(
        self,
        name: str,
        report: ClassificationReport | None = None,
        *,
        accuracy: float | None = None,
        macro_f1: float | None = None,
        parameters: int | None = None,
        size_mb: float | None = None,
        latency_ms: float | None = None,
    ) -> ComparisonRow:
        """Appends a row and returns it.

        Args:
            name: string. What the reader calls the model.
            report: `ClassificationReport`. Gives accuracy and macro F1. Defaults to `None`.
            accuracy: float. From 0 to 1; needed without a report.
            macro_f1: float. From 0 to 1.
            parameters: int. Number of weights.
            size_mb: float. File size in MB of 1,000,000 bytes.
            latency_ms: float. Median time of one example in ms.

        Raises:
            TinyBertError: If there is neither a report nor an accuracy, or a score is not
                between 0 and 1.
        """
        if report is not None:
            accuracy = report.accuracy if accuracy is None else accuracy
            macro_f1 = report.macro_f1 if macro_f1 is None else macro_f1
        if accuracy is None:
            raise TinyBertError(
                f"Expected a report or an accuracy. Received: name={name!r} and neither"
            )
        for score, value in (("accuracy", accuracy), ("macro_f1", macro_f1)):
            if value is not None and not 0 <= value <= 1:
                raise TinyBertError(f"Expected a share from 0 to 1. Received: {score}={value!r}")
        row = ComparisonRow(name, accuracy, macro_f1, parameters, size_mb, latency_ms)
        self.rows.append(row)
        return row

    def keeps_percent(self, row: ComparisonRow) -> float | None:
        """Returns the row's accuracy in percent of the first row's; `None` if that one is 0."""
        reference = self._rows()[0].accuracy
        return 100 * row.accuracy / reference if reference else None

    def to_dict(self) -> dict:
        """Returns `{"reference": name, "rows": [...]}`, which JSON can hold."""
        rows = [{**asdict(row), "keeps_percent": self.keeps_percent(row)} for row in self._rows()]
        return {"reference": rows[0]["name"], "rows": rows}

    def to_markdown(self) -> str:
        """Returns a Markdown table; columns that no row fills are left out."""
        headings, rows = self._cells()
        lines = [headings, ["---", *["---:"] * (len(headings) - 1)]]
        lines += [[row[0].replace("|", "\\|"), *row[1:]] for row in rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def rich_table(self) -> Table:
        """Returns a table for the terminal; the reference stands above the line."""
        headings, rows = self._cells()
        table = Table(title=self.title, caption=f"keeps: accuracy in percent of {rows[0][0]}'s")
        table.add_column(headings[0])
        for heading in headings[1:]:
            table.add_column(heading, justify="right")
        for position, row in enumerate(rows):
            table.add_row(escape(row[0]), *row[1:], end_section=position == 0)
        return table

    def __rich__(self) -> Table:
        return self.rich_table()

    def __str__(self) -> str:
        return self.to_markdown()

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows as text, without the columns that no row fills."""
        rows = self.to_dict()["rows"]
        columns = [c for c in _COLUMNS if any(row[c[0]] is not None for row in rows)]
        cells = [
            [
                row["name"],
                *("" if row[key] is None else write(row[key]) for key, _, write in columns),
            ]
            for row in rows
        ]
        return ["model", *(heading for _, heading, _ in columns)], cells

    def _rows(self) -> list[ComparisonRow]:
        if not self.rows:
            raise TinyBertError("Expected a comparison with at least one row. Received: rows=[]")
        return self.rows
