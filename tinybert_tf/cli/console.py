"""Where output goes: results to standard output, progress and errors to standard error."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Prints a line of progress."""
    err.print(message, markup=False, soft_wrap=True)


def error_line(message: str) -> None:
    """Prints one red line, whatever the width of the terminal."""
    err.print(f"[bold red]error:[/] [red]{escape(message)}[/]", soft_wrap=True)


def hint(message: str) -> None:
    """Prints an unobtrusive line of advice."""
    err.print(message, style="dim", markup=False, soft_wrap=True)


def clear_line() -> None:
    """Wipes the unfinished progress bar of the line, on a terminal."""
    if err.is_terminal:
        err.file.write("\r\x1b[2K")
        err.file.flush()


@contextlib.contextmanager
def working(message: str) -> Iterator[None]:
    """Shows that something without a progress bar is under way; a plain line off a terminal."""
    if err.is_terminal:
        with err.status(escape(message)):
            yield
    else:
        say(message)
        yield


def pairs_table(title: str, pairs: dict) -> Table:
    """A table of two columns: what, and how much."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for name, value in pairs.items():
        if value is not None:
            table.add_row(name, escape(str(value)))
    return table


def duration(seconds: float) -> str:
    """Spells a time the way a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def file_size(count: int) -> str:
    """Spells a number of bytes, in units of 1,000."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
