"""What runs commands against DynamoDB Local, with a Java that only pretends: `make test-dynamodb` has the real one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from local import dynamodb_local
from local.dynamodb_local import NotStartedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERVES = """
echo "Initializing"
echo "port 4711"
cat > /dev/null
echo ended > ended
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a shell script the only Java there is, and install a jar that it need not read."""
    monkeypatch.setattr(dynamodb_local, "JARS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DynamoDBLocal-0.jar").touch()

    def write(script: str) -> None:
        (tmp_path / "java").write_text(f"#!/bin/sh\n{script}")
        (tmp_path / "java").chmod(0o755)

    return write


def test_a_command_finds_it_and_its_status_is_given(java: Callable[[str], None], tmp_path: Path) -> None:
    """The address is in its environment; afterwards the server is told to end."""
    java(SERVES)
    check = "import os, sys; sys.exit(os.environ['AWS_ENDPOINT_URL_DYNAMODB'] == 'http://127.0.0.1:4711' and 7)"

    assert 7 == dynamodb_local.main([sys.executable, "-c", check])
    assert "ended\n" == (tmp_path / "ended").read_text()


def test_a_server_that_ends_at_once_is_said_with_its_own_words(java: Callable[[str], None]) -> None:
    """Nobody waits for a port that will never come."""
    java("echo 'no such class'")

    with pytest.raises(NotStartedError, match="no such class"), dynamodb_local.running(dynamodb_local.JARS):
        pass


def test_what_is_missing_is_said(
    java: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that installs it."""
    java(SERVES)
    (tmp_path / "DynamoDBLocal-0.jar").unlink()

    assert 1 == dynamodb_local.main(["true"])
    assert "make .dynamodb-local/.installed" in capsys.readouterr().err


def test_without_a_command_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """As a wrong call."""
    assert 2 == dynamodb_local.main([])
    assert "python -m local.dynamodb_local COMMAND" in capsys.readouterr().out
