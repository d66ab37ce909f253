"""Runs a command with DynamoDB Local, the emulator of AWS: `python -m local.dynamodb_local COMMAND...`.

The command and its child processes reach it through AWS_ENDPOINT_URL_DYNAMODB. DynamoDB Local listens on the loopback
interface only, keeps its data in memory and ends with the command. Install it with `make .dynamodb-local/.installed`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from local.backend import DYNAMODB_ENDPOINT
from local.options import ROOT
from local.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JARS = ROOT / ".dynamodb-local"
LAUNCHER = ROOT / "requirements" / "dynamodb-local" / "Loopback.java"

_PORT = "port "
_STOP_SECONDS = 10


class NotStartedError(Exception):
    """DynamoDB Local cannot be started; the message says how to fix it."""


@contextmanager
def run_server(jars: Path) -> Iterator[str]:
    """Run DynamoDB Local while the context is open; yield its URL.

    The server ends when its standard input closes, so it cannot outlive this process, even if this process is killed.

    Raises:
        NotStartedError: DynamoDB Local is not installed, or ended at once.
    """
    java = shutil.which("java")
    if java is None or not any(jars.glob("DynamoDBLocal-*.jar")):
        raise NotStartedError("DynamoDB Local is not installed; run: make .dynamodb-local/.installed")
    command = [java, "-Xmx1g", f"-Djava.library.path={jars}", "-cp", f"{jars}/*", str(LAUNCHER)]
    with subprocess.Popen(  # noqa: S603 - a fixed command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin is not None, "stdin is a pipe"  # noqa: S101
        assert process.stdout is not None, "stdout is a pipe"  # noqa: S101
        try:
            port = _port(process.stdout)
            # A full pipe would block the server.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield f"http://{HOST}:{port}"
        finally:
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(output: IO[str]) -> int:
    lines = []
    for line in output:
        if line.startswith(_PORT):
            return int(line.removeprefix(_PORT))
        lines.append(line)
    raise NotStartedError(f"DynamoDB Local ended before it was ready:\n{''.join(lines)}")


def main(command: list[str]) -> int:
    """Run a command and return its exit status; 2 without a command, 1 if DynamoDB Local does not start."""
    if not command:
        print(__doc__)
        return 2
    try:
        with run_server(JARS) as url:
            # Ctrl-C reaches the command too; its exit ends this process.
            return subprocess.run(command, env={**os.environ, DYNAMODB_ENDPOINT: url}, check=False).returncode  # noqa: S603
    except NotStartedError as error:
        print(f"keywright: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
