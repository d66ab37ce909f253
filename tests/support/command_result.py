"""The result of a command of the operator's command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jsonschema

from tools.admin_schemas import SCHEMAS_FOLDER

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in SCHEMAS_FOLDER.glob("*.json")}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    output: str
    errors: str

    def failure(self, code: int) -> str:
        """Return the single line on standard error of a failed command, without its prefix."""
        assert code == self.code, self.errors
        assert "" == self.output, self.errors
        assert 1 == self.errors.count("\n")
        assert self.errors.startswith("keywright-admin: ")
        return self.errors.removeprefix("keywright-admin: ").rstrip("\n")

    def text(self) -> str:
        """Return the standard output of a command that succeeded."""
        assert 0 == self.code
        assert "" == self.errors
        return self.output

    def json(self, schema: str, code: int = 0) -> dict[str, Any]:
        """Return the JSON output of a command that ended with a code, validated against its published schema."""
        assert code == self.code
        assert "" == self.errors
        assert 1 == self.output.count("\n")
        content: dict[str, Any] = json.loads(self.output)
        jsonschema.validate(content, SCHEMAS[schema], format_checker=jsonschema.FormatChecker())
        return content
