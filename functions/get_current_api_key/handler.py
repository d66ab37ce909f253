"""GET /v1/auth/api-keys/current: show the key of this request to its holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import verifying
from keywright.endpoint import Nothing, Request, endpoint, key_holder

if TYPE_CHECKING:
    from keywright.models import CurrentApiKey
    from keywright.principal import KeyHolder


@endpoint("get_current_api_key", caller=key_holder)
def handler(request: Request[Nothing, Nothing, KeyHolder]) -> CurrentApiKey:
    """Show the key to its holder, but never its text."""
    return verifying.current(request.caller)
