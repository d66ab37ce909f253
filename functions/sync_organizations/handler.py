"""From the queue of the organizations' event bus: bring organizations and members to what the events say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.organizations import sync

if TYPE_CHECKING:
    from keywright.api.lambda_types import BatchAnswer, LambdaContext, QueueEvent


def handler(event: QueueEvent, context: LambdaContext) -> BatchAnswer:
    """Follow each event, and name those that have to come again."""
    return sync.sync(event, context)
