"""A service whose way to DynamoDB can be made to fail, in simulated time; and the figures of all that was done so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.aws import retries
from keywright.store import pepper
from local import backend
from tests.bus import Sync
from tests.conftest import new_container
from tests.lifecycle.service import METHODS, Service
from tests.reliability import figures
from tests.reliability.operations import Scene
from tests.reliability.proxy import FaultProxy
from tests.reliability.simulated import SimulatedTime
from tests.world import ORGANIZATION_ID, Context, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.template import Stack

PATIENCE_SECONDS = retries.READ_TIMEOUT_SECONDS
"""How long the service waits for an answer; read here, since other tests give emulators more time than that."""


@pytest.fixture(scope="session")
def session_proxy(moto_url: str, dynamodb_url: str | None) -> Iterator[FaultProxy]:
    """What the functions take for DynamoDB."""
    proxy = FaultProxy(dynamodb_url or moto_url)
    yield proxy
    proxy.stop()
    figures.add(requests=proxy.requests, faults=proxy.faults)


@pytest.fixture
def limit_seconds(stack: Stack) -> int:
    """How long a function with a route may take, by the template; the shortest, should they differ."""
    routed = {route.function for route in stack.api.routes}
    return min(function.timeout_seconds for name, function in stack.functions.items() if name in routed)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> SimulatedTime:
    """The time of the service and of the proxy."""
    simulated = SimulatedTime(PATIENCE_SECONDS)
    for module in ("deadline", "store.aws"):
        monkeypatch.setattr(f"keywright.{module}.time", simulated)
    return simulated


@pytest.fixture
def proxy(time: SimulatedTime, world: World, environment: pytest.MonkeyPatch, session_proxy: FaultProxy) -> FaultProxy:
    """What stands before the table of this test: the functions see it through this alone."""
    del world
    environment.setenv(backend.DYNAMODB_ENDPOINT, session_proxy.url)
    environment.setattr(session_proxy, "time", time)
    new_container()
    return session_proxy


@pytest.fixture
def service(
    proxy: FaultProxy,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., Any]],
    limit_seconds: int,
) -> Service:
    """Every function, over an empty table, with as much time as the template gives it."""
    del proxy
    setting("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:1/nobody-writes-there")
    context = Context(remaining_milliseconds=limit_seconds * 1000)
    names = [*METHODS, "authorize_api_key", "sync_organizations"]
    return Service(World(world.table, context), {name: load_handler(name) for name in names})


@pytest.fixture
def scene(service: Service, proxy: FaultProxy) -> Scene:
    """An organization in a container that has served a request already."""
    pepper.keyring()
    return Scene.opened(service, proxy, ORGANIZATION_ID)


@pytest.fixture
def sync(
    proxy: FaultProxy,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., Any]],
    stack: Stack,
) -> Sync:
    """sync_organizations, with an empty dead-letter queue and as much time as the template gives it."""
    del proxy
    (function,) = [found for found in stack.functions.values() if found.directory.name == "sync_organizations"]
    return Sync.opened(load_handler("sync_organizations"), world, setting, seconds=function.timeout_seconds)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's figures to the process that has started it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = figures.total()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's figures."""
    figures.add(**getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was done to the service."""
    if figures.total():
        terminalreporter.write_line(figures.line())
