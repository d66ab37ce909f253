"""GET /v1/auth/api-keys/current: show the key of this request to its holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Nothing, Request, endpoint, key_holder
from keywright.keys import introspect

if TYPE_CHECKING:
    from keywright.api.schemas import CurrentApiKey
    from keywright.domain.principals import KeyHolder


@endpoint("get_current_api_key", caller=key_holder)
def handler(request: Request[Nothing, Nothing, KeyHolder]) -> CurrentApiKey:
    """Show the key to its holder, but never its text."""
    return introspect.current(request.caller)
