"""A Lambda container as a process: containers share nothing but the table, and each has several threads.

Times are seconds of `time.monotonic`, which on Linux is the same clock in all processes.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from local import credentials
from local.iam import NONE
from tests.support.environment import ROOT, new_container

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from local.iam import AccessKey

REQUIRED = "sessions:read"
"""The permissions of every verification."""

_MILLISECONDS = 600_000
_ANSWER_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Verified:
    """A verification: when it began, when it ended, and its code."""

    started: float
    ended: float
    code: str


@dataclass(frozen=True, slots=True)
class Written:
    """A write: when it was sent, when it was answered, and the answer."""

    sent: float
    answered: float
    status: int
    body: str


class FunctionProcess:
    """A process with functions in it. One thread serves all requests, except for `keep_verifying`."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_run, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, environment: Mapping[str, str], keys: Mapping[str, AccessKey]) -> None:
        """Restart with an empty memory, only these environment variables, and the access key of each function."""
        self._ask("begin", dict(environment), dict(keys))

    def write(self, function: str, user_id: str, **request: Any) -> Written:
        """Call a function that writes, as a member."""
        written: Written = self._ask("write", function, user_id, request)
        return written

    def verify(self, text: str) -> Verified:
        """Verify a key once."""
        verified: Verified = self._ask("verify", text)
        return verified

    def keep_verifying(self, text: str, threads: int) -> None:
        """Verify a key repeatedly, in that many threads, until `stop`."""
        self._ask("keep_verifying", text, threads)

    def stop(self) -> list[Verified]:
        """Stop these threads and return their verifications."""
        verifications: list[Verified] = self._ask("stop")
        return verifications

    def pass_time(self, seconds: float) -> None:
        """Advance the clock of the container's caches."""
        self._ask("pass_time", seconds)

    def end(self) -> None:
        """End the process."""
        self._connection.send(None)
        self._process.join(_ANSWER_SECONDS)
        self._connection.close()

    def _ask(self, act: str, *arguments: Any) -> Any:
        self._connection.send((act, arguments))
        assert self._connection.poll(_ANSWER_SECONDS), f"no answer to {act}"
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(slots=True)
class _Inside:
    """The inside of a container."""

    handlers: dict[str, Callable[..., Any]] = field(default_factory=dict)
    threads: list[threading.Thread] = field(default_factory=list)
    verifications: list[Verified] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    passed_seconds: float = 0.0
    keys: dict[str, AccessKey] = field(default_factory=dict)

    def begin(self, environment: dict[str, str], keys: dict[str, AccessKey]) -> None:
        os.environ.clear()
        os.environ.update(environment, AWS_ACCESS_KEY_ID=NONE)
        self.keys = keys
        credentials.sign_as_the_running_function()
        new_container()
        self.pass_time(-self.passed_seconds)

    def write(self, function: str, user_id: str, request: dict[str, Any]) -> Written:
        from tests.support.service import METHODS  # noqa: PLC0415 - needs the environment
        from tests.support.world import Context, create_event  # noqa: PLC0415 - needs the environment

        key_id = request.get("key_id")
        event = create_event(
            request.get("body"),
            user_id=user_id,
            httpMethod=METHODS[function],
            pathParameters=key_id and {"id": key_id},
        )
        handler = self._handler(function)
        sent = time.monotonic()
        with credentials.running_with(self.keys[function]):
            answer = handler(event, Context(remaining_milliseconds=_MILLISECONDS))
        return Written(sent, time.monotonic(), answer["statusCode"], answer["body"])

    def verify(self, text: str) -> Verified:
        from keywright.keys.verification import verify  # noqa: PLC0415 - needs the environment

        started = time.monotonic()
        with credentials.running_with(self.keys["verify_api_key"]):
            code = verify(text, [REQUIRED]).code
        return Verified(started, time.monotonic(), str(code))

    def keep_verifying(self, text: str, threads: int) -> None:
        self.is_over.clear()
        self.verifications.clear()

        def repeat() -> None:
            while not self.is_over.is_set():
                self.verifications.append(self.verify(text))

        self.threads = [threading.Thread(target=repeat) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> list[Verified]:
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return list(self.verifications)

    def pass_time(self, seconds: float) -> None:
        from keywright.keys import verification  # noqa: PLC0415 - needs the environment

        self.passed_seconds += seconds
        clock = SimpleNamespace(
            monotonic=lambda: time.monotonic() + self.passed_seconds, perf_counter=time.perf_counter
        )
        setattr(verification, "time", clock)  # noqa: B010 - mypy rejects a plain assignment to a module

    def _handler(self, name: str) -> Callable[..., Any]:
        if name not in self.handlers:
            path = ROOT / "functions" / name / "handler.py"
            specification = importlib.util.spec_from_file_location(f"functions_{name}", path)
            assert specification
            assert specification.loader
            module = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(module)
            self.handlers[name] = module.handler
        return self.handlers[name]


def _run(connection: Connection) -> None:
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    inside = _Inside()
    while (asked := connection.recv()) is not None:
        act, arguments = asked
        try:
            answer = getattr(inside, act)(*arguments)
        except Exception as error:  # noqa: BLE001 - reported to the parent process
            answer = error
        connection.send(answer)
