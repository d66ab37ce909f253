"""The whole service over one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lifecycle.service import METHODS, Caller, Service, SteppedClock
from tests.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World


@pytest.fixture
def service(world: World, load_handler: Callable[[str], Callable[..., object]]) -> Service:
    """Every function, over an empty table."""
    return Service(world, {name: load_handler(name) for name in METHODS})


@pytest.fixture
def admin(service: Service) -> Caller:
    """The admin of an organization, which also has an owner."""
    service.open_organization(ORGANIZATION_ID, user_1="admin", owner="owner")
    return Caller(ORGANIZATION_ID)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SteppedClock:
    """The time of everything that is written and checked."""
    clock = SteppedClock()
    for module in ("clock", "ids", "endpoint"):
        monkeypatch.setattr(f"keywright.{module}.time", clock)
    return clock
