"""The command line in this process, on a table of the test's own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import jsonschema
import pytest

from admin.command_line import main
from admin.schemas import FOLDER
from local import demo
from tests.conftest import new_container

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import Table, World

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    errors: str

    def failed(self, code: int) -> str:
        """Give the one line of a failure; nothing was answered."""
        assert (code, "") == (self.code, self.output), self.errors
        assert 1 == self.errors.count("\n")
        assert self.errors.startswith("keywright-admin: ")
        return self.errors.removeprefix("keywright-admin: ").rstrip("\n")

    def said(self) -> str:
        """Give what was said of a success."""
        assert (0, "") == (self.code, self.errors)
        return self.output

    def answered(self, schema: str) -> dict[str, Any]:
        """Give the answer in JSON, which is one line and as its schema says."""
        assert (0, "") == (self.code, self.errors)
        assert 1 == self.output.count("\n")
        content: dict[str, Any] = json.loads(self.output)
        jsonschema.validate(content, SCHEMAS[schema], format_checker=jsonschema.FormatChecker())
        return content


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command as a new process would: nothing of the one before is remembered, nor does its environment stay."""

    def run_command(*arguments: str) -> Ended:
        new_container()
        capsys.readouterr()
        with mock.patch.dict(os.environ):
            code = main(arguments)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def table(world: World) -> Table:
    """The demo organizations, with a persona of every kind."""
    demo.write(world.table.client, world.table.name)
    return world.table
