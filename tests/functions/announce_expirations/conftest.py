"""The function, at noon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from tests.support.announcements import SECONDS, Announcements
from tests.support.world import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

NOON = "2030-01-31T12:00:00.000Z"


@pytest.fixture
def announce(
    world: World,
    load_handler: Callable[[str], Callable[..., object]],
    stop_clock: Callable[[str], object],
    monkeypatch: pytest.MonkeyPatch,
) -> Announcements:
    """The function at noon of 2030-01-31, without waits between retries, with an organization."""
    monkeypatch.setattr(retries, "BACKOFF_SECONDS", 0)
    stop_clock(NOON)
    world.table.put_organization()
    context = Context(remaining_milliseconds=SECONDS * 1000)
    return Announcements(load_handler("announce_expirations"), replace(world, context=context))
