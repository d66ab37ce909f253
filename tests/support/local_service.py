"""The local service in a process, as `make run` starts it, and a connection to a deployment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import Deployment
from tests.support.environment import CHEAP_ARGON2, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 60

ALLOWED_ORIGINS = ("https://admin.example.com", "https://app.example.com")
"""Of the local service; the origins of another deployment are unknown."""


def connected(stack_file: Path) -> Iterator[Deployment]:
    """Yield a deployment, and close its connections afterwards."""
    deployment = Deployment.read(stack_file)
    with deployment.client:
        yield deployment


@contextmanager
def local_service(directory: Path, **options: str) -> Iterator[Path]:
    """Run the local service in a process, as `make run` does with these options; yield its stack file."""
    with local_process(directory, **options) as (stack_file, _):
        yield stack_file


@contextmanager
def local_process(directory: Path, **options: str) -> Iterator[tuple[Path, int]]:
    """Run the same; yield its stack file and process id. At the end Ctrl-C must stop it with exit code 0."""
    stack_file, output = directory / "stack.json", directory / "output.txt"
    environment = {
        **os.environ,
        "PORT": "0",
        "STACK_FILE": str(stack_file),
        "PARAMETERS": json.dumps({**CHEAP_ARGON2, "AllowedOrigins": ",".join(ALLOWED_ORIGINS)}),
        **dict.fromkeys(("TEMPLATE", "EMPTY", "DEMO_TTL"), ""),
        **options,
    }
    # A file: a pipe that is not read during the tests would fill up and stop the service.
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "local"], cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_for(stack_file, process, output)
        yield stack_file, process.pid
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert 0 == process.wait(STOP_SECONDS), output.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_for(stack_file: Path, process: subprocess.Popen[bytes], output: Path) -> None:
    """Wait until the service answers, which it does once the stack file is there."""
    deadline = time.monotonic() + START_SECONDS
    while not stack_file.exists():
        if process.poll() is not None:
            pytest.fail(f"the local service ended with {process.returncode}:\n{output.read_text()}")
        if time.monotonic() > deadline:
            pytest.fail(f"the local service did not start within {START_SECONDS} seconds:\n{output.read_text()}")
        time.sleep(0.02)
