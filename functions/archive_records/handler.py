"""Reads the table's stream: writes new audit records to the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.organizations import archive

if TYPE_CHECKING:
    from keywright.api.lambda_types import BatchAnswer, LambdaContext, StreamEvent


def handler(event: StreamEvent, context: LambdaContext) -> BatchAnswer:
    """Archive each record, and return the first to retry."""
    return archive.archive_records(event, context)
