"""Rotating a key. Its new text is shown once; the audit record is in the same transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Replayed
from keywright.api.schemas import RotatedApiKey
from keywright.domain import key_text
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role
from keywright.errors import CONFLICT, ServiceError
from keywright.immutable import replace
from keywright.keys import secret, views
from keywright.keys.replay import once, repeatable
from keywright.store import api_keys, audit, authorization, layout, pepper, table, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from keywright.api.schemas import RotateApiKey
    from keywright.domain.principals import Actor, Member, Origin
    from keywright.domain.revocation_reason import RevocationReason
    from keywright.keys.replay import Repeatable
    from keywright.keys.secret import NewSecret
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.table import Step
    from keywright.store.usage import Usage

_ATTEMPTS = 2


def rotate(
    member: Member, origin: Origin, key_id: UUID, body: RotateApiKey, idempotency_key: str | None
) -> RotatedApiKey | Replayed:
    """Rotate a key to a new secret. The previous one works for the grace period, and no longer than the key.

    At most two secrets are valid: rotating again within a grace period retires the older one. Whether the key is
    enabled and when it expires stays as it is. Without a grace period, the report of a leak is cleared: the reported
    text works no longer.

    Raises:
        ServiceError: as of `create`; also API_KEY_NOT_FOUND, and CONFLICT after two lost races or too many rotations.
    """
    request = repeatable(member, idempotency_key, f"rotate {key_id}", body)

    def act() -> RotatedApiKey | Replayed:
        return table.retry_on_conflict(lambda: _rotate(member, origin, key_id, body, request), _ATTEMPTS)

    return once(request, RotatedApiKey, act)


def _rotate(
    member: Member, origin: Origin, key_id: UUID, body: RotateApiKey, request: Repeatable | None
) -> RotatedApiKey | Replayed:
    keyring = pepper.keyring()
    sort_keys = [
        layout.api_key_sort_key(key_id),
        layout.usage_sort_key(key_id),
        *([request.sort_key] if request else []),
    ]
    items = authorization.read_to_change(member, Role.ADMIN, *sort_keys)
    # Before the key: an answered request may be repeated when the key is gone.
    kept = request.kept_among(items) if request else None
    if request and kept:
        return Replayed(request.replay(kept, RotatedApiKey, keyring))
    before = api_keys.require(items, key_id)

    def steps(rotated: RotatedApiKey, now: datetime) -> list[Step]:
        return [
            *authorization.conditions(member, Role.ADMIN),
            *([request.keep(rotated, keyring, now)] if request else []),
        ]

    used = usage.usage_of(items, key_id)
    grace_period, reason = timedelta(seconds=body.grace_period_seconds), views.reason_of(body.reason)
    return commit_rotation(before, used, grace_period, member.actor, origin, steps, reason)


def commit_rotation(  # noqa: PLR0913, PLR0917 - all of what two callers know
    before: ApiKeyRecord,
    used: Usage,
    grace_period: timedelta,
    actor: Actor,
    origin: Origin | None,
    steps: Callable[[RotatedApiKey, datetime], Sequence[Step]],
    reason: RevocationReason | None = None,
) -> RotatedApiKey:
    """Rotate a key to a new secret, with the audit record; for members and operators alike.

    Args:
        before: the key as it was read.
        used: its usage, for the answer.
        grace_period: how long the previous secret works.
        actor: who rotates it.
        origin: of the request, if there was one.
        steps: takes the answer and its time, and returns the steps before those of the key.
        reason: why it is rotated, if that was said.

    Raises:
        Conflict: the key is not as it was read.
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE, CONFLICT after too many rotations, and what the steps say.
    """
    if before.generation >= key_text.MAX_GENERATION:
        raise ServiceError(
            CONFLICT,
            f"The API key was rotated {key_text.MAX_GENERATION} times, which is the maximum",
            hint="Create a new key to replace it.",
        )
    drawn = secret.draw(pepper.keyring(), before.organization_id, before.key_id, before.generation + 1)
    now = clock.after(before.updated_at)
    after = _rotated(before, drawn, now, grace_period)
    rotated = RotatedApiKey(
        message="The API key was rotated",
        api_key=views.details(after, used),
        id=str(before.key_id),
        key=drawn.text,
        previous_key_expires_at=clock.rfc3339(after.previous_expires_at) if after.previous_expires_at else None,
    )
    is_cleared = before.leak is not None and after.leak is None
    change = audit.Change(
        AuditEvent.API_KEY_ROTATED,
        "api_key",
        str(before.key_id),
        before={"generation": before.generation} | ({"leak": before.audited()["leak"]} if is_cleared else {}),
        after={"generation": after.generation, "previousKeyExpiresAt": rotated.previous_key_expires_at}
        | ({"leak": None} if is_cleared else {}),
        reason=reason,
    )
    table.commit(
        [*steps(rotated, now), api_keys.replace(before, after)],
        audit.put(before.organization_id, actor, origin, change, now),
    )
    return rotated


def _rotated(before: ApiKeyRecord, drawn: NewSecret, now: datetime, grace_period: timedelta) -> ApiKeyRecord:
    previous_expires_at = now + grace_period
    if before.expires_at is not None:
        previous_expires_at = min(previous_expires_at, before.expires_at)
    has_grace = previous_expires_at > now
    return replace(
        before,
        hash=drawn.hash,
        hint=drawn.hint,
        generation=before.generation + 1,
        previous_hash=before.hash if has_grace else None,
        previous_expires_at=previous_expires_at if has_grace else None,
        leak=before.leak if has_grace else None,
        updated_at=now,
        version=before.version + 1,
    )
