"""Terminal output and input: tables, questions and progress. Escape sequences in stored names are made harmless."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

_UNWRAPPED = 100_000
"""Width without a terminal: output for grep and awk is never wrapped."""


def printable(text: str) -> str:
    """Return a text with its unprintable characters, such as terminal escape sequences, written as escapes."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table with a heading.

    Raises:
        ValueError: a row has more or fewer cells than the heading.
    """
    from rich import box  # noqa: PLC0415 - slow to import; most commands print a single line
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for _, value in zip(columns, row, strict=True)))
    _console(sys.stdout).print(table)


def print_fields(rows: Sequence[tuple[str, object]]) -> None:
    """Print the fields of one record, each on a line."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print_line(f"{name:<{width}}  {_cell(value)}")


def print_line(text: str) -> None:
    """Print a line to standard output."""
    print(printable(text))  # noqa: T201 - the output of a command


def print_error(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def is_interactive() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin.isatty()


def ask(question: str) -> bool:
    """Ask a question on standard error; return whether the answer is yes."""
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@contextmanager
def progress_bar(label: str, total: int | None = None) -> Iterator[Callable[[int], object]]:
    """Show a progress bar if standard error is a terminal; yield a function that advances it by a count."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    console = _console(sys.stderr)
    with Progress(
        SpinnerColumn(),
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(label, total=total)
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
    from rich.console import Console  # noqa: PLC0415 - see print_table

    console = Console(file=file, highlight=False)  # type: ignore[arg-type]  # a text stream
    if not console.is_terminal:
        console.width = _UNWRAPPED
    return console
