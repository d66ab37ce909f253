"""Results of the benchmarks: tables on the terminal, and a JSON report."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of results."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Budget:
    """A result with an upper limit."""

    name: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether the result is within its limit."""
        return self.value <= self.limit

    def as_json(self) -> dict[str, object]:
        """Return the budget as in the report."""
        return {"name": self.name, "value": self.value, "limit": self.limit, "met": self.met}


@dataclass(slots=True)
class Section:
    """A section of the report.

    Attributes:
        notes: explanations of the numbers.
        failures: what could not be measured, and why.
        data: data for pictures, beyond the tables.
    """

    name: str
    title: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def machine() -> dict[str, object]:
    """Describe the machine that was measured on."""
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def write_report(path: Path, sections: Sequence[Section], *, is_quick: bool) -> None:
    """Write sections to the report. Other sections stay, with their time and machine."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    entries = before.get("sections", {})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for section in sections:
        entry = asdict(section)
        entry["budgets"] = [budget.as_json() for budget in section.budgets]
        entries[section.name] = {"made_at": now, "is_quick": is_quick, "machine": machine(), **entry}
    budgets = [budget for entry in entries.values() for budget in entry["budgets"]]
    path.write_text(json.dumps({"budgets": budgets, "sections": entries}, indent=1) + "\n", encoding="utf-8")


def show(section: Section) -> None:
    """Print a section."""
    print(f"\n{section.title}\n{'=' * len(section.title)}")
    for table in section.tables:
        print(f"\n{table.title}")
        for line in _lines([table.columns, *table.rows]):
            print(f"  {line}")
    for note in section.notes:
        print(f"\n  {note}")
    for failure in section.failures:
        print(f"\n  NOT MEASURED: {failure}")
    sys.stdout.flush()


def show_budgets(budgets: Sequence[Budget]) -> None:
    """Print every budget, and whether it is met."""
    print("\nBudgets\n=======\n")
    rows = [(b.name, b.value, b.limit, "met" if b.met else "MISSED") for b in budgets]
    for line in _lines([("what", "measured", "limit", ""), *rows]):
        print(f"  {line}")


def _lines(rows: Sequence[Sequence[Cell]]) -> Iterable[str]:
    texts = [[format_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    is_number = [all(not isinstance(row[column], str) for row in rows[1:]) for column in range(len(widths))]
    for row in texts:
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, is_number, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def format_cell(value: Cell) -> str:
    """Return the text of a cell; numbers have three significant digits."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - three digits are enough
    return f"{value:,}" if isinstance(value, int) else value
