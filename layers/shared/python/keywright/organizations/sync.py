"""Events of the identity provider, from the queue: applied, sent to the dead-letter queue, or retried."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright import clock, deadline
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import MemberChange, OrganizationChange
from keywright.domain.permissions import Role
from keywright.errors import ServiceError
from keywright.ids import organization_uuid
from keywright.log import describe, logger
from keywright.organizations.apply import ProviderEvent, ShortGraceError, apply
from keywright.organizations.events import (
    MemberAdded,
    MemberRoleChanged,
    MemberUpdated,
    OrganizationCreated,
    OrganizationDeletionCanceled,
    OrganizationDeletionRequested,
    OrganizationUpdated,
    UnusableEventError,
    parse_event,
)
from keywright.settings import settings
from keywright.store import dead_letters, purges
from keywright.store.organizations import PurgedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keywright.api.lambda_types import BatchAnswer, LambdaContext, QueueEvent, QueueMessage
    from keywright.organizations.events import OrganizationEvent

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the provider's clock may be ahead of ours. An event of next year would win over every event until then."""

_OUTDATED = "outdated"


def sync(event: QueueEvent, context: LambdaContext) -> BatchAnswer:
    """Apply each event of a batch.

    An event that no retry can help goes to the dead-letter queue at once. Any other failure is named in the answer, and
    SQS delivers that event again, alone.
    """
    with deadline.within(context.get_remaining_time_in_millis()):
        again = [message["messageId"] for message in event["Records"] if not _is_done(message, context.aws_request_id)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def _is_done(message: QueueMessage, request_id: str) -> bool:
    about: dict[str, object] = {
        "operation": "sync_organizations",
        "request_id": request_id,
        "message_id": message["messageId"],
    }
    try:
        try:
            _apply(message["body"], about)
        except UnusableEventError as error:
            dead_letters.put_dead_letter(settings().dead_letter_queue_url, message["body"], str(error))
            logger().error("event put aside", extra={**about, "reason": str(error)})
    except ServiceError as error:
        logger().warning("event comes again", extra={**about, "reason": error.reason or error.error.code})
        return False
    except Exception as error:  # noqa: BLE001 - one event must not fail the rest of its batch
        logger().error("unexpected error", extra={**about, "details": describe(error)})
        return False
    return True


def _apply(body: str, about: dict[str, object]) -> None:
    event = parse_event(body)
    detail = event.detail
    organization_id = organization_uuid(detail.organization.id)
    about |= {"event": event.type, "event_id": detail.event_id, "organization_id": str(organization_id)}
    if detail.time > clock.now() + CLOCK_TOLERANCE:
        raise UnusableEventError("detail.time lies in the future")
    for change in changes(event):
        provider_event = ProviderEvent(event.source, detail.event_id, detail.time, organization_id, change)
        try:
            outcome = apply(provider_event).value
        except PurgedError:
            outcome = _after_the_purge(provider_event)
        except ShortGraceError:
            outcome = _unless_purged(provider_event)
        logger().info("event", extra={**about, "outcome": outcome})


def _after_the_purge(event: ProviderEvent) -> str:
    """Ignore an event of before the purge; a later one is an operator's to look at.

    Raises:
        UnusableEventError: the event is later.
    """
    purged_at = purges.began_at(event.organization_id)
    if purged_at is None or event.at > purged_at:
        raise UnusableEventError("the organization was deleted for good, and cannot come back")
    return _OUTDATED


def _unless_purged(event: ProviderEvent) -> str:
    """Ignore a late request for a deletion that was carried out since; any other is an operator's to look at.

    Raises:
        UnusableEventError: the organization was not purged, or was purged before the request.
    """
    if purges.began_at(event.organization_id) is None:
        raise UnusableEventError("detail.time is so long ago that more than half of the grace period is over")
    return _after_the_purge(event)


def changes(event: OrganizationEvent) -> Iterator[OrganizationChange | MemberChange]:
    """Return the changes of an event, in most cases one."""
    match event:
        case OrganizationCreated():
            yield OrganizationChange(AuditEvent(event.type), event.detail.organization.name)
        case OrganizationUpdated():
            updated = event.detail.organization
            yield OrganizationChange(AuditEvent(event.type), updated.name or None, updated.settings)
        case OrganizationDeletionRequested() | OrganizationDeletionCanceled():
            yield OrganizationChange(AuditEvent(event.type))
        case MemberAdded():
            yield MemberChange(AuditEvent.MEMBER_ADDED, event.detail.member.user_id, Role(event.detail.member.role))
        case MemberRoleChanged():
            member = event.detail.member
            yield MemberChange(AuditEvent.MEMBER_ROLE_CHANGED, member.user_id, Role(member.role))
        case MemberUpdated():
            state = event.detail.member
            if "role" in state.model_fields_set:
                yield MemberChange(AuditEvent.MEMBER_ROLE_CHANGED, state.user_id, Role(state.role))
            if "suspended" in state.model_fields_set:
                kind = AuditEvent.MEMBER_SUSPENDED if state.suspended else AuditEvent.MEMBER_REINSTATED
                yield MemberChange(kind, state.user_id)
        case _:
            yield MemberChange(AuditEvent(event.type), event.detail.member.user_id)
