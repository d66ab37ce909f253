"""Runs a command against DynamoDB Local, AWS's own emulator: `python -m local.dynamodb_local COMMAND...`.

The command, and everything that it starts, finds it by AWS_ENDPOINT_URL_DYNAMODB. It listens on the loopback interface
alone, keeps everything in memory and ends with the command. `make .dynamodb-local/.installed` brings it.
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
    """DynamoDB Local cannot be started; the message says what to do."""


@contextmanager
def running(jars: Path) -> Iterator[str]:
    """Run DynamoDB Local as long as the context is open; give its address.

    It ends with its standard input, so it cannot outlive this process, whatever becomes of it.

    Raises:
        NotStartedError: it is not installed, or ends at once.
    """
    java = shutil.which("java")
    if java is None or not any(jars.glob("DynamoDBLocal-*.jar")):
        raise NotStartedError("DynamoDB Local is not installed; run: make .dynamodb-local/.installed")
    command = [java, "-Xmx1g", f"-Djava.library.path={jars}", "-cp", f"{jars}/*", str(LAUNCHER)]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin is not None, "it was asked for"  # noqa: S101
        assert process.stdout is not None, "the same"  # noqa: S101
        try:
            port = _port(process.stdout)
            # What nobody reads would fill the pipe, and stop it.
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
    raise NotStartedError(f"DynamoDB Local ended before it began:\n{''.join(lines)}")


def main(command: list[str]) -> int:
    """Run a command; its exit status, 2 without one, 1 if DynamoDB Local does not start."""
    if not command:
        print(__doc__)
        return 2
    try:
        with running(JARS) as url:
            # The command's own business, Ctrl-C included: it ends, and so does this.
            return subprocess.run(command, env={**os.environ, DYNAMODB_ENDPOINT: url}, check=False).returncode  # noqa: S603
    except NotStartedError as error:
        print(f"keywright: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
