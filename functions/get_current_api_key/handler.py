"""GET /v1/auth/api-keys/current: get the API key of this request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.request import KeyRequest, key_holder
from keywright.keys import introspect

if TYPE_CHECKING:
    from keywright.api.schemas import CurrentApiKey


@endpoint("get_current_api_key", caller=key_holder)
def handler(request: KeyRequest) -> CurrentApiKey:
    """Return the key that the request was sent with, without its text."""
    return introspect.current(request.caller)
