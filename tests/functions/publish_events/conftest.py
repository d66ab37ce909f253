"""publish_events, called with batches of the table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import table_stream
from tests.support.dead_letters import take_letters
from tests.support.table_stream import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.event_bus import EventBus
    from tests.support.world import World


@pytest.fixture
def dead_letters(world: World, setting: Callable[[str, str], None]) -> str:
    """The URL of the function's dead-letter queue, which is empty."""
    del world
    queue_url = table_stream.dead_letters("EventsMapping")
    take_letters(queue_url)
    setting("EVENTS_DEAD_LETTER_QUEUE_URL", queue_url)
    return queue_url


@pytest.fixture
def publisher(
    world: World,
    event_bus: EventBus,
    dead_letters: str,
    no_waiting: None,
    load_handler: Callable[[str], Callable[..., object]],
) -> Publisher:
    """The function, with its role and the template's event bus. Retries do not wait."""
    del dead_letters, no_waiting
    return Publisher(load_handler("publish_events"), world, event_bus)
