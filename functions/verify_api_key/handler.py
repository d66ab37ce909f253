"""POST /v1/auth/api-keys/verify: tell a backend whether a key is valid and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import verifying
from keywright.endpoint import Nothing, Request, backend, endpoint
from keywright.metering import meter
from keywright.models import VerifyApiKeyRequest
from keywright.shutdown import before_shutdown

if TYPE_CHECKING:
    from keywright.models import UnknownApiKey, VerifiedApiKey
    from keywright.principal import Backend

before_shutdown(lambda: meter().flush_all())


@endpoint("verify_api_key", body=VerifyApiKeyRequest, caller=backend)
def handler(request: Request[VerifyApiKeyRequest, Nothing, Backend]) -> VerifiedApiKey | UnknownApiKey:
    """Verify the key; a refusal is an answer like any other."""
    return verifying.verify(request.body)
