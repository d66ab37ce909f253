"""Results of the benchmarks: tables on the terminal, and the report that docs/performance is written from."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks.budgets import COLUMNS, Budget
from benchmarks.measuring import percentiles
from local.options import ROOT
from tools import readable_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Cell = str | int | float | None

REPORT = ROOT / "benchmarks" / "report.json"
QUICK_REPORT = ROOT / ".bench" / "quick-report.json"
SAMPLES = ROOT / ".bench" / "samples"
"""The folder of what was measured in each round, which is not committed."""
_DIGITS = 4
_WIDTH = 400
"""Room for every row of a table on a line."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of results."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A picture of values as bars.

    Attributes:
        values: name and value of each bar, and whether it is Keywright's; the first is at the top.
    """

    title: str
    unit: str
    values: list[tuple[str, float, bool]]


@dataclass(frozen=True, slots=True)
class Curves:
    """A picture of values that depend on another value, both on logarithmic scales.

    Attributes:
        across: what the horizontal axis shows.
        up: what the vertical axis shows.
        expected: the points of a line to compare with, and its name.
        lines: name and points of each line, and whether it is Keywright's.
    """

    title: str
    across: str
    up: str
    expected: tuple[str, list[tuple[float, float]]]
    lines: list[tuple[str, list[tuple[float, float]], bool]]


@dataclass(slots=True)
class Section:
    """A section of the report.

    Attributes:
        notes: explanations of the numbers.
        failures: what could not be measured, and why.
        pictures: by the name of the file.
        samples: what was measured in each round.
    """

    name: str
    title: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    pictures: dict[str, Bars | Curves] = field(default_factory=dict)
    samples: Any = None


def percentile_table(title: str, calls: Mapping[str, Sequence[float]], unit: str, per_second: float) -> Table:
    """Return the table of how single calls are distributed.

    Args:
        title: of the table.
        calls: seconds of each call, by the name of the row; rows without calls are left out.
        unit: of the table, for example us.
        per_second: units in a second.
    """
    rows: list[tuple[Cell, ...]] = [
        (name, len(taken), *(value * per_second for value in percentiles(taken)))
        for name, taken in calls.items()
        if taken
    ]
    columns = ("what", "calls", f"p50 {unit}", f"p90 {unit}", f"p99 {unit}", f"maximum {unit}")
    return Table(title, columns, rows)


def machine() -> dict[str, object]:
    """Describe the machine that was measured on."""
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def write_report(path: Path, sections: Sequence[Section]) -> None:
    """Write sections to the report, with rounded numbers. Other sections stay, with their time and machine."""
    entries = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for section in sections:
        entry = asdict(replace(section, budgets=[], samples=None))
        entry["budgets"] = [{"name": budget.limit.title, "value": budget.value} for budget in section.budgets]
        kept = {name: value for name, value in entry.items() if name != "name" and value}
        entries[section.name] = {"made_at": now, "machine": machine(), **_rounded(kept)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(readable_json.dumps(entries, width=_WIDTH), encoding="utf-8")


def write_samples(folder: Path, section: Section) -> None:
    """Write what a section measured in each round."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{section.name}.json").write_text(json.dumps(section.samples), encoding="utf-8")


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{_DIGITS}g}")
        case dict():
            return {name: _rounded(entry) for name, entry in value.items()}
        case list() | tuple():
            return [_rounded(entry) for entry in value]
        case _:
            return value


def median_run(runs: Sequence[Section]) -> Section:
    """Return the run with the median of the first budget, with the median of each budget and a table of all runs.

    Args:
        runs: of the same part, an odd number. One with a failure is returned as it is.
    """
    failed = next((run for run in runs if run.failures), None)
    if failed is not None:
        return failed
    values = [[budget.value for budget in budgets] for budgets in zip(*(run.budgets for run in runs), strict=True)]
    medians = [statistics.median(of_budget) for of_budget in values]
    chosen = next(run for run in runs if run.budgets[0].value == medians[0])
    limits = [budget.limit for budget in chosen.budgets]
    rows = [
        (limit.title, *of_budget, f"{(max(of_budget) - min(of_budget)) / median:.1%}")
        for limit, of_budget, median in zip(limits, values, medians, strict=True)
    ]
    columns = ("what", *(f"run {number}" for number in range(1, len(runs) + 1)), "spread")
    title = "All runs, each in a new process; a budget is judged by the median, and the other tables are of one run"
    return replace(
        chosen,
        tables=[Table(title, columns, rows), *chosen.tables],
        budgets=[Budget(limit, median) for limit, median in zip(limits, medians, strict=True)],
        samples=[run.samples for run in runs],
    )


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


def show_budgets(measured: Sequence[Budget]) -> None:
    """Print every budget, and whether it is met."""
    print("\nBudgets\n=======\n")
    for line in _lines([COLUMNS, *(budget.row for budget in measured)]):
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
