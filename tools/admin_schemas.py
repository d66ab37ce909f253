"""The JSON Schemas of `--json`, in docs/schemas/admin; `make generate` writes them."""

from __future__ import annotations

from pathlib import Path

from keywright_admin.output import json_schema_of
from tools import readable_json

SCHEMAS_FOLDER = Path(__file__).parents[1] / "docs" / "schemas" / "admin"


def schema_text(name: str) -> str:
    """Return the content of a schema file."""
    return readable_json.dumps(json_schema_of(name))
