"""The AWS emulator, ministack: one process for CloudFormation, API Gateway, Lambda and the rest."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from local import backend
from local.intrinsics import REGION
from local.options import ROOT
from local.server import HOST, port_of, reserve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = ROOT / ".venv-e2e" / "bin" / "python"
"""The interpreter of the emulator, which runs the functions with it as well."""

SERVICES = ("DYNAMODB", "EVENTBRIDGE", "SECRETS_MANAGER", "SQS", "S3")
"""Those that functions call."""

START_SECONDS = 60
STOP_SECONDS = 15
_STARTS = 3
_LOG = "ministack.log"


class NotStartedError(Exception):
    """The emulator does not start; the message holds its output."""


@contextmanager
def running(directory: Path, **settings: str) -> Iterator[int]:
    """Run the emulator on a free port of the loopback interface while the context is open; yield the port.

    Args:
        directory: for its log and its temporary files, some of which it never removes.
        settings: additional environment variables of the emulator.

    Raises:
        NotStartedError: it does not start.
    """
    for _ in range(_STARTS):
        listener = reserve(0)
        port = port_of(listener)
        listener.close()  # another process may take the port now; then the next port is tried
        with (directory / _LOG).open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - a fixed command
                [PYTHON, "-m", "ministack"],
                cwd=directory,
                env={**_environment(port, directory), **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            if _is_up(process, port):
                yield port
                return
        finally:
            _stop(process)
    raise NotStartedError(f"ministack does not start:\n{log(directory)}")


def log(directory: Path) -> str:
    """Return the emulator's log, with the functions' logs; empty if it has not run."""
    try:
        return (directory / _LOG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _environment(port: int, directory: Path) -> dict[str, str]:
    # The functions inherit this environment, except for the template's variables.
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    backend.isolate(variables)
    # ministack's own AWS_ENDPOINT_URL gives way to the template's, which is empty.
    endpoints = {f"AWS_ENDPOINT_URL_{service}": f"http://{HOST}:{port}" for service in SERVICES}
    return {
        **variables,
        **endpoints,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(directory),
        "S3_DATA_DIR": str(directory / "s3"),
        "LAMBDA_EXECUTOR": "local",
    }


def _is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, timeout=START_SECONDS) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                return client.get(f"http://{HOST}:{port}/_ministack/health").is_success
            except httpx.TransportError:
                time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
