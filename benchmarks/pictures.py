"""The tables and pictures of docs/performance, from benchmarks/report.json; `make generate` writes them.

Tables are between `<!-- section -->` and `<!-- /section -->`; other text is not changed.
"""

from __future__ import annotations

import json
import math
import re
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING, Any

from benchmarks import summary
from benchmarks.budgets import COLUMNS, budgets
from benchmarks.report import REPORT, Bars, Curves, format_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 800
_LINE_PIXELS = 24
_BAR_PIXELS = 16
_CHARACTER_PIXELS = 6.6
_VALUE_PIXELS = 70
_WIDE_RANGE = 30
_OURS, _OTHERS = "#1f6f8b", "#b8b8b8"
_EXPECTED = "#222"
_OTHER_CURVES = ("#b8b8b8", "#d08a3c", "#7a7a7a")
_AXIS_PIXELS = 60
_PLOT_PIXELS = 320
_TICKS = (0.1, 0.25, 0.5, 1, 2, 5, 10)


def report() -> dict[str, Any]:
    """Return the report of the last run."""
    content: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return content


def fill_tables(document: str, measured: dict[str, Any]) -> str:
    """Return a document with the tables of a report. Sections that are not in the report stay unchanged."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        written = {"budgets": _budgets, "summary": _summary}
        lines = list(written[name](measured) if name in written else _section(measured.get(name)))
        return match[0] if not lines else "\n".join((f"<!-- {name} -->", *lines, f"<!-- /{name} -->"))

    return re.sub(r"<!-- (?P<name>[a-z_]+) -->\n.*?<!-- /(?P=name) -->", fill, document, flags=re.DOTALL)


def pictures(measured: dict[str, Any]) -> dict[str, str]:
    """Return the pictures of a report as SVG, by the names of their files."""
    return {
        name: draw_curves(Curves(**picture)) if "lines" in picture else draw(Bars(**picture))
        for section in measured.values()
        for name, picture in section.get("pictures", {}).items()
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
    lines = _begin(height, f"{bars.title} ({unit})")
    for place, (name, number, is_ours) in enumerate(bars.values, 1):
        y = place * _LINE_PIXELS + 8
        lines.append(
            f'<text class="name" x="{left - 6}" y="{y + 12}">{escape(name)}</text>'
            f'<rect x="{left}" y="{y}" width="{length(number)}" height="{_BAR_PIXELS}"'
            f' fill="{_OURS if is_ours else _OTHERS}"/>'
            f'<text x="{left + length(number) + 5:.1f}" y="{y + 12}">{format_cell(float(number))}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def draw_curves(curves: Curves) -> str:
    """Return curves as SVG, with logarithmic scales: an entry a line above them says which is which."""
    lines = [(*curves.expected, _EXPECTED), *((name, points, color) for (name, points, _), color in _colored(curves))]
    everything = [point for _, points, _ in lines for point in points]
    top = (len(lines) + 2) * _LINE_PIXELS
    across = _Axis([x for x, _ in everything], _AXIS_PIXELS, _WIDTH - _VALUE_PIXELS)
    up = _Axis([y for _, y in everything], top + _PLOT_PIXELS, top)
    drawn = _begin(top + _PLOT_PIXELS + 2 * _LINE_PIXELS, curves.title)
    drawn.append(
        "<style>.axis { stroke: #e4e4e4 } .line { fill: none; stroke-width: 2 } .tick { text-anchor: middle }</style>"
    )
    for number in across.ticks:
        x = across.place(number)
        drawn.append(
            f'<path class="axis" d="M {x} {top} V {top + _PLOT_PIXELS}"/>'
            f'<text class="tick" x="{x}" y="{top + _PLOT_PIXELS + 16}">{number:g}</text>'
        )
    for number in up.ticks:
        y = up.place(number)
        drawn.append(
            f'<path class="axis" d="M {_AXIS_PIXELS} {y} H {_WIDTH - _VALUE_PIXELS}"/>'
            f'<text class="name" x="{_AXIS_PIXELS - 6}" y="{y + 4}">{number:g}</text>'
        )
    for place, (name, points, color) in enumerate(lines, 1):
        y = place * _LINE_PIXELS + 8
        dashes = ' stroke-dasharray="6 4"' if color == _EXPECTED else ""
        path = " L ".join(f"{across.place(x)} {up.place(y)}" for x, y in points)
        drawn.append(
            f'<path class="line" stroke="{color}"{dashes} d="M 4 {y} H 34"/>'
            f'<text x="42" y="{y + 4}">{escape(name)}</text>'
            f'<path class="line" stroke="{color}"{dashes} d="M {path}"/>'
        )
        if color != _EXPECTED:
            drawn += [f'<circle cx="{across.place(x)}" cy="{up.place(y)}" r="4" fill="{color}"/>' for x, y in points]
    middle = (_AXIS_PIXELS + _WIDTH - _VALUE_PIXELS) / 2
    drawn.append(f'<text class="tick" x="{middle}" y="{top + _PLOT_PIXELS + 36}">{escape(curves.across)}</text>')
    drawn.append(
        f'<text class="tick" transform="translate(14 {top + _PLOT_PIXELS / 2}) rotate(-90)">{escape(curves.up)}</text>'
    )
    return "\n".join([*drawn, "</svg>", ""])


class _Axis:
    """A logarithmic scale from one pixel to another.

    Args:
        numbers: to place.
        first: the pixel of the least one.
        last: the pixel of the largest one.
    """

    def __init__(self, numbers: list[float], first: float, last: float) -> None:
        self._least, self._largest = min(numbers), max(numbers)
        self._first, self._last = first, last
        self.ticks = [number for number in _TICKS if self._least <= number <= self._largest]

    def place(self, number: float) -> float:
        """Return the pixel of a number."""
        share = math.log(number / self._least) / math.log(self._largest / self._least)
        return round(self._first + share * (self._last - self._first), 1)


def _colored(curves: Curves) -> Iterator[tuple[tuple[str, list[tuple[float, float]], bool], str]]:
    others = cycle(_OTHER_CURVES)
    for line in curves.lines:
        yield line, _OURS if line[2] else next(others)


def _begin(height: int, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<style>text { font: 12px sans-serif; fill: #222 } .name { text-anchor: end }</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="4" y="16">{escape(title)}</text>',
    ]


def _budgets(measured: dict[str, Any]) -> Iterator[str]:
    yield from _table(COLUMNS, [budget.row for budget in budgets(measured)])


def _summary(measured: dict[str, Any]) -> Iterator[str]:
    yield from _table(summary.COLUMNS, summary.lines(measured))


def _section(section: dict[str, Any] | None) -> Iterator[str]:
    if section is None:
        return
    machine = section["machine"]
    yield (
        f"*Measured {section['made_at'][:10]} on {machine['processors']} {machine['architecture']} processors,"
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
