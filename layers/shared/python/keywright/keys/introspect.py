"""Verifying a key for a backend, and showing a key to its holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.schemas import UndecidedApiKey, UnknownApiKey, VerifiedApiKeys
from keywright.errors import UNAUTHORIZED, ServiceError
from keywright.keys import verification, views
from keywright.keys.outcome import UndecidedKey, UnknownKey
from keywright.store import credentials

if TYPE_CHECKING:
    from keywright.api.schemas import CurrentApiKey, VerifiedApiKey, VerifyApiKey, VerifyApiKeys
    from keywright.domain.principals import KeyHolder
    from keywright.keys.outcome import Verification
    from keywright.keys.verification import Use


def verify(body: VerifyApiKey) -> VerifiedApiKey | UnknownApiKey:
    """Verify a key, check that it has the required permissions, and take a use of its limits.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE, also if a quota could not be asked.
    """
    return _shown(verification.verify(body.key, _use(body)))


def verify_all(body: VerifyApiKeys) -> VerifiedApiKeys:
    """Verify keys as `verify` does with each of them, and return the results in order.

    A key that could not be decided is a result too: the others have been used.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the keys could not be read; none has been used then.
    """
    results = verification.verify_all([(each.key, _use(each)) for each in body.verifications])
    return VerifiedApiKeys(
        results=[UndecidedApiKey() if isinstance(result, UndecidedKey) else _shown(result) for result in results]
    )


def _use(body: VerifyApiKey) -> Use:
    return verification.requiring(body.permissions, body.client_ip, body.cost)


def _shown(result: Verification) -> VerifiedApiKey | UnknownApiKey:
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
