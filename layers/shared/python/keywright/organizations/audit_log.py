"""Reading the audit log of an organization."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Listing, Pagination
from keywright.api.schemas import AuditLog, AuditLogActor
from keywright.domain.permissions import Role
from keywright.store import audit, organizations, table

if TYPE_CHECKING:
    from keywright.api.schemas import ListAuditLogsQuery
    from keywright.domain.principals import Member
    from keywright.store.audit import AuditRecord


def list_logs(member: Member, query: ListAuditLogsQuery) -> Listing[AuditLog]:
    """List the organization's audit records, newest first; a page is full whatever is filtered out.

    Raises:
        ServiceError: FORBIDDEN unless the member is an admin or owner; SERVICE_UNAVAILABLE.
    """
    organizations.require(
        member, Role.ADMIN, table.read(member.organization_id, [organizations.member_sort_key(member)])
    )
    wanted = audit.AuditFilter(
        events=query.event,
        actor_user_id=query.actor_user_id,
        actor_api_key_id=query.actor_api_key_id,
        target_id=query.target_id,
        created_from=query.created_from,
        created_to=query.created_to,
    )
    # One more than the page holds tells whether there is another page.
    newest = audit.newest(member.organization_id, query.starting_after, wanted, query.limit + 1, clock.now())
    records = list(islice(newest, query.limit + 1))
    page = records[: query.limit]
    return Listing(
        [_shown(record) for record in page],
        Pagination(query.limit, page[-1].record_id if len(records) > len(page) else None),
    )


def _shown(record: AuditRecord) -> AuditLog:
    return AuditLog(
        id=record.record_id,
        event=record.event,
        actor=AuditLogActor(type=record.actor_type, id=record.actor_id),
        target_id=record.target_id,
        target_type=record.target_type,
        changes=record.changes,
        source_ip=record.source_ip,
        request_id=record.request_id,
        created_at=record.created_at,
        received_at=record.received_at,
    )
