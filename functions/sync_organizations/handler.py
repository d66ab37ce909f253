"""Reads the queue of the organization event bus: applies the events to organizations and members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.organizations import sync

if TYPE_CHECKING:
    from keywright.api.lambda_types import BatchAnswer, LambdaContext, QueueEvent


def handler(event: QueueEvent, context: LambdaContext) -> BatchAnswer:
    """Apply each event, and return those to retry."""
    return sync.sync(event, context)
