"""A Lambda container as a process: containers share nothing but the table.

Times are seconds of `time.monotonic`, which on Linux is the same clock in all processes.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.managers import BaseManager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from local import credentials
from local.iam import NONE
from tests.support.environment import ROOT, new_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from keywright.domain.limits import Limits
    from local.iam import AccessKey

REQUIRED = "sessions:read"
"""The permission that every verification requires."""

ANSWER_SECONDS = 60
"""Timeout for the emulated services on a busy machine."""
_MILLISECONDS = 600_000


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


@dataclass(slots=True)
class FunctionProcess:
    """The functions in a process of their own; `running` starts it, and its methods run there."""

    keys: dict[str, AccessKey] = field(default_factory=dict)
    threads: list[threading.Thread] = field(default_factory=list)
    verifications: list[Verified] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    passed_seconds: float = 0.0

    def begin(self, environment: Mapping[str, str], keys: Mapping[str, AccessKey]) -> None:
        """Restart with an empty memory, only these environment variables, and the access key of each function."""
        from keywright.aws import retries  # noqa: PLC0415 - needs the environment

        retries.READ_TIMEOUT_SECONDS = ANSWER_SECONDS
        os.environ.clear()
        os.environ.update(environment, AWS_ACCESS_KEY_ID=NONE)
        self.keys = dict(keys)
        credentials.sign_as_the_running_function()
        new_container()
        self.pass_time(-self.passed_seconds)

    def write(
        self, function: str, user_id: str, *, key_id: str | None = None, body: dict[str, Any] | None = None
    ) -> Written:
        """Call a function that writes, as a member, or as the holder of the key."""
        from tests.support.service import METHODS  # noqa: PLC0415 - needs the environment
        from tests.support.world import Context, create_event  # noqa: PLC0415 - needs the environment

        event = create_event(
            body, user_id=user_id, httpMethod=METHODS.get(function, "POST"), pathParameters=key_id and {"id": key_id}
        )
        if key_id is not None:
            event["requestContext"]["authorizer"]["apiKeyId"] = key_id
        handler = _handler(function)
        sent = time.monotonic()
        with credentials.running_with(self.keys[function]):
            answer = handler(event, Context(remaining_milliseconds=_MILLISECONDS))
        return Written(sent, time.monotonic(), answer["statusCode"], answer["body"])

    def verify(self, text: str) -> Verified:
        """Verify a key once."""
        from keywright.keys.verification import requiring, verify  # noqa: PLC0415 - needs the environment

        started = time.monotonic()
        with credentials.running_with(self.keys["verify_api_key"]):
            code = verify(text, requiring([REQUIRED])).code
        return Verified(started, time.monotonic(), str(code))

    def use(self, holders: Sequence[Limits], starts: Sequence[float], threads: int) -> list[Verified]:
        """Ask limits at these times, in that many threads; the code of a use that was admitted unasked is `UNASKED`."""
        from keywright.errors import ServiceError  # noqa: PLC0415 - needs the environment
        from keywright.keys.limiter import admit  # noqa: PLC0415 - needs the environment

        uses: list[Verified] = []

        def ask(start: float) -> Verified:
            time.sleep(max(0.0, start - time.monotonic()))
            started = time.monotonic()
            try:
                admission = admit(holders, 1)
                code = str(admission.code) if admission.is_asked else "UNASKED"
            except ServiceError as error:
                code = error.error.code
            return Verified(started, time.monotonic(), code)

        def ask_all(times: Sequence[float]) -> None:
            with credentials.running_with(self.keys["verify_api_key"]):
                uses.extend([ask(start) for start in times])

        asking = [threading.Thread(target=ask_all, args=(starts[number::threads],)) for number in range(threads)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        return uses

    def keep_verifying(self, text: str, threads: int) -> None:
        """Verify a key repeatedly, in that many threads, until `stop`."""
        self.is_over.clear()
        self.verifications.clear()

        def repeat() -> None:
            while not self.is_over.is_set():
                self.verifications.append(self.verify(text))

        self.threads = [threading.Thread(target=repeat) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> list[Verified]:
        """Stop these threads and return their verifications."""
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return list(self.verifications)

    def pass_time(self, seconds: float) -> None:
        """Advance the clock of the container's caches."""
        from keywright.keys import verification  # noqa: PLC0415 - needs the environment

        self.passed_seconds += seconds
        clock = SimpleNamespace(
            monotonic=lambda: time.monotonic() + self.passed_seconds, perf_counter=time.perf_counter
        )
        setattr(verification, "time", clock)  # noqa: B010 - mypy rejects a plain assignment to a module


class _Manager(BaseManager):
    """Runs objects in a process (Python documentation, "multiprocessing", section "Managers")."""


_Manager.register("start_functions", FunctionProcess)


def _silence() -> None:
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives


@contextmanager
def running() -> Iterator[FunctionProcess]:
    """Run functions in another process while the context is open."""
    manager = _Manager(ctx=multiprocessing.get_context("spawn"))
    manager.start(_silence)
    with manager:
        yield manager.start_functions()  # type: ignore[attr-defined]  # registered above


@cache
def _handler(name: str) -> Callable[..., Any]:
    path = ROOT / "functions" / name / "handler.py"
    specification = importlib.util.spec_from_file_location(f"functions_{name}", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    handler: Callable[..., Any] = module.handler
    return handler
