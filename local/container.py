"""A function as Lambda runs it: AWS's runtime client in a separate process under the runtime interface emulator."""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local import backend
from local.options import ROOT
from local.server import HOST, port_of, reserve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.iam import AccessKey
    from local.template import Function

LAYER = ROOT / ".aws-sam" / "host-layer" / "python"
EMULATORS = ".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-*"

EXECUTION_ENVIRONMENT = "AWS_Lambda_python3.13"
"""The runtime of the template. The client checks this variable: with this value it waits for the next event in a
separate thread, so that the main thread receives signals.
"""

START_SECONDS = 30
STOP_SECONDS = 10
ANSWER_SECONDS = 60
"""Much longer than any function's time limit, which the emulator enforces."""

_INVOKE = "/2015-03-31/functions/function/invocations"
_STARTS = 3
_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64"}


def emulator() -> Path:
    """Return the runtime interface emulator for this machine, a part of AWS's SAM command line."""
    name = f"aws-lambda-rie-{_MACHINES[platform.machine()]}"
    executables = [path for path in ROOT.glob(EMULATORS) if path.name == name]
    if not executables:
        raise ContainerError(
            "SAM CLI, which brings the emulator of Lambda, is not installed: make .venv-sam/.installed"
        )
    return executables[0]


class ContainerError(Exception):
    """A function cannot be run; the message says why."""


@dataclass(slots=True)
class Container:
    """A running function.

    Attributes:
        process: the emulator, the parent of the runtime.
        log: output of both.
    """

    function: Function
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def invoke(self, event: object) -> dict[str, Any]:
        """Invoke the function.

        Returns:
            Its `answer`, or type and message of its exception as `error`, or the emulator's own answer: `timed out`, or
            `ended` for a runtime that exited.
        """
        text = self._request("POST", _INVOKE, json.dumps(event))
        if text.startswith("Task timed out"):
            return {"timed out": text}
        answer: dict[str, Any] = json.loads(text)
        if "errorMessage" not in answer:
            return {"answer": answer}
        if answer["errorType"].startswith("Runtime."):
            return {"ended": answer["errorMessage"]}
        return {"error": {"type": answer["errorType"], "message": answer["errorMessage"]}}

    def is_up(self) -> bool:
        """Return whether the emulator answers."""
        try:
            self._request("GET", "/")
        except ConnectionRefusedError:
            return False
        return True

    def runtime_pid(self) -> int:
        """Return the process id of the function's Python."""
        (pid,) = _children(self.process.pid)
        return pid

    def stop(self) -> None:
        """Stop the container as Lambda does: the runtime first, if it registered for the signal."""
        children = _children(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _request(self, method: str, path: str, body: str | None = None) -> str:
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_SECONDS)) as connection:
            connection.request(method, path, body)
            return connection.getresponse().read().decode()


def _children(pid: int) -> list[int]:
    """Return the children of a process, of all its threads."""
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


@contextmanager
def running(
    python: Path, function: Function, key: AccessKey, environment: Mapping[str, str], directory: Path
) -> Iterator[Container]:
    """Run a function while the context is open.

    Args:
        python: an interpreter with only the runtime client.
        function: the function in the template.
        key: access key of the function's role.
        environment: variables that differ from the template's.
        directory: directory of the log.
    """
    variables = _environment(function, key, environment)
    container = _start(python, function, variables, directory / f"{function.directory.name}.log")
    try:
        yield container
    finally:
        container.stop()


def _start(python: Path, function: Function, environment: Mapping[str, str], log: Path) -> Container:
    for _ in range(_STARTS):
        listeners = reserve(0), reserve(0)
        runtime_port, invoke_port = (port_of(listener) for listener in listeners)
        for listener in listeners:
            listener.close()  # another process may take the port now; then the next port is tried
        command = [
            str(emulator()),
            "--runtime-api-address",
            f"{HOST}:{runtime_port}",
            "--runtime-interface-emulator-address",
            f"{HOST}:{invoke_port}",
            *(str(python), "-B", "-s", "-m", "awslambdaric", "handler.handler"),
        ]
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=function.directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        container = Container(function, process, f"http://{HOST}:{invoke_port}", log)
        if _is_up(container):
            return container
        container.stop()
    raise ContainerError(f"the emulator does not start:\n{log.read_text()}")


def _environment(function: Function, key: AccessKey, changes: Mapping[str, str]) -> dict[str, str]:
    """Return Lambda's environment: the template's variables, the role's credentials, and the function's limits."""
    variables: dict[str, str] = {}
    backend.isolate(variables)
    return {
        **variables,
        "AWS_ACCESS_KEY_ID": key.access_key,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(LAYER),
        "AWS_EXECUTION_ENV": EXECUTION_ENVIRONMENT,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_seconds),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        **function.environment,
        **changes,  # may set another timeout
    }


def _is_up(container: Container) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while container.process.poll() is None and time.monotonic() < deadline:
        if container.is_up():
            return True
        time.sleep(0.02)
    return False
