"""Reading the audit log of an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Listing, Pagination
from keywright.api.schemas import AuditLog, AuditLogActor
from keywright.domain.permissions import Role
from keywright.domain.principals import ActorType
from keywright.store import audit, authorization, table

if TYPE_CHECKING:
    from keywright.api.schemas import ListAuditLogsQuery
    from keywright.domain.principals import Member
    from keywright.store.audit import AuditRecord


def list_logs(member: Member, query: ListAuditLogsQuery) -> Listing[AuditLog]:
    """List the organization's audit records, newest first. Pages are full, however many records are filtered out.

    Raises:
        ServiceError: FORBIDDEN unless the member is an admin or owner; SERVICE_UNAVAILABLE.
    """
    authorization.read_as(member, Role.ADMIN)
    records = audit.AuditFilter(
        events=query.event,
        actor_types=query.actor_type,
        actor_user_id=query.actor_user_id,
        actor_api_key_id=query.actor_api_key_id,
        target_id=query.target_id,
        created_from=query.created_from,
        created_to=query.created_to,
    )
    # One more than the page holds shows whether there is another page.
    newest = audit.newest_records(member.organization_id, query.starting_after, records, query.limit + 1, clock.now())
    page, next_cursor = table.page_of(newest, query.limit, lambda record: record.record_id)
    return Listing([shown(record) for record in page], Pagination(query.limit, next_cursor))


def shown(record: AuditRecord) -> AuditLog:
    """Return a record as the API shows it."""
    return AuditLog(
        id=record.record_id,
        event=record.event,
        actor=AuditLogActor(type=record.actor_type, id=record.actor_id, name=_actor_name(record)),
        target_id=record.target_id,
        target_type=record.target_type,
        changes=record.changes,
        source_ip=record.source_ip,
        request_id=record.request_id,
        created_at=record.created_at,
        received_at=record.received_at,
        reason=record.reason,
    )


def _actor_name(record: AuditRecord) -> str | None:
    """Return the name that the record itself has of its actor: events are made of the record alone."""
    match record.actor_type:
        case ActorType.API_KEY if record.actor_id == record.target_id:
            return _name_before(record)
        case ActorType.OPERATOR if record.actor_id.startswith("arn:"):
            # user/path/NAME, assumed-role/role/SESSION or federated-user/NAME; names have no slash ("IAM identifiers").
            _, slash, name = record.actor_id.rpartition("/")
            return name if slash else None
        case ActorType.SYSTEM:
            return record.actor_id.replace("_", " ")
    return None


def _name_before(record: AuditRecord) -> str | None:
    match record.changes:
        case {"before": {"name": str(name)}}:
            return name
    return None
