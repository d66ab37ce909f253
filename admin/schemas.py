"""`python -m admin.schemas` writes the JSON Schemas of `--json` anew, into docs/schemas/admin."""

from __future__ import annotations

import json
from pathlib import Path

from admin.answers import SCHEMAS, schema

FOLDER = Path(__file__).parents[1] / "docs" / "schemas" / "admin"


def text(name: str) -> str:
    """Give the text of a schema's file."""
    return json.dumps(schema(name), indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")
