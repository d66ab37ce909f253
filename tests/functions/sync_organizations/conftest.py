"""sync_organizations: called with what its queue holds."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest

from keywright.store import aws
from tests.bus import Sync
from tests.world import Context

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
    # However busy the machine is: what happens when time is up has a test of its own.
    context = Context(remaining_milliseconds=60_000)
    return Sync(load_handler("sync_organizations"), replace(world, context=context), queue, url)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no time between attempts."""
    monkeypatch.setattr(aws, "BACKOFF_SECONDS", 0)
