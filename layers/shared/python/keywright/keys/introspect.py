"""Verifying a key for a backend, and showing a key to its holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.schemas import UnknownApiKey
from keywright.errors import UNAUTHORIZED, ServiceError
from keywright.keys import verification, views
from keywright.keys.outcome import UnknownKey
from keywright.store import credentials

if TYPE_CHECKING:
    from keywright.api.schemas import CurrentApiKey, VerifiedApiKey, VerifyApiKey
    from keywright.domain.principals import KeyHolder


def verify(body: VerifyApiKey) -> VerifiedApiKey | UnknownApiKey:
    """Verify a key, check that it has the required permissions, and take a use of its limits.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE, also if a quota could not be asked.
    """
    use = verification.requiring(body.permissions, body.client_ip, body.cost)
    result = verification.verify(body.key, use)
    return UnknownApiKey() if isinstance(result, UnknownKey) else views.verified(result)


def current(holder: KeyHolder) -> CurrentApiKey:
    """Show a key to its holder, in one request to DynamoDB; the authorizer has just verified it.

    Raises:
        ServiceError: UNAUTHORIZED if it was deleted since; SERVICE_UNAVAILABLE.
    """
    credential = credentials.read(holder.organization_id, holder.key_id)
    if credential is None:
        raise ServiceError(UNAUTHORIZED, reason="deleted since it was verified")
    return views.current(credential.key)
