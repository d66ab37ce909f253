"""From the queue of the organizations' event bus: bring organizations and members to what the events say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import syncing

if TYPE_CHECKING:
    from keywright.apigateway import LambdaContext
    from keywright.queue import BatchAnswer, QueueEvent


def handler(event: QueueEvent, context: LambdaContext) -> BatchAnswer:
    """Follow each event, and name those that have to come again."""
    return syncing.sync(event, context)
