"""sync_organizations, called with batches of its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from tests.support.event_queue import Sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import World


@pytest.fixture
def sync(
    world: World, setting: Callable[[str, str], None], load_handler: Callable[[str], Callable[..., object]]
) -> Sync:
    """The function, with an empty table and an empty dead-letter queue."""
    # Enough time on a busy machine: other tests cover the time limit.
    return Sync.opened(load_handler("sync_organizations"), world, setting, seconds=60)


@pytest.fixture(autouse=True)
def now(stop_clock: Callable[[str], datetime]) -> datetime:
    """The time at which every event is received, soon after the latest of them."""
    return stop_clock("2026-03-05T00:00:00.000Z")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without waiting."""
    monkeypatch.setattr(retries, "BACKOFF_SECONDS", 0)
