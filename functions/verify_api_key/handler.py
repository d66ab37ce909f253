"""POST /v1/auth/api-keys/verify: verify an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import invocable
from keywright.api.schemas import VerifyApiKey
from keywright.domain import key_hash
from keywright.keys import introspect, retired_secrets, usage
from keywright.keys.meter import SHUTDOWN_SECONDS
from keywright.shutdown import before_shutdown

if TYPE_CHECKING:
    from keywright.api.schemas import UnknownApiKey, VerifiedApiKey

key_hash.load()
before_shutdown(lambda: usage.meter().flush_all(retired_secrets.meter(), seconds=SHUTDOWN_SECONDS))


@invocable("verify_api_key", body=VerifyApiKey)
def handler(use: VerifyApiKey) -> VerifiedApiKey | UnknownApiKey:
    """Verify a key for a backend. A refused key is a 200 too: `valid` is `false`, and `code` says why."""
    return introspect.verify(use)
