"""Reads the queue of reports of leaks: settles what the requests had no time for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.keys import leaks

if TYPE_CHECKING:
    from keywright.api.lambda_types import BatchAnswer, LambdaContext, QueueEvent


def handler(event: QueueEvent, context: LambdaContext) -> BatchAnswer:
    """Settle each report, and return those to retry."""
    return leaks.process(event, context)
