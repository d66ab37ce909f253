"""Runs on a schedule: announces the keys that expire, in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.keys import expirations

if TYPE_CHECKING:
    from keywright.api.lambda_types import LambdaContext
    from keywright.keys.expirations import AnnouncementsAnswer


def handler(_: object, context: LambdaContext) -> AnnouncementsAnswer:
    """Announce the keys that are due for a notice, within the time of one invocation."""
    return expirations.announce(context)
