"""The purge, half an hour after an organization became due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from tests.support.purge import NOW, Purge, due

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World


@pytest.fixture
def purge(
    world: World,
    load_handler: Callable[[str], Callable[..., object]],
    stop_clock: Callable[[str], object],
    monkeypatch: pytest.MonkeyPatch,
) -> Purge:
    """The function, without waits between retries, with an organization that is due and another beside it."""
    monkeypatch.setattr(retries, "BACKOFF_SECONDS", 0)
    stop_clock(NOW)
    return due(load_handler("purge_organizations"), world)
