"""Runs functions with Lambda's runtime interface emulator and its runtime client for Python."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import environments
from benchmarks.environments import NotInstalledError
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EMULATORS = ".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-*"
"""The emulators that the AWS SAM CLI includes."""
LAYER = ROOT / ".aws-sam" / "host-layer" / "python"

_EXECUTION_ENVIRONMENT = "AWS_Lambda_python3.13"
_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64"}
_HOST = "127.0.0.1"
_START_SECONDS = 10
_STARTS = 3
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed emulator and runtime client.

    Attributes:
        python: interpreter with the runtime client.
    """

    emulator: Path
    python: Path


@dataclass(frozen=True, slots=True)
class Started:
    """The result of a cold start.

    Attributes:
        seconds: time from the invocation, which starts the process of the function, to the answer.
        cpu_seconds: CPU time of that process until then; None if the system does not provide it.
    """

    answer: Any
    seconds: float
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True)
class Container:
    """A function in a running emulator.

    Attributes:
        emulator_id: id of the emulator's process.
        url: address of invocations.
    """

    emulator_id: int
    url: str

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Invoke the function and return its answer."""
        request = urllib.request.Request(self.url, json.dumps(event).encode(), method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as response:  # noqa: S310 - loopback
            return json.loads(response.read())

    def process_id(self) -> int:
        """Return the id of the function's process, which runs after the first invocation.

        Raises:
            NotInstalledError: the system does not show processes.
        """
        children = _children(self.emulator_id)
        if not children:
            raise NotInstalledError("the process of the function is not in /proc")
        return children[0]


def install() -> Installed:
    """Install the runtime client and find the emulator.

    Raises:
        NotInstalledError: the client, the emulator or the layer is missing, or has modules without byte code.
    """
    if not LAYER.is_dir():
        raise NotInstalledError("the layer for this machine is missing: run make test-layer")
    python = environments.python("runtime", ROOT / "benchmarks" / "runtime" / "requirements.txt")
    name = f"aws-lambda-rie-{_MACHINES.get(platform.machine())}"
    environments.require_byte_code(LAYER, "run make test-layer")
    for packages in python.parents[1].glob("lib/python*/site-packages"):
        environments.require_byte_code(packages, f"remove {python.parents[1]}")
    emulator = next((path for path in ROOT.glob(EMULATORS) if path.name == name), None)
    if emulator is None:
        raise NotInstalledError("the runtime interface emulator for this machine is missing: run make build")
    return Installed(emulator, python)


def cold_start(
    installed: Installed, function: Path, event: Mapping[str, Any], environment: Mapping[str, str]
) -> Started:
    """Start a function and return its first answer. PYTHONPATH selects its packages.

    If another process takes a port before the emulator does, the emulator is started again.
    """
    for _ in range(_STARTS - 1):
        with suppress(ConnectionError):
            return _cold_start(installed, function, event, environment)
    return _cold_start(installed, function, event, environment)


def _cold_start(
    installed: Installed, function: Path, event: Mapping[str, Any], environment: Mapping[str, str]
) -> Started:
    with emulated(installed, function, environment) as container:
        started = time.perf_counter()
        answer = container.invoke(event)
        seconds = time.perf_counter() - started
        return Started(answer, seconds, _cpu_seconds(container.emulator_id))


@contextmanager
def emulated(
    installed: Installed, function: Path, environment: Mapping[str, str], prefix: Sequence[str] = ()
) -> Iterator[Container]:
    """Run the emulator while the context is open. It starts the process of the function with the first invocation.

    Args:
        installed: emulator and runtime client.
        function: folder of the handler.
        environment: of the function; PYTHONPATH selects its packages.
        prefix: a command that runs the command that follows it, for the process of the function only.
    """
    port, api_port = _free_ports()
    command = [
        str(installed.emulator),
        "--runtime-interface-emulator-address",
        f"{_HOST}:{port}",
        "--runtime-api-address",
        f"{_HOST}:{api_port}",
        *(*prefix, str(installed.python), "-m", "awslambdaric", "handler.handler"),
    ]
    settings = {
        **environment,
        "AWS_EXECUTION_ENV": _EXECUTION_ENVIRONMENT,
        "LAMBDA_TASK_ROOT": str(function),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
        # On Lambda, a function cannot write to the folder of its packages.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with subprocess.Popen(  # noqa: S603 - a fixed command
        command,
        cwd=function,
        env=settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_until_listening(port)
            yield Container(process.pid, f"http://{_HOST}:{port}/2015-03-31/functions/function/invocations")
        finally:
            for child in (*_children(process.pid), process.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, 9)


def _free_ports() -> tuple[int, int]:
    with socket.create_server((_HOST, 0)) as one, socket.create_server((_HOST, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _wait_until_listening(port: int) -> None:
    ends_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends_at:
        with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            return
        time.sleep(0.01)
    raise NotInstalledError("the runtime interface emulator does not start")


def _children(pid: int) -> list[int]:
    """Return the child processes of a process, if the system provides them."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or _by_parent(pid)
    return []


def _by_parent(pid: int) -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                children.append(int(stat.parent.name))
    return children


def _cpu_seconds(emulator: int) -> float | None:
    for child in _children(emulator):
        with suppress(OSError):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
    return None
