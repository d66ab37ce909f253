"""Creating a key. Its text is shown once; the audit record is in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keywright import clock
from keywright.api.envelope import Replayed
from keywright.api.schemas import CreatedApiKey
from keywright.api.validation import not_in_future
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role
from keywright.ids import uuid7
from keywright.keys import secret
from keywright.keys.replay import once, repeatable
from keywright.keys.views import stored_fields
from keywright.store import api_keys, audit, authorization, expiries, limits, pepper, table, usage

if TYPE_CHECKING:
    from keywright.api.schemas import CreateApiKey
    from keywright.domain.principals import Member, Origin
    from keywright.keys.replay import Repeatable


def create(member: Member, origin: Origin, body: CreateApiKey, idempotency_key: str | None) -> CreatedApiKey | Replayed:
    """Create a key in the member's organization, in one request to DynamoDB and one hash.

    Raises:
        ServiceError: BAD_REQUEST if the key would be expired; FORBIDDEN unless the member is an admin or owner and not
            suspended; ORGANIZATION_FROZEN; IDEMPOTENCY_KEY_REUSED; SERVICE_UNAVAILABLE. Nothing is written then,
            except that the outcome of a 503 is unknown.
    """
    request = repeatable(member, idempotency_key, "create", body)
    if body.expires_at is not None and body.expires_at <= clock.now():
        return _replay_after_expiry(member, request)
    return once(request, CreatedApiKey, lambda: _create(member, origin, body, request))


def _create(member: Member, origin: Origin, body: CreateApiKey, request: Repeatable | None) -> CreatedApiKey | Replayed:
    keyring = pepper.keyring()
    key_id = uuid7()
    drawn = secret.draw(keyring, member.organization_id, key_id, generation=0)
    now = clock.now()
    fields: dict[str, Any] = stored_fields(body.model_dump())
    record = api_keys.ApiKeyRecord(
        organization_id=member.organization_id,
        key_id=key_id,
        hash=drawn.hash,
        generation=0,
        hint=drawn.hint,
        created_by=member.user_id,
        created_at=now,
        updated_at=now,
        **fields,
    )
    created = CreatedApiKey(id=str(key_id), key=drawn.text)
    change = audit.Change(AuditEvent.API_KEY_CREATED, "api_key", str(key_id), before=None, after=record.audited())
    table.commit(
        [
            *authorization.conditions(member, Role.ADMIN),
            *([request.keep(created, keyring, now)] if request else []),
            api_keys.put(record),
            usage.put(member.organization_id, key_id),
            *limits.steps(key_id, had_limits=False, has_limits=record.has_limits),
            *expiries.steps(None, record),
        ],
        audit.put(member.organization_id, member.actor, origin, change, now),
    )
    return created


def _replay_after_expiry(member: Member, request: Repeatable | None) -> Replayed:
    """Replay the answer of an earlier request, made before `expiresAt`; refuse this one if there is none."""
    if request is not None:
        items = authorization.read_to_change(member, Role.ADMIN, request.sort_key)
        kept = request.kept_among(items)
        if kept is not None:
            return Replayed(request.replay(kept, CreatedApiKey, pepper.keyring()))
    raise not_in_future("expiresAt")
