"""Issuing secrets: a new key, and a new secret for a key. Each is shown once, and audited in the same transaction."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Replayed
from keywright.api.fields import metadata_text
from keywright.api.schemas import CreatedApiKey, RotatedApiKey
from keywright.api.validation import not_in_future
from keywright.domain import key_hash, key_text
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role
from keywright.errors import API_KEY_NOT_FOUND, CONFLICT, ServiceError
from keywright.ids import uuid7
from keywright.keys.replay import Repeatable
from keywright.settings import settings
from keywright.store import api_keys, audit, idempotency, organizations, pepper, table

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from keywright.api.schemas import CreateApiKey, RotateApiKey
    from keywright.domain.keyring import Keyring
    from keywright.domain.principals import Member, Origin
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.table import Item


@dataclass(frozen=True, slots=True)
class _Secret:
    """A freshly drawn secret of a key."""

    text: str = field(repr=False)
    hash: str = field(repr=False)
    hint: str


def create(member: Member, origin: Origin, body: CreateApiKey, idempotency_key: str | None) -> CreatedApiKey | Replayed:
    """Issue a key to the member's organization, in one request to DynamoDB and one hash.

    Raises:
        ServiceError: FORBIDDEN unless the member is an admin or owner and not suspended; ORGANIZATION_FROZEN;
            IDEMPOTENCY_KEY_REUSED; SERVICE_UNAVAILABLE. Nothing is written then, except that the outcome of a 503
            is unknown.
    """
    keyring = pepper.keyring()
    repeatable = _repeatable(member, idempotency_key, "create", body)
    if body.expires_at is not None and body.expires_at <= clock.now():
        return _repeated_after_expiry(member, repeatable, keyring)
    key_id = uuid7()
    secret = _draw(keyring, member.organization_id, key_id, generation=0)
    now = clock.now()
    record = api_keys.ApiKeyRecord(
        organization_id=member.organization_id,
        key_id=key_id,
        name=body.name,
        permissions=tuple(body.permissions),
        metadata=metadata_text(body.metadata),
        hash=secret.hash,
        generation=0,
        hint=secret.hint,
        created_by=member.user_id,
        created_at=now,
        updated_at=now,
        expires_at=body.expires_at,
    )
    created = CreatedApiKey(id=str(key_id), key=secret.text)
    change = audit.Change(AuditEvent.API_KEY_CREATED, "api_key", str(key_id), before=None, after=record.audited())
    try:
        table.commit(
            [
                *organizations.authorization(member, Role.ADMIN),
                *([repeatable.keep(created, keyring, now)] if repeatable else []),
                api_keys.put(record),
            ],
            audit.put(member.organization_id, member.actor, origin, change, now),
        )
    except idempotency.AlreadyAnsweredError as answered:
        return Replayed(_given(repeatable).replay(answered.kept, CreatedApiKey, keyring))
    return created


def _repeated_after_expiry(member: Member, repeatable: Repeatable | None, keyring: Keyring) -> Replayed:
    """Give the answer of an earlier request, whose expiry was still to come then; refuse it if there is none."""
    if repeatable is None:
        raise not_in_future("expiresAt")
    try:
        _read(member, repeatable)
    except idempotency.AlreadyAnsweredError as answered:
        return Replayed(repeatable.replay(answered.kept, CreatedApiKey, keyring))
    raise not_in_future("expiresAt")


def rotate(
    member: Member, origin: Origin, key_id: UUID, body: RotateApiKey, idempotency_key: str | None
) -> RotatedApiKey | Replayed:
    """Give a key a new secret; the previous one goes on working for the grace period, and no longer than the key.

    At most two secrets are ever valid: rotating again within a grace period retires the older one. Whether the key
    is enabled and when it expires stays as it is.

    Raises:
        ServiceError: as of `create`; also API_KEY_NOT_FOUND, and CONFLICT if somebody else was quicker, twice.
    """
    repeatable = _repeatable(member, idempotency_key, f"rotate {key_id}", body)
    for _ in range(2):
        try:
            return _rotate_once(member, origin, key_id, body, repeatable)
        except idempotency.AlreadyAnsweredError as answered:
            return Replayed(_given(repeatable).replay(answered.kept, RotatedApiKey, pepper.keyring()))
        except api_keys.ChangedMeanwhileError:
            continue
    raise api_keys.changed_too_often()


def _rotate_once(
    member: Member,
    origin: Origin,
    key_id: UUID,
    body: RotateApiKey,
    repeatable: Repeatable | None,
) -> RotatedApiKey:
    keyring = pepper.keyring()
    items = _read(member, repeatable, api_keys.sort_key(key_id))
    item = items.get(api_keys.sort_key(key_id))
    if item is None:
        raise ServiceError(API_KEY_NOT_FOUND)
    before = api_keys.parse(item)
    if before.generation >= key_text.MAX_GENERATION:
        raise ServiceError(
            CONFLICT,
            f"The API key was rotated {key_text.MAX_GENERATION} times, which is the maximum",
            hint="Create a new key to replace it.",
        )
    secret = _draw(keyring, member.organization_id, key_id, before.generation + 1)
    now = clock.after(before.updated_at)
    after = _rotated(before, secret, now, timedelta(seconds=body.grace_period_seconds))
    rotated = RotatedApiKey(
        id=str(key_id),
        key=secret.text,
        previous_key_expires_at=clock.rfc3339(after.previous_expires_at) if after.previous_expires_at else None,
    )
    change = audit.Change(
        AuditEvent.API_KEY_ROTATED,
        "api_key",
        str(key_id),
        before={"generation": before.generation},
        after={"generation": after.generation, "previousKeyExpiresAt": rotated.previous_key_expires_at},
    )
    table.commit(
        [
            *organizations.authorization(member, Role.ADMIN),
            *([repeatable.keep(rotated, keyring, now)] if repeatable else []),
            api_keys.replace(before, after),
        ],
        audit.put(member.organization_id, member.actor, origin, change, now),
    )
    return rotated


def _read(member: Member, repeatable: Repeatable | None, *sort_keys: str) -> dict[str, Item]:
    """Read what is named, for a member who may issue secrets now.

    Raises:
        AlreadyAnsweredError: the request was answered within the last day; by now its key may even be gone.
        ServiceError: FORBIDDEN, ORGANIZATION_FROZEN, SERVICE_UNAVAILABLE.
    """
    wanted = [organizations.member_sort_key(member), organizations.ORGANIZATION, *sort_keys]
    items = table.read(member.organization_id, [*wanted, repeatable.sort_key] if repeatable else wanted)
    organizations.require(member, Role.ADMIN, items)
    organizations.require_active(items)
    kept = idempotency.live(items.get(repeatable.sort_key), clock.now()) if repeatable else None
    if kept is not None:
        raise idempotency.AlreadyAnsweredError(kept)
    return items


def _rotated(before: ApiKeyRecord, secret: _Secret, now: datetime, grace_period: timedelta) -> ApiKeyRecord:
    previous_expires_at = now + grace_period
    if before.expires_at is not None:
        previous_expires_at = min(previous_expires_at, before.expires_at)
    has_grace = previous_expires_at > now
    return replace(
        before,
        hash=secret.hash,
        hint=secret.hint,
        generation=before.generation + 1,
        previous_hash=before.hash if has_grace else None,
        previous_expires_at=previous_expires_at if has_grace else None,
        updated_at=now,
        version=before.version + 1,
    )


def _draw(keyring: Keyring, organization_id: UUID, key_id: UUID, generation: int) -> _Secret:
    payload = key_text.payload(
        pepper_version=keyring.current_version,
        organization_id=organization_id,
        key_id=key_id,
        generation=generation,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    prefix = settings().key_prefix
    text = key_text.encode(prefix, payload, keyring.current.tag_key)
    return _Secret(
        text=text,
        hash=key_hash.hash_digest(key_hash.keyed_digest(payload, keyring.current.hash_key), settings().argon2),
        hint=key_text.hint(text, prefix),
    )


def _repeatable(
    member: Member, idempotency_key: str | None, operation: str, body: CreateApiKey | RotateApiKey
) -> Repeatable | None:
    return None if idempotency_key is None else Repeatable(member, idempotency_key, operation, body)


def _given(repeatable: Repeatable | None) -> Repeatable:
    assert repeatable is not None, "only a request with an Idempotency-Key can have been answered before"  # noqa: S101
    return repeatable
