"""Clients that are made before a process forks, as application servers do that load the application first."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from typing import TYPE_CHECKING

import httpx
import pytest

from keywright_client import AsyncKeywright, ConfigurationError, Keywright, NotFound
from keywright_client.processes import PerProcess
from tests.clients.python.drivers import KEY_TEXT, PLAIN_HTTP, credentials
from tests.support.canned_server import answer, serving
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

OK = answer({"data": {"valid": False, "code": "NOT_FOUND"}, "error": None}, 200, content_type="application/json")


def in_a_fork(check: Callable[[], bool]) -> bool:
    """Return what a function returns in a forked process; False if it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the server has some, the fork needs none
        child = os.fork()
    if child == 0:
        is_right = False
        try:
            is_right = check()
        finally:
            os._exit(0 if is_right else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_has_connections_of_its_own() -> None:
    """A forked process does not send on its parent's connection, whose answers the parent reads, nor close it."""
    with (
        serving(OK) as canned,
        Keywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1") as client,
    ):
        client.verify(KEY_TEXT)

        def verified() -> bool:
            with client:
                return client.verify(KEY_TEXT) == NotFound()

        assert in_a_fork(verified)
        assert in_a_fork(verified)

        client.verify(KEY_TEXT)

    assert [1, 2, 3, 1] == [received.connection for received in canned.received]


def test_a_fork_has_asynchronous_connections_of_its_own() -> None:
    """The asyncio client opens connections of its own in a forked process, too."""

    async def verified() -> bool:
        return await client.verify(KEY_TEXT) == NotFound()

    with serving(OK) as canned, asyncio.Runner() as runner:
        client = AsyncKeywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1")
        runner.run(verified())

        assert in_a_fork(lambda: asyncio.new_event_loop().run_until_complete(verified()))

        runner.run(verified())
        runner.run(client.aclose())

    assert [1, 2, 1] == [received.connection for received in canned.received]


def test_a_fork_of_a_fork_with_the_id_of_its_grandparent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process id that the system uses again does not bring back the value of the process that had it."""
    values = PerProcess(object)
    inherited = values.get()
    own_id = os.getpid()

    def is_new() -> bool:
        monkeypatch.setattr(os, "getpid", lambda: own_id)
        return values.get() is not inherited

    assert in_a_fork(is_new)


def test_a_fork_without_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork by a server that runs no hooks of Python is noticed by the id of the process."""
    values = PerProcess(object)
    inherited = values.get()
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert values.get() is not inherited


def test_a_process_keeps_its_value() -> None:
    """All threads of a process get the same value."""
    values = PerProcess(object)
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(values.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {id(values.get())} == {id(value) for value in seen}


def test_the_http_client_of_the_caller_in_a_fork() -> None:
    """Connections that the caller brought stay in their process: a fork is told to bring its own."""
    with (
        serving(OK) as canned,
        httpx.Client(verify=PLAIN_HTTP, trust_env=False) as http,
    ):
        client = Keywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1", http=http)

        def is_refused() -> bool:
            with pytest.raises(ConfigurationError, match="http: this httpx client belongs to the process before"):
                client.verify(KEY_TEXT)
            return True

        assert in_a_fork(is_refused)
        assert [] == canned.received


def test_a_lock_that_is_held_while_the_process_forks() -> None:
    """A thread of the parent that keeps an answer during the fork does not stop the forked process."""
    locks = PerProcess(threading.Lock)
    with locks.get():
        assert in_a_fork(lambda: locks.get().acquire(timeout=5))
