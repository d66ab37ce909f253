"""Updates docs/performance.md, docs/performance/report.md and their pictures from the last report: `make bench-report`.

Tables are written between `<!-- section -->` and `<!-- /section -->`; other text is not changed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks import environments
from benchmarks.report import format_cell
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_DRAWING = ROOT / "benchmarks" / "drawing"
_REPORT = ROOT / "benchmarks" / "report.json"
_PICTURES = ROOT / "docs" / "performance"
_DOCUMENTS = (ROOT / "docs" / "performance.md", _PICTURES / "report.md")


def main() -> int:
    """Write the tables and draw the pictures; return 0, 1 without matplotlib, or 2 without a report."""
    if not _REPORT.is_file():
        print("no report: run make bench")
        return 2
    report = json.loads(_REPORT.read_text(encoding="utf-8"))
    for document in _DOCUMENTS:
        document.write_text(fill_tables(document.read_text(encoding="utf-8"), report), encoding="utf-8")
    try:
        python = environments.python("drawing", _DRAWING / "requirements.txt")
    except environments.NotInstalledError as error:
        print(f"cannot install matplotlib: {error}")
        return 1
    return subprocess.call([str(python), str(_DRAWING / "draw.py"), str(_REPORT), str(_PICTURES)])  # noqa: S603


def fill_tables(document: str, report: dict[str, Any]) -> str:
    """Return a document with the tables of a report. Sections that are not in the report stay unchanged."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        lines = list(_budgets(report) if name == "budgets" else _section(report["sections"].get(name)))
        return match[0] if not lines else "\n".join((f"<!-- {name} -->", *lines, f"<!-- /{name} -->"))

    return re.sub(r"<!-- (?P<name>[a-z_]+) -->\n.*?<!-- /(?P=name) -->", fill, document, flags=re.DOTALL)


def _budgets(report: dict[str, Any]) -> Iterator[str]:
    rows = [(b["name"], b["value"], b["limit"], "met" if b["met"] else "missed") for b in report["budgets"]]
    yield from _table(("budget", "measured", "limit", ""), rows)


def _section(section: dict[str, Any] | None) -> Iterator[str]:
    if section is None:
        return
    machine = section["machine"]
    kind = "a quick run" if section["is_quick"] else "a full run"
    yield (
        f"*Measured {section['made_at'][:10]}, {kind}, on {machine['processors']} {machine['architecture']} processors,"
        f" Python {machine['python']}, load {machine['load'][0]:g}.*"
    )
    for table in section["tables"]:
        yield ""
        yield f"{table['title']}:"
        yield ""
        yield from _table(table["columns"], table["rows"])
    for note in section["notes"]:
        yield ""
        yield note
    for failure in section["failures"]:
        yield ""
        yield f"Not measured: {failure}"


def _table(columns: Any, rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
    for row in rows:
        yield f"| {' | '.join(format_cell(cell).replace('|', ' ') for cell in row)} |"


if __name__ == "__main__":
    sys.exit(main())
