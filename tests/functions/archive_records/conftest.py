"""archive_records, called with batches of the table's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.table_stream import Archiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.object_store import ObjectStore
    from tests.support.world import World


@pytest.fixture
def archiver(
    world: World, object_store: ObjectStore, no_waiting: None, load_handler: Callable[[str], Callable[..., object]]
) -> Archiver:
    """The function, with its role and the template's bucket. Retries do not wait."""
    del no_waiting
    return Archiver(load_handler("archive_records"), world, object_store)
