"""The whole service over one table, with an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from tests.support.service import Caller, Service
from tests.support.stepped_clock import SteppedClock
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

PATIENCE_SECONDS = 120


@pytest.fixture
def service(
    world: World, load_handler: Callable[[str], Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Every function over an empty table, with enough time for fifty simultaneous calls on a test machine."""
    monkeypatch.setattr(retries, "CONNECT_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(retries, "READ_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    return Service.opened(world, load_handler, seconds=10 * PATIENCE_SECONDS)


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
