"""Writes the JSON Schemas of `--json` to docs/schemas/admin: `python -m admin.schemas`."""

from __future__ import annotations

import json
from pathlib import Path

from admin.output import SCHEMAS, json_schema_of

SCHEMAS_FOLDER = Path(__file__).parents[1] / "docs" / "schemas" / "admin"


def schema_text(name: str) -> str:
    """Return the content of a schema file."""
    return json.dumps(json_schema_of(name), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMAS_FOLDER.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        (SCHEMAS_FOLDER / f"{name}.json").write_text(schema_text(name), encoding="utf-8")
