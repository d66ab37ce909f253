"""On a schedule: delete the organizations whose grace period is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import purging

if TYPE_CHECKING:
    from keywright.apigateway import LambdaContext
    from keywright.purging import PurgeAnswer


def handler(_: object, context: LambdaContext) -> PurgeAnswer:
    """Delete what is due, as far as the time of one invocation goes."""
    return purging.purge(context)
