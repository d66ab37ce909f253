"""What backends ask about keys, and what the holder of a key may know of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.schemas import CurrentApiKey, UnknownApiKey, VerifiedApiKey
from keywright.errors import UNAUTHORIZED, ServiceError
from keywright.keys import verification
from keywright.keys.verification import Code
from keywright.store import credentials

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.api.schemas import VerifyApiKey
    from keywright.domain.principals import KeyHolder


def verify(body: VerifyApiKey) -> VerifiedApiKey | UnknownApiKey:
    """Tell whether a key is valid and may do what is asked of it.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    outcome = verification.verify(body.key, body.permissions)
    key = outcome.key
    if key is None:
        return UnknownApiKey()
    return VerifiedApiKey(
        valid=outcome.code is Code.VALID,
        code=outcome.code,
        id=str(key.key_id),
        organization_id=str(key.organization_id),
        name=key.name,
        permissions=list(key.permissions),
        missing_permissions=list(outcome.missing_permissions),
        metadata=json.loads(key.metadata),
        expires_at=_shown(key.expires_at),
    )


def current(holder: KeyHolder) -> CurrentApiKey:
    """Show a key to the one who holds it, in one request to DynamoDB; the authorizer has verified it a moment ago.

    Raises:
        ServiceError: UNAUTHORIZED if it was deleted in that moment; SERVICE_UNAVAILABLE.
    """
    credential = credentials.read(holder.organization_id, holder.key_id)
    if credential is None:
        raise ServiceError(UNAUTHORIZED, reason="deleted since it was verified")
    key = credential.key
    return CurrentApiKey(
        id=str(key.key_id),
        organization_id=str(key.organization_id),
        name=key.name,
        permissions=list(key.permissions),
        metadata=json.loads(key.metadata),
        hint=key.hint,
        created_at=clock.rfc3339(key.created_at),
        expires_at=_shown(key.expires_at),
    )


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else clock.rfc3339(moment)
