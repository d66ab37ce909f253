"""The tables and pictures of docs/performance, from benchmarks/report.json; `make generate` writes them.

Tables are between `<!-- section -->` and `<!-- /section -->`; other text is not changed.
"""

from __future__ import annotations

import json
import math
import re
from html import escape
from typing import TYPE_CHECKING, Any

from benchmarks.report import REPORT, Bars, budgets, format_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 800
_LINE_PIXELS = 24
_BAR_PIXELS = 16
_CHARACTER_PIXELS = 6.6
_VALUE_PIXELS = 70
_WIDE_RANGE = 30
_OURS, _OTHERS = "#1f6f8b", "#b8b8b8"


def report() -> dict[str, Any]:
    """Return the report of the last run."""
    content: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return content


def fill_tables(document: str, measured: dict[str, Any]) -> str:
    """Return a document with the tables of a report. Sections that are not in the report stay unchanged."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        lines = list(_budgets(measured) if name == "budgets" else _section(measured.get(name)))
        return match[0] if not lines else "\n".join((f"<!-- {name} -->", *lines, f"<!-- /{name} -->"))

    return re.sub(r"<!-- (?P<name>[a-z_]+) -->\n.*?<!-- /(?P=name) -->", fill, document, flags=re.DOTALL)


def pictures(measured: dict[str, Any]) -> dict[str, str]:
    """Return the pictures of a report as SVG, by the names of their files."""
    return {
        name: draw(Bars(**bars)) for section in measured.values() for name, bars in section.get("pictures", {}).items()
    }


def draw(bars: Bars) -> str:
    """Return bars as SVG, a bar a line, with a logarithmic scale for a wide range of values."""
    left = round(max(len(name) for name, _, _ in bars.values) * _CHARACTER_PIXELS) + 10
    numbers = [number for _, number, _ in bars.values]
    is_logarithmic = max(numbers) > _WIDE_RANGE * min(numbers)
    least = min(numbers) / 2

    def length(number: float) -> float:
        share = math.log(number / least) / math.log(max(numbers) / least) if is_logarithmic else number / max(numbers)
        return round(share * (_WIDTH - left - _VALUE_PIXELS), 1)

    height = (len(numbers) + 2) * _LINE_PIXELS
    unit = f"{bars.unit}, logarithmic" if is_logarithmic else bars.unit
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<style>text { font: 12px sans-serif; fill: #222 } .name { text-anchor: end }</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="4" y="16">{escape(f"{bars.title} ({unit})")}</text>',
    ]
    for place, (name, number, is_ours) in enumerate(bars.values, 1):
        y = place * _LINE_PIXELS + 8
        lines.append(
            f'<text class="name" x="{left - 6}" y="{y + 12}">{escape(name)}</text>'
            f'<rect x="{left}" y="{y}" width="{length(number)}" height="{_BAR_PIXELS}"'
            f' fill="{_OURS if is_ours else _OTHERS}"/>'
            f'<text x="{left + length(number) + 5:.1f}" y="{y + 12}">{format_cell(float(number))}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _budgets(measured: dict[str, Any]) -> Iterator[str]:
    rows = [(budget.name, budget.value, budget.limit, budget.verdict) for budget in budgets(measured)]
    yield from _table(("budget", "measured", "limit", ""), rows)


def _section(section: dict[str, Any] | None) -> Iterator[str]:
    if section is None:
        return
    machine = section["machine"]
    kind = "a quick run" if section["is_quick"] else "a full run"
    yield (
        f"*Measured {section['made_at'][:10]}, {kind}, on {machine['processors']} {machine['architecture']} processors,"
        f" Python {machine['python']}, load {machine['load']:g}.*"
    )
    for table in section.get("tables", []):
        yield ""
        yield f"{table['title']}:"
        yield ""
        yield from _table(table["columns"], table["rows"])
    for note in section.get("notes", []):
        yield ""
        yield note
    for failure in section.get("failures", []):
        yield ""
        yield f"Not measured: {failure}"


def _table(columns: Any, rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
    for row in rows:
        yield f"| {' | '.join(format_cell(cell).replace('|', ' ') for cell in row)} |"
