"""Fixtures of the HTTP suite: the deployment in `--stack`, or a local service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.backend import DYNAMODB_ENDPOINT
from tests.api.deployment import Deployment
from tests.support.environment import CHEAP_ARGON2, LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

HERE = Path(__file__).parent
START_SECONDS = 60
STOP_SECONDS = 60

ALLOWED_ORIGINS = ("https://admin.example.com", "https://app.example.com")
"""Of the local service; what another deployment allows is not known."""

_OF_THE_LOCAL_SERVICE = {"test_cors_allowed_origins.py", "test_roles.py", "test_usage_at_once.py"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what can only be said of a service whose parameters are known."""
    return True if collection_path.name in _OF_THE_LOCAL_SERVICE and config.getoption("--stack") else None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Open sockets, to this machine alone unless a deployment is named; what shares one table runs in one worker."""
    is_deployed = config.getoption("--stack")
    markers = [pytest.mark.enable_socket if is_deployed else pytest.mark.allow_hosts(LOOPBACK)]
    if is_deployed or os.environ.get(DYNAMODB_ENDPOINT):
        markers.append(pytest.mark.xdist_group("api"))
    for item in items:
        if item.path.is_relative_to(HERE):
            for marker in markers:
                item.add_marker(marker)


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Yield a running deployment; each worker of pytest-xdist starts its own, unless they would share a table."""
    given: Path | None = request.config.getoption("--stack")
    if given is not None:
        yield from connected(given)
        return
    with local_service(tmp_path_factory.mktemp("service")) as stack_file:
        yield from connected(stack_file)


@pytest.fixture
def frozen(deployment: Deployment) -> Iterator[httpx.Response]:
    """Freeze the demo organization during the test; the response to the deletion request."""
    with deployment.frozen() as response:
        yield response


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
    """Run the same; give its stack file and the id of its process.

    It ends by Ctrl-C, and has to end well.
    """
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
