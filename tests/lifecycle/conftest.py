"""The whole service over one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from tests.lifecycle.service import METHODS, Caller, Service, SteppedClock
from tests.support.world import ORGANIZATION_ID, Context, World

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 120


@pytest.fixture
def service(
    world: World, load_handler: Callable[[str], Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Every function over an empty table, with enough time for fifty simultaneous calls on a test machine."""
    monkeypatch.setattr(retries, "CONNECT_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(retries, "READ_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    context = Context(remaining_milliseconds=10 * PATIENCE_SECONDS * 1000)
    return Service(World(world.table, context), {name: load_handler(name) for name in METHODS})


@pytest.fixture
def admin(service: Service) -> Caller:
    """The admin of an organization that also has an owner."""
    service.open_organization(ORGANIZATION_ID, user_1="admin", owner="owner")
    return Caller(ORGANIZATION_ID)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SteppedClock:
    """The clock of every write and every check."""
    clock = SteppedClock()
    for module in ("clock", "ids", "api.request"):
        monkeypatch.setattr(f"keywright.{module}.time", clock)
    return clock
