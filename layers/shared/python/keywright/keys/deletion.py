"""Deleting a key, for members and operators alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.store import api_keys, audit, expiries, imported_texts, limits, table, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright.domain.principals import Actor, Origin
    from keywright.domain.revocation_reason import RevocationReason
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.table import Step

DELETE_ATTEMPTS = 20
"""Far more than an update gets: a revocation should not have to be repeated because of an edit."""


def commit_deletion(
    record: ApiKeyRecord,
    actor: Actor,
    origin: Origin | None,
    conditions: Sequence[Step],
    reason: RevocationReason | None = None,
) -> None:
    """Delete a key and its usage with the audit record; it stops verifying at once.

    Args:
        record: the key as it was read.
        actor: who deletes it.
        origin: of the request, if there was one.
        conditions: what has to hold besides.
        reason: why it is deleted, if that was said.

    Raises:
        Conflict: the key is not as it was read.
        ServiceError: API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE, and what the conditions say.
    """
    key_id = str(record.key_id)
    change = audit.Change(
        AuditEvent.API_KEY_DELETED, "api_key", key_id, before=record.audited(), after=None, reason=reason
    )
    table.commit(
        [
            *conditions,
            api_keys.delete(record),
            usage.delete(record.organization_id, record.key_id),
            *limits.steps(record.key_id, had_limits=record.has_limits, has_limits=False),
            *expiries.steps(record, None),
            *([] if record.imported_as is None else [imported_texts.delete(record.imported_as)]),
        ],
        audit.put(record.organization_id, actor, origin, change, clock.after(record.updated_at)),
    )
