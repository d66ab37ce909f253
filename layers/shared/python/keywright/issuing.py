"""Issuing keys: from a valid request of a member to a key that exists, is audited, and is shown once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from keywright import clock, hashing, tokens
from keywright.ids import uuid7
from keywright.models import CreatedApiKey, metadata_text
from keywright.permissions import Role
from keywright.settings import settings
from keywright.store import api_keys, audit, organizations, peppers, table

if TYPE_CHECKING:
    from keywright.models import CreateApiKeyRequest
    from keywright.principal import Member, Origin


def create(member: Member, origin: Origin, body: CreateApiKeyRequest) -> CreatedApiKey:
    """Issue a key to the member's organization, in one request to DynamoDB and one hash.

    Raises:
        ServiceError: FORBIDDEN unless the member is an admin or owner and not suspended; ORGANIZATION_FROZEN;
            SERVICE_UNAVAILABLE. Nothing is written then, except that the outcome of a 503 is unknown.
    """
    keyring = peppers.keyring()
    key_id = uuid7()
    payload = tokens.payload(
        pepper_version=keyring.current_version,
        organization_id=member.organization_id,
        key_id=key_id,
        generation=0,
        secret=secrets.token_bytes(tokens.SECRET_BYTES),
    )
    prefix = settings().key_prefix
    text = tokens.encode(prefix, payload, keyring.current.tag_key)
    now = clock.now()
    record = api_keys.ApiKeyRecord(
        organization_id=member.organization_id,
        key_id=key_id,
        name=body.name,
        permissions=tuple(body.permissions),
        metadata=metadata_text(body.metadata),
        hash=hashing.hash_payload(payload, keyring.current.hash_key, settings().argon2),
        generation=0,
        hint=tokens.hint(text, prefix),
        created_by=member.user_id,
        created_at=now,
        updated_at=now,
    )
    change = audit.Change(
        audit.AuditEvent.API_KEY_CREATED,
        target_type="api_key",
        target_id=str(key_id),
        before=None,
        after={
            "name": body.name,
            "enabled": True,
            "permissions": body.permissions,
            "metadata": body.metadata,
        },
    )
    table.commit(
        [*organizations.authorization(member, Role.ADMIN, "create API keys"), api_keys.put(record)],
        audit.put(member, origin, change, now),
    )
    return CreatedApiKey(id=str(key_id), key=text)
