"""Runs on a schedule: deletes the organizations whose grace period is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.organizations import purge

if TYPE_CHECKING:
    from keywright.api.lambda_types import LambdaContext
    from keywright.organizations.purge import PurgeAnswer


def handler(_: object, context: LambdaContext) -> PurgeAnswer:
    """Delete the organizations that are due, within the time of one invocation."""
    return purge.purge(context)
