"""Accuracy against latency and size: a table, a plot, and the choice for a device's budget."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tinybert_tf.atomic import atomic_file
from tinybert_tf.errors import TinyBertError
from tinybert_tf.evaluate.figures import BLUE, GRAY, VERMILION, figure

# Field, heading with unit.
COSTS = {"latency_ms": "latency (ms)", "megabytes": "file size (MB)"}


@dataclass(frozen=True)
class ParetoRow:
    """One measured sub-network.

    Args:
        width: float. The share of heads and neurons.
        depth: float. The share of blocks.
        parameters: int. Number of weights.
        megabytes: float. Size of its file in MB of 1,000,000 bytes.
        latency_ms: float. Median time of a call in ms.
        accuracy: float. Of the file, from 0 to 1.
        file: string. Name of the file. Defaults to `""`.
    """

    width: float
    depth: float
    parameters: int
    megabytes: float
    latency_ms: float
    accuracy: float
    file: str = ""


@dataclass(frozen=True)
class Pareto:
    """Measured sub-networks of one adaptive student.

    Args:
        rows: tuple of `ParetoRow`, at least one.
        title: string. What was measured, and on what. Defaults to `""`.

    Example:
    ```python
    pareto = export.measure_subnetworks(student, dev_texts, dev_labels, "runs/files")
    row = pareto.choose(latency_ms=4.0)
    small = student.extract(row.width, row.depth)
    ```
    """

    rows: tuple[ParetoRow, ...]
    title: str = ""

    def __post_init__(self):
        if not self.rows:
            raise TinyBertError("Expected at least one measured sub-network. Received: rows=()")
        object.__setattr__(self, "rows", tuple(self.rows))

    def front(self, cost: str = "latency_ms") -> list[ParetoRow]:
        """The rows that no row beats: none is as cheap and more accurate, or as good and cheaper.

        Args:
            cost: string. `"latency_ms"` or `"megabytes"`. Defaults to `"latency_ms"`.

        Returns:
            Rows by ascending cost, and so by ascending accuracy.
        """
        if cost not in COSTS:
            raise TinyBertError(f"Expected a cost out of {tuple(COSTS)}. Received: cost={cost!r}")
        found: list[ParetoRow] = []
        for row in sorted(self.rows, key=lambda row: (getattr(row, cost), -row.accuracy)):
            if not found or row.accuracy > found[-1].accuracy:
                found.append(row)
        return found

    def choose(self, latency_ms: float | None = None, size_mb: float | None = None) -> ParetoRow:
        """Picks the most accurate sub-network within a budget; of equal ones the fastest.

        Latencies hold for the machine that they were measured on: measure on the device, or
        scale its budget by the ratio of one file's latencies.

        Args:
            latency_ms: float. Longest time of a call in ms. Defaults to `None`: any.
            size_mb: float. Largest file in MB of 1,000,000 bytes. Defaults to `None`: any.

        Raises:
            TinyBertError: If no sub-network meets the budget; it names the nearest. Also if a
                budget is not above 0.
        """
        budget = {
            name: (field, limit)
            for name, field, limit in (
                ("latency_ms", "latency_ms", latency_ms),
                ("size_mb", "megabytes", size_mb),
            )
            if limit is not None
        }
        for name, (_, limit) in budget.items():
            if not limit > 0:
                raise TinyBertError(f"Expected a budget above 0. Received: {name}={limit}")

        def excess(row: ParetoRow) -> float:
            """How many times the budget the row needs, of that which it exceeds most."""
            return max((getattr(row, field) / limit for field, limit in budget.values()), default=0)

        within = [row for row in self.rows if excess(row) <= 1]
        if within:
            return min(within, key=lambda row: (-row.accuracy, row.latency_ms, row.megabytes))
        nearest = min(self.rows, key=lambda row: (excess(row), -row.accuracy))
        received = ", ".join(f"{name}={limit:g}" for name, (_, limit) in budget.items())
        raise TinyBertError(
            "Expected a budget that a sub-network meets. The nearest is "
            f"width {nearest.width:g}, depth {nearest.depth:g}: {nearest.latency_ms:.3g} ms, "
            f"{nearest.megabytes:.3g} MB, accuracy {nearest.accuracy:.3f}. Received: {received}"
        )

    def plot(self, path: str | os.PathLike) -> None:
        """Draws accuracy against latency and against size, the fronts marked, as PNG.

        Raises:
            TinyBertError: If matplotlib is absent or the file cannot be written.
        """
        depths = sorted({row.depth for row in self.rows})
        markers = {depth: "osD^v<>"[index % 7] for index, depth in enumerate(depths)}
        with figure(path, 9.6, 4.4) as fig:
            grid = fig.subplots(1, 2, sharey=True)
            for axes, (cost, heading) in zip(grid, COSTS.items(), strict=True):
                _draw(axes, self, cost, markers)
                axes.set_xlabel(heading)
            grid[0].set_ylabel("accuracy (%)")
            handles, names = grid[0].get_legend_handles_labels()
            fig.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8)
            if self.title:
                fig.suptitle(self.title, x=0.01, ha="left")

    def to_markdown(self) -> str:
        """Returns a Markdown table; `*` marks what lies on a front."""
        fronts = {cost: self.front(cost) for cost in COSTS}
        lines = [
            "| width | depth | parameters | size (MB) | latency (ms) | accuracy (%) |",
            "| ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for row in self.rows:
            cells = [
                f"{row.width:g}",
                f"{row.depth:g}",
                f"{row.parameters:,}",
                f"{row.megabytes:.2f}{'*' * (row in fronts['megabytes'])}",
                f"{row.latency_ms:.3g}{'*' * (row in fronts['latency_ms'])}",
                f"{100 * row.accuracy:.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_markdown()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the table as JSON."""
        with atomic_file(path) as stream:
            json.dump({"title": self.title, "rows": [asdict(row) for row in self.rows]}, stream)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Pareto":
        """Reads what `save` wrote.

        Raises:
            TinyBertError: If the file is absent or not such a table.
        """
        names = {field.name for field in fields(ParetoRow)}
        try:
            stored = json.loads(Path(path).read_text("utf-8"))
            rows = tuple(
                ParetoRow(**{name: row[name] for name in sorted(names)}) for row in stored["rows"]
            )
            title = str(stored["title"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TinyBertError(
                "Expected a JSON file that Pareto.save wrote. "
                f"Received: {str(path)!r} ({type(error).__name__}: {error})"
            ) from error
        return cls(rows, title)


def _draw(axes, pareto: Pareto, cost: str, markers: dict[float, str]) -> None:
    """One panel: a marker shape a depth, the width as a note, the front as a line."""
    front = pareto.front(cost)
    axes.plot(
        [getattr(row, cost) for row in front],
        [100 * row.accuracy for row in front],
        color=VERMILION,
        linewidth=1.2,
        zorder=1,
        label="front",
    )
    for depth, marker in markers.items():
        axes.plot([], [], marker, color=GRAY, label=f"depth {depth:g}")  # for the legend
    for row in pareto.rows:
        place = getattr(row, cost), 100 * row.accuracy
        on_front = row in front
        color = VERMILION if on_front else BLUE
        axes.scatter(*place, color=color, marker=markers[row.depth], s=34, zorder=2)
        axes.annotate(
            f"{row.width:g}",
            place,
            (-5, 3) if on_front else (5, -8),
            textcoords="offset points",
            ha="right" if on_front else "left",
            fontsize=7,
            color=color,
        )
    axes.margins(x=0.1, y=0.12)
    axes.set_title("numbers: width", color=GRAY, fontsize=8)
