"""What people see: tables, questions and progress. What others have chosen as names cannot play with the terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

_UNWRAPPED = 100_000
"""As wide as anything can be: where no terminal is, lines are for grep and awk."""


def printable(text: str) -> str:
    """Write out what is not printable, such as the escape sequences of terminals."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    from rich import box  # noqa: PLC0415 - takes a moment; most commands print a line
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    _console(sys.stdout).print(shown)


def sheet(rows: Sequence[tuple[str, object]]) -> None:
    """Print one thing, a line for each of its fields."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        line(f"{name:<{width}}  {_cell(value)}")


def line(text: str) -> None:
    """Print a line."""
    print(printable(text))  # noqa: T201 - this is what is asked for


def complain(text: str) -> None:
    """Print a line of what went wrong."""
    print(text, file=sys.stderr)  # noqa: T201


def is_agreed(question: str) -> bool | None:
    """Ask; None if there is nobody who could answer."""
    if not sys.stdin.isatty():
        return None
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Callable[[int], object]]:
    """Show on a terminal how far something is: what is given takes how much has been done since the last time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    console = _console(sys.stderr)
    with Progress(
        SpinnerColumn(),
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(printable, map(str, value)))
    return printable(str(value))


def _console(file: object) -> Console:
    from rich.console import Console  # noqa: PLC0415 - as above

    console = Console(file=file, highlight=False)  # type: ignore[arg-type]  # a text stream
    if not console.is_terminal:
        console.width = _UNWRAPPED
    return console
