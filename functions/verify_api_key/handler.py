"""POST /v1/auth/api-keys/verify: tell a backend whether a key is valid and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Nothing, Request, backend, endpoint
from keywright.api.schemas import VerifyApiKeyRequest
from keywright.keys import introspect
from keywright.keys.usage import meter
from keywright.shutdown import before_shutdown

if TYPE_CHECKING:
    from keywright.api.schemas import UnknownApiKey, VerifiedApiKey
    from keywright.domain.principals import Backend

before_shutdown(lambda: meter().flush_all())


@endpoint("verify_api_key", body=VerifyApiKeyRequest, caller=backend)
def handler(request: Request[VerifyApiKeyRequest, Nothing, Backend]) -> VerifiedApiKey | UnknownApiKey:
    """Verify the key; a refusal is an answer like any other."""
    return introspect.verify(request.body)
