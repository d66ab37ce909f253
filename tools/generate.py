"""Write every computed file and every computed part of one: `make generate`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import pictures
from keywright.domain.audit_event import AuditEvent
from keywright.organizations.events import json_schema
from keywright_admin.output import SCHEMAS
from openapi import document
from tools import cost_tables, errors, event_schemas, figures, readable_json, reference, terminal
from tools.admin_schemas import SCHEMAS_FOLDER, schema_text

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
_PERFORMANCE = ROOT / "docs" / "performance"


def files() -> dict[Path, Callable[[str], str]]:
    """Return what writes each file, but for the picture of the first run: a function of its present text."""
    report, description = pictures.report(), document.describe(ROOT)
    fill_tables = partial(pictures.fill_tables, measured=report)
    return {
        errors.TEMPLATE: errors.with_responses,
        errors.GUIDE: errors.with_table,
        reference.ERRORS: reference.with_entries,
        reference.GUIDE_HTML: lambda _: reference.guide(reference.GUIDE.read_text(encoding="utf-8")),
        reference.ERRORS_HTML: lambda _: reference.errors(reference.ERRORS.read_text(encoding="utf-8")),
        cost_tables.GUIDE: cost_tables.with_tables,
        figures.PAGE: figures.with_figures,
        ROOT / "docs" / "performance.md": fill_tables,
        _PERFORMANCE / "report.md": fill_tables,
        **{_PERFORMANCE / f"{name}.svg": _always(text) for name, text in pictures.pictures(report).items()},
        ROOT / "docs" / "openapi.json": _always(document.text(description)),
        ROOT / "functions" / "get_openapi" / "openapi.json": _always(document.served(description)),
        ROOT / "docs" / "schemas" / "organization-event.json": _always(readable_json.dumps(json_schema())),
        **{SCHEMAS_FOLDER / f"{name}.json": _always(schema_text(name)) for name in SCHEMAS},
        **{
            event_schemas.EVENTS_FOLDER / f"{event}.json": _always(event_schemas.schema_text(event))
            for event in AuditEvent
        },
    }


def _always(text: str) -> Callable[[str], str]:
    return lambda _: text


def main() -> int:
    """Write the files that change, and name them; return 0."""
    for path, write in files().items():
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        after = write(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    terminal.PICTURE.write_text(terminal.draw_terminal(terminal.record()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
