"""The command line, run in this process on a table in moto."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import jsonschema
import pytest

from admin.command_line import main
from admin.schemas import SCHEMAS_FOLDER
from local import demo
from tests.support.environment import new_container

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Table, World

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in SCHEMAS_FOLDER.glob("*.json")}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    output: str
    errors: str

    def failure(self, code: int) -> str:
        """Return the single line on standard error of a failed command, without its prefix."""
        assert (code, "") == (self.code, self.output), self.errors
        assert 1 == self.errors.count("\n")
        assert self.errors.startswith("keywright-admin: ")
        return self.errors.removeprefix("keywright-admin: ").rstrip("\n")

    def text(self) -> str:
        """Return the standard output of a command that succeeded."""
        assert (0, "") == (self.code, self.errors)
        return self.output

    def json(self, schema: str) -> dict[str, Any]:
        """Return the JSON output of a command that succeeded, after validating it against its published schema."""
        assert (0, "") == (self.code, self.errors)
        assert 1 == self.output.count("\n")
        content: dict[str, Any] = json.loads(self.output)
        jsonschema.validate(content, SCHEMAS[schema], format_checker=jsonschema.FormatChecker())
        return content


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Return a function that runs a command as a new process would, without state from the one before."""

    def run_command(*arguments: str) -> CommandResult:
        new_container()
        capsys.readouterr()
        with mock.patch.dict(os.environ):
            code = main(arguments)
        captured = capsys.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def table(world: World) -> Table:
    """Return a table with the demo organizations and a member for every persona."""
    demo.write_demo_data(world.table.client, world.table.name)
    return world.table
