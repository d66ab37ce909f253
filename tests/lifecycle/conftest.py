"""The whole service over one table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.config import Config

from keywright.store import aws
from tests.lifecycle.service import METHODS, Caller, Service, SteppedClock
from tests.world import ORGANIZATION_ID, Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World


# Fifty requests at once, on a machine that is busy with something else, take longer than Lambda gives them.
ANSWER_SECONDS = 60


@pytest.fixture
def service(
    world: World, load_handler: Callable[[str], Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Every function, over an empty table, with time enough not to answer 503 for want of it."""
    monkeypatch.setattr(aws, "_CONFIG", aws._CONFIG.merge(Config(read_timeout=ANSWER_SECONDS)))
    patient = replace(world, context=Context(remaining_milliseconds=ANSWER_SECONDS * 1000))
    return Service(patient, {name: load_handler(name) for name in METHODS})


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
