"""Changing the fields of a key, for members and operators alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.errors import API_KEY_LEAKED, ServiceError
from keywright.immutable import replace
from keywright.store import api_keys, audit, expiries, limits, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keywright.domain.principals import Actor, Origin
    from keywright.domain.revocation_reason import RevocationReason
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.table import Step


def commit_change(  # noqa: PLR0913 - all of what its callers know
    before: ApiKeyRecord,
    fields: Mapping[str, Any],
    actor: Actor,
    origin: Origin | None,
    conditions: Sequence[Step],
    *,
    event: AuditEvent = AuditEvent.API_KEY_UPDATED,
    reason: RevocationReason | None = None,
) -> ApiKeyRecord:
    """Change fields of a key, with the audit record; return the key as it is then.

    Args:
        before: the key as it was read.
        fields: of ApiKeyRecord, with their new values.
        actor: who changes it.
        origin: of the request, if there was one.
        conditions: what has to hold besides.
        event: of the audit record.
        reason: why the key is disabled, if it is.

    Raises:
        Conflict: the key is not as it was read.
        ServiceError: API_KEY_LEAKED if it would enable a key and keep the report of a leak; API_KEY_NOT_FOUND,
            SERVICE_UNAVAILABLE, and what the conditions say.
    """
    now = clock.after(before.updated_at)
    after = replace(before, **fields, updated_at=now, version=before.version + 1)
    if after.enabled and not before.enabled and after.leak is not None:
        raise ServiceError(API_KEY_LEAKED)
    table.commit(
        [
            *conditions,
            api_keys.replace(before, after),
            *limits.steps(before.key_id, had_limits=before.has_limits, has_limits=after.has_limits),
            *expiries.steps(before, after),
        ],
        audit.put(before.organization_id, actor, origin, _difference(before, after, event, reason), now),
    )
    return after


def _difference(
    before: ApiKeyRecord, after: ApiKeyRecord, event: AuditEvent, reason: RevocationReason | None
) -> audit.Change:
    """Return what an update changed, without the fields that stayed."""
    old, new = before.audited(), after.audited()
    if before.previous_expires_at != after.previous_expires_at:
        old["previousKeyExpiresAt"] = _time_of(before.previous_expires_at)
        new["previousKeyExpiresAt"] = _time_of(after.previous_expires_at)
    changed = [name for name in (old | new) if json.dumps(old.get(name)) != json.dumps(new.get(name))]
    return audit.Change(
        event,
        "api_key",
        str(before.key_id),
        before={name: old.get(name) for name in changed},
        after={name: new.get(name) for name in changed},
        reason=reason,
    )


def _time_of(moment: datetime | None) -> str | None:
    return None if moment is None else clock.rfc3339(moment)
