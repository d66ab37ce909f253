"""Reads the table's stream: publishes each new audit record as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.organizations import publish

if TYPE_CHECKING:
    from keywright.api.lambda_types import BatchAnswer, LambdaContext, StreamEvent


def handler(event: StreamEvent, context: LambdaContext) -> BatchAnswer:
    """Publish each record, and return the first to retry."""
    return publish.publish(event, context)
