"""sync_organizations: called with what its queue holds."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import boto3
import pytest

from keywright.store import aws
from tests.bus import Sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World


@pytest.fixture
def sync(
    world: World, setting: Callable[[str, str], None], load_handler: Callable[[str], Callable[..., object]]
) -> Sync:
    """The function, with an empty table and an empty dead-letter queue."""
    queue = boto3.client("sqs")
    url = queue.create_queue(QueueName=f"dead-letters-{uuid.uuid4()}")["QueueUrl"]
    setting("DEAD_LETTER_QUEUE_URL", url)
    return Sync(load_handler("sync_organizations"), world, queue, url)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no time between attempts."""
    monkeypatch.setattr(aws, "BACKOFF_SECONDS", 0)
