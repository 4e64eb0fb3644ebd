"""Progress bars on standard error."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bars(shown: bool) -> Progress:
    """Bars that vanish when all is done; none where there is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )


def progress_step(bars: Progress, description: str, total: int) -> Callable[..., None]:
    """Adds a bar; returns what moves it on."""
    task = bars.add_task(description, total=total)
    return lambda count=1: bars.advance(task, count)
