"""Purging organizations whose grace period is over, in batches; the next run continues where time was up."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, TypedDict

from keywright import clock, deadline
from keywright.aws.retries import ThrottledError
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import Actor, ActorType
from keywright.errors import ServiceError
from keywright.log import describe, logger
from keywright.store import audit, organizations, purges
from keywright.store.table import Conflict

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.api.lambda_types import LambdaContext
    from keywright.store.purges import ScheduledDeletion

LEAST_SECONDS = 10.0
"""No batch begins with less time left: reading and deleting it may each take a retry or two."""


class PurgeAnswer(TypedDict):
    """Numbers of organizations that were due; only an operator who invokes the function sees them.

    Attributes:
        purged: completed.
        kept: their deletion was canceled or is scheduled for a later time.
        unfinished: continued by the next run, because time was up.
    """

    purged: int
    kept: int
    unfinished: int


class PurgeFailedError(Exception):
    """Some organization could not be purged; the log says why. All others were processed."""


class _Outcome(Enum):
    PURGED = "purged"
    KEPT = "kept"
    UNFINISHED = "unfinished"


def purge(context: LambdaContext) -> PurgeAnswer:
    """Purge the organizations that are due, the earliest first.

    A run that is killed anywhere is continued by the next one, which reads what is left.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; the rest is left to the next run.
        PurgeFailedError: after all others, if an unexpected error stopped one.
    """
    outcomes: Counter[_Outcome] = Counter()
    failed = 0
    with deadline.within(context.get_remaining_time_in_millis()):
        for scheduled in purges.due(clock.now()):
            about: dict[str, object] = {
                "operation": "purge_organizations",
                "request_id": context.aws_request_id,
                "organization_id": str(scheduled.organization_id),
            }
            try:
                outcome = _purge(scheduled, context.aws_request_id)
            except ServiceError:
                raise
            except Exception as error:  # noqa: BLE001 - one organization must not stop the others
                failed += 1
                logger().error("unexpected error", extra={**about, "details": describe(error)})
                continue
            logger().info("purge", extra={**about, "outcome": outcome.value})
            outcomes[outcome] += 1
            if outcome is _Outcome.UNFINISHED:
                break
    if failed:
        raise PurgeFailedError(f"{failed} organizations could not be purged")
    return PurgeAnswer(
        purged=outcomes[_Outcome.PURGED],
        kept=outcomes[_Outcome.KEPT],
        unfinished=outcomes[_Outcome.UNFINISHED],
    )


def _purge(scheduled: ScheduledDeletion, request_id: str) -> _Outcome:
    if _is_late():
        return _Outcome.UNFINISHED
    try:
        purges.begin(scheduled, _requested_by(scheduled.organization_id), request_id, clock.now())
    except purges.HasBegunError:
        pass
    except purges.NotDueError:
        return _forget(scheduled)
    try:
        return _go_on(scheduled)
    except purges.IsOverError:
        return _Outcome.PURGED


def _go_on(scheduled: ScheduledDeletion) -> _Outcome:
    batch_items = purges.BATCH_ITEMS
    while items := purges.remaining(scheduled.organization_id, batch_items):
        if _is_late():
            return _Outcome.UNFINISHED
        try:
            purges.delete_batch(scheduled.organization_id, items)
        except Conflict:
            continue
        except ThrottledError:
            if len(items) == 1:
                raise
            batch_items = len(items) // 2
    purges.finish(scheduled, clock.now())
    return _Outcome.PURGED


def _forget(scheduled: ScheduledDeletion) -> _Outcome:
    with suppress(Conflict):  # scheduled again for that very time: the next run purges it
        purges.forget(scheduled)
    return _Outcome.KEPT


def _requested_by(organization_id: UUID) -> Actor | None:
    """Return who requested the deletion, by the audit record of the request; None without such a record."""
    requested = organizations.parse_organization(organizations.item_of(organization_id)).deletion.as_of
    if requested is None:
        return None
    requests = audit.AuditFilter(
        events=[AuditEvent.ORGANIZATION_DELETION_REQUESTED], created_from=requested.at, created_to=requested.at
    )
    record = next(audit.newest_records(organization_id, None, requests, 1, clock.now()), None)
    return None if record is None else Actor(ActorType(record.actor_type), record.actor_id)


def _is_late() -> bool:
    return deadline.remaining_seconds() < LEAST_SECONDS
