"""publish_events, called with batches of the table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.table_stream import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.event_bus import EventBus
    from tests.support.world import World


@pytest.fixture
def publisher(
    world: World, event_bus: EventBus, no_waiting: None, load_handler: Callable[[str], Callable[..., object]]
) -> Publisher:
    """The function, with its role and the template's event bus. Retries do not wait."""
    del no_waiting
    return Publisher(load_handler("publish_events"), world, event_bus)
