"""Terminal output and input: tables, questions and progress. Escape sequences in stored names are made harmless."""

from __future__ import annotations

import getpass
import io
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

_UNWRAPPED = 100_000
"""Width without a terminal: output for grep and awk is never wrapped."""
_GAP = 2
_BLOCK_INDENT = 4
_LEAST_TEXT = 12
"""Cells of a text that is cut off."""


def printable(text: str) -> str:
    """Return a text with its unprintable characters, such as terminal escape sequences, written as escapes."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: its first line.
        is_text: whether its cells may be cut off, unlike ids, which may be copied.
        is_extra: whether a narrow terminal does without it.
    """

    heading: str
    is_text: bool = False
    is_extra: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[object]], nothing: str) -> None:
    """Print a table with a heading, as wide as the terminal: extra columns, the last first, are left out of it.

    Args:
        columns: from left to right.
        rows: of cells.
        nothing: the line that is printed instead of a table without rows.

    Raises:
        ValueError: a row has more or fewer cells than the heading.
    """
    if not rows:
        print_line(nothing)
        return
    cells = [[_cell(value) for _, value in zip(columns, row, strict=True)] for row in rows]
    natural = [
        max(cell_len(text) for text in [column.heading, *(row[index] for row in cells)])
        for index, column in enumerate(columns)
    ]
    widths = _fitted(columns, natural, width())
    _print_row([column.heading for column in columns], widths)
    _print_row(["-" * each for each in natural], widths, cut="-")
    for row in cells:
        _print_row(row, widths)


def _fitted(columns: Sequence[Column], natural: Sequence[int], available: int) -> dict[int, int]:
    """Return the width of each column that is shown."""
    least = [
        min(full, max(_LEAST_TEXT, len(column.heading))) if column.is_text else full
        for column, full in zip(columns, natural, strict=True)
    ]
    shown = list(range(len(columns)))
    for index in reversed(range(len(columns))):
        if columns[index].is_extra and sum(least[each] + _GAP for each in shown) - _GAP > available:
            shown.remove(index)
    widths = {index: least[index] for index in shown}
    spare = available - sum(each + _GAP for each in widths.values()) + _GAP
    for index in shown:
        added = max(0, min(spare, natural[index] - widths[index]))
        widths[index] += added
        spare -= added
    return widths


def _print_row(cells: Sequence[str], widths: Mapping[int, int], cut: str = "\N{HORIZONTAL ELLIPSIS}") -> None:
    fitted = [_padded(cells[index], each, cut) for index, each in widths.items()]
    print((" " * _GAP).join(fitted).rstrip())  # noqa: T201 - the output of a command


def _padded(text: str, cells: int, cut: str) -> str:
    if cell_len(text) > cells:
        text = set_cell_size(text, cells - 1) + cut
    return text + " " * (cells - cell_len(text))


def print_fields(rows: Sequence[tuple[str, object]]) -> None:
    """Print the fields of one record, each on a line, or wrapped between words on a narrow terminal."""
    indent = max(len(name) for name, _ in rows) + _GAP
    for name, value in rows:
        first, *rest = _wrapped(_cell(value), width() - indent)
        print_line(f"{name:<{indent}}{first}")
        for line in rest:
            print_line(f"{'':<{indent}}{line}")


def print_block(heading: str, lines: Sequence[str]) -> None:
    """Print a record: on a terminal with indented lines, for other programs all on one line."""
    if width() == _UNWRAPPED:
        print_line("  ".join([heading, *lines]))
        return
    print_line(heading)
    for line in lines:
        for part in _wrapped(printable(line), width() - _BLOCK_INDENT):
            print_line(f"{'':<{_BLOCK_INDENT}}{part}")


def _wrapped(text: str, cells: int) -> list[str]:
    """Return the lines of a text; words, such as ids, are never broken."""
    if cell_len(text) <= cells:
        return [text]
    return wrap(text, max(cells, _LEAST_TEXT), break_long_words=False, break_on_hyphens=False) or [text]


def width() -> int:
    """Return the columns of the terminal; COLUMNS sets them. Output for other programs is neither cut nor wrapped."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return _UNWRAPPED


def print_line(text: str) -> None:
    """Print a line to standard output."""
    print(printable(text), flush=True)  # noqa: T201 - the output of a command


def print_error(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def escape_what_cannot_be_encoded() -> None:
    """Let a terminal of another encoding than UTF-8 show names as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_interactive() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin.isatty()


def ask(question: str) -> bool:
    """Ask a question on standard error; return whether the answer is yes."""
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def read_secret(prompt: str) -> str:
    """Read a line from standard input, without showing it if that is a terminal."""
    text = getpass.getpass(prompt, sys.stderr) if is_interactive() else sys.stdin.read()
    return text.strip()


def read_text() -> str:
    """Read standard input to its end, with replacements for what is not UTF-8."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    return sys.stdin.read()


def minute(moment: str | None) -> str | None:
    """Shorten a time of RFC 3339 in UTC to its minute, for tables."""
    return None if moment is None else f"{moment[:16]}Z"


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
        case list() | tuple() if not value:
            return "-"
        case list() | tuple():
            return ", ".join(map(printable, map(str, value)))
    return printable(str(value))


def _console(file: object) -> Console:
    from rich.console import Console  # noqa: PLC0415 - slow to import; most commands print a single line

    return Console(file=file, highlight=False)  # type: ignore[arg-type]  # a text stream
