"""The service behind a proxy that injects faults into DynamoDB, in simulated time; and the counts of all faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.aws import retries
from keywright.store import pepper
from local import backend
from tests.support import counts
from tests.support.cases import DEVELOPMENT_GITHUB
from tests.support.environment import new_container
from tests.support.event_queue import Sync
from tests.support.fault_proxy import FaultProxy
from tests.support.figures import record
from tests.support.operations import Scene
from tests.support.service import Service
from tests.support.simulated_time import SimulatedTime
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.template import Stack
    from tests.support.world import World

PATIENCE_SECONDS = retries.READ_TIMEOUT_SECONDS
"""The service's read timeout, read before other tests raise it for slow emulators."""


@pytest.fixture(scope="session")
def session_proxy(moto_url: str, dynamodb_url: str | None) -> Iterator[FaultProxy]:
    """The proxy that all tests of a worker use."""
    proxy = FaultProxy(dynamodb_url or moto_url)
    yield proxy
    proxy.close()
    counts.add(requests=proxy.requests, faults=proxy.faults)


@pytest.fixture
def limit_seconds(stack: Stack) -> int:
    """The shortest time limit of the functions with a route, by the template."""
    routed = {route.function for route in stack.api.routes}
    return min(function.timeout_seconds for name, function in stack.functions.items() if name in routed)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> SimulatedTime:
    """The simulated time of service and proxy."""
    simulated = SimulatedTime(PATIENCE_SECONDS)
    for module in ("deadline", "aws.retries"):
        monkeypatch.setattr(f"keywright.{module}.time", simulated)
    return simulated


@pytest.fixture
def proxy(time: SimulatedTime, world: World, environment: pytest.MonkeyPatch, session_proxy: FaultProxy) -> FaultProxy:
    """The proxy before this test's table, which functions reach only through it."""
    del world
    environment.setenv(backend.DYNAMODB_ENDPOINT, session_proxy.url)
    environment.setattr(session_proxy, "time", time)
    new_container()
    return session_proxy


@pytest.fixture
def service(  # noqa: PLR0913, PLR0917 - the surroundings of every function
    proxy: FaultProxy,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., Any]],
    limit_seconds: int,
    development_github: None,
) -> Service:
    """Every function over an empty table, with the template's time limit. No queue can be reached."""
    del proxy, development_github
    setting("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    setting("GITHUB_KEYS_URL", DEVELOPMENT_GITHUB)
    retries.queues.cache_clear()
    setting("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:1/no-such-queue")
    return Service.opened(
        world,
        load_handler,
        "authorize_api_key",
        "sync_organizations",
        "report_leak",
        "report_github_leaks",
        "process_leak_reports",
        seconds=limit_seconds,
    )


@pytest.fixture
def scene(service: Service, proxy: FaultProxy, time: SimulatedTime) -> Scene:
    """An organization, in a container that has served a request."""
    pepper.keyring()
    return Scene.opened(service, proxy, time, ORGANIZATION_ID)


@pytest.fixture
def sync(
    proxy: FaultProxy,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., Any]],
    stack: Stack,
) -> Sync:
    """sync_organizations, with an empty dead-letter queue and the template's time limit."""
    del proxy
    (function,) = [each for each in stack.functions.values() if each.directory.name == "sync_organizations"]
    return Sync.opened(load_handler("sync_organizations"), world, setting, seconds=function.timeout_seconds)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send a worker's counts to the main process."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["counts"] = counts.total()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add a worker's counts."""
    counts.add(**getattr(node, "workeroutput", {}).get("counts", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counts."""
    if counts.total():
        terminalreporter.write_line(counts.line())
        record("faults", **counts.total())
