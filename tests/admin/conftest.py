"""The command line, run in this process on a table in moto."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from keywright_admin.command_line import main
from local import demo
from tests.support.command_result import CommandResult
from tests.support.environment import new_container
from tests.support.published_events import invalid_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.world import Table, World


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., CommandResult]:
    """Return a function that runs a command as a new process would, without state from the one before."""
    monkeypatch.delenv("COLUMNS", raising=False)  # whoever runs the tests may have a terminal

    def run_command(*arguments: str) -> CommandResult:
        new_container()
        capsys.readouterr()
        with mock.patch.dict(os.environ):
            code = main(arguments)
        captured = capsys.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def table(world: World) -> Iterator[Table]:
    """Return a table with the demo organizations and a member for every persona.

    The event of each audit record that the test's commands write is as the published schema says.
    """
    for item in demo.demo_items(datetime.now(UTC)):
        world.table.put(**item)
    yield world.table
    assert [] == invalid_events(world.table.items())
