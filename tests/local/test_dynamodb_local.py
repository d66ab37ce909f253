"""Running commands with DynamoDB Local. Java is replaced by a script; `make test-dynamodb` runs the real one."""

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
    """Return a function that replaces Java by a shell script. The jar is empty."""
    monkeypatch.setattr(dynamodb_local, "JARS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DynamoDBLocal-0.jar").touch()

    def write(script: str) -> None:
        (tmp_path / "java").write_text(f"#!/bin/sh\n{script}")
        (tmp_path / "java").chmod(0o755)

    return write


def test_command(java: Callable[[str], None], tmp_path: Path) -> None:
    """The command has the endpoint in its environment; its status is returned, and the server ends."""
    java(SERVES)
    check = "import os, sys; sys.exit(os.environ['AWS_ENDPOINT_URL_DYNAMODB'] == 'http://127.0.0.1:4711' and 7)"

    assert 7 == dynamodb_local.main([sys.executable, "-c", check])
    assert "ended\n" == (tmp_path / "ended").read_text()


def test_server_that_fails_to_start(java: Callable[[str], None]) -> None:
    """The error of a server that fails to start has its output."""
    java("echo 'no such class'")

    with pytest.raises(NotStartedError, match="no such class"), dynamodb_local.run_server(dynamodb_local.JARS):
        pass


def test_not_installed(java: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an installation, the message has the command that installs it."""
    java(SERVES)
    (tmp_path / "DynamoDBLocal-0.jar").unlink()

    assert 1 == dynamodb_local.main(["true"])
    assert "make .dynamodb-local/.installed" in capsys.readouterr().err


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the usage is printed, with exit status 2."""
    assert 2 == dynamodb_local.main([])
    assert "python -m local.dynamodb_local COMMAND" in capsys.readouterr().out
