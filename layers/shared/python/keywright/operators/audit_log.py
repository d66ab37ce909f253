"""Reading and following the audit log of an organization, for operators."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from keywright import clock
from keywright.immutable import replace
from keywright.operators.refusals import require_organization
from keywright.organizations.audit_log import shown
from keywright.store import audit, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from keywright.api.schemas import AuditLog
    from keywright.store.audit import AuditFilter

POLL_SECONDS = 2
LATE_MINUTES = 15
"""How late a record may come to be followed: records are sorted by the time of the change, not of their arrival."""


def latest_records(organization_id: UUID, records: AuditFilter, limit: int) -> tuple[list[AuditLog], bool]:
    """Return the latest records, oldest first, and whether there are older ones.

    Args:
        organization_id: whose log.
        records: which.
        limit: of the records.

    Raises:
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    require_organization(organization_id)
    newest = list(islice(_newest(organization_id, records, limit + 1), limit + 1))
    return newest[:limit][::-1], len(newest) > limit


def following_records(organization_id: UUID, records: AuditFilter, shown_before: list[AuditLog]) -> Iterator[AuditLog]:
    """Yield each new record, forever: as it is written, and also one whose change is up to LATE_MINUTES older.

    Args:
        organization_id: whose log.
        records: which.
        shown_before: the records that are known.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    started = clock.now() if not shown_before else clock.stored(max(record.received_at for record in shown_before))
    known = {record.id for record in shown_before}
    while True:
        earliest = clock.now() - timedelta(minutes=LATE_MINUTES)
        lately = replace(records, created_from=max(filter(None, [records.created_from, earliest])))
        found = list(_newest(organization_id, lately, table.LARGEST_PAGE))[::-1]
        for record in found:
            if record.id not in known and clock.stored(record.received_at) >= started:
                yield record
        known = {record.id for record in found}
        time.sleep(POLL_SECONDS)


def _newest(organization_id: UUID, records: AuditFilter, page_size: int) -> Iterator[AuditLog]:
    size = min(page_size, table.LARGEST_PAGE)
    return map(shown, audit.newest_records(organization_id, None, records, size, clock.now()))
