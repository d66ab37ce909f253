"""Announcing keys that expire: 30, 7 and 1 days before, and when they have expired, each once.

A run reads the expiries of the next 30 days, the earliest first, so that what is urgent is announced first. One that is
killed or short of time is continued by the next; it reads again what was announced, and sends nothing for it. Lambda
repeats one that fails, as one that is short of time does, after a minute and after two more; the next is an hour later
("Error handling for asynchronous invocation"). If a run comes late, only the most urgent notice that is due is given.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, TypedDict

from keywright import clock, deadline
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import Actor, ActorType
from keywright.log import describe, logger
from keywright.store import audit, expiries, layout, table
from keywright.store.table import Conflict, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from keywright.api.lambda_types import LambdaContext
    from keywright.store.expiries import DueNotice

LEAST_SECONDS = 10.0
"""No notice begins with less time left: it may take a retry or two."""
ACTOR = Actor(ActorType.SYSTEM, "expirations")
"""The actor of the audit records."""

_MOST_READ_AT_ONCE = 100  # Amazon DynamoDB API Reference, BatchGetItem


class AnnouncementsAnswer(TypedDict):
    """Numbers of keys; only an operator who invokes the function sees them.

    Attributes:
        expiring: announced before their expiry.
        expired: announced after it.
        forgotten: expiries that were deleted, because no key expires then.
        unfinished: left to the next run, because they changed meanwhile.
    """

    expiring: int
    expired: int
    forgotten: int
    unfinished: int


class AnnouncementsFailedError(Exception):
    """Some key could not be announced, or time was up; the log says why. All others were processed."""


class _Outcome(Enum):
    EXPIRING = "expiring"
    EXPIRED = "expired"
    FORGOTTEN = "forgotten"
    UNFINISHED = "unfinished"
    FAILED = "failed"
    LATE = "late"


def announce(context: LambdaContext) -> AnnouncementsAnswer:
    """Announce the keys that are due for a notice.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if expiries cannot be read; the rest is left to the next run.
        AnnouncementsFailedError: after all others, if one failed; or time was up.
    """
    about: dict[str, object] = {"operation": "announce_expirations", "request_id": context.aws_request_id}
    outcomes: Counter[_Outcome] = Counter()
    with deadline.within(context.get_remaining_time_in_millis()):
        due = expiries.due(clock.now())
        while batch := list(islice(due, _MOST_READ_AT_ONCE)):
            if _is_late():
                outcomes[_Outcome.LATE] += len(batch)
                break
            outcomes.update(_outcomes(batch, about))
    outcome = ", ".join(f"{each.value} {outcomes[each]}" for each in _Outcome)
    logger().info("expirations", extra={**about, "outcome": outcome})
    if outcomes[_Outcome.FAILED]:
        raise AnnouncementsFailedError(f"{outcomes[_Outcome.FAILED]} keys could not be announced")
    if outcomes[_Outcome.LATE]:
        raise AnnouncementsFailedError("time was up; the next run goes on")
    return AnnouncementsAnswer(
        expiring=outcomes[_Outcome.EXPIRING],
        expired=outcomes[_Outcome.EXPIRED],
        forgotten=outcomes[_Outcome.FORGOTTEN],
        unfinished=outcomes[_Outcome.UNFINISHED],
    )


def _outcomes(batch: Sequence[DueNotice], about: dict[str, object]) -> Iterator[_Outcome]:
    """Announce the keys of a batch, and yield the outcome of each. What one key causes must not hold up the others."""
    try:
        names = _names(batch)
    except Exception as error:  # noqa: BLE001 - see above
        logger().error("keys not read", extra={**about, "details": describe(error)})
        yield from [_Outcome.FAILED] * len(batch)
        return
    for notice in batch:
        try:
            yield _Outcome.LATE if _is_late() else _announce(notice, names.get(notice.key_id))
        except Conflict:  # the key has changed since, or another run was faster
            yield _Outcome.UNFINISHED
        except Exception as error:  # noqa: BLE001 - see above
            of_key = {"organization_id": str(notice.organization_id), "key_id": str(notice.key_id)}
            logger().error("key not announced", extra={**about, **of_key, "details": describe(error)})
            yield _Outcome.FAILED


def _names(batch: Sequence[DueNotice]) -> dict[UUID, str]:
    """Return the names, by id, of the keys that expire when the notices say."""
    items = table.read_keys([notice.primary_key_of_api_key for notice in batch])
    names = {}
    for notice in batch:
        item = items.get(layout.api_key_sort_key(notice.key_id))
        if item and text_of(item, "expires_at") == notice.at:
            names[notice.key_id] = text_of(item, "name") or ""
    return names


def _announce(notice: DueNotice, name: str | None) -> _Outcome:
    """Announce a key; delete the expiry if no key expires then."""
    if name is None:
        expiries.forget(notice)
        return _Outcome.FORGOTTEN
    has_expired = notice.days == expiries.EXPIRED
    change = audit.Change(
        AuditEvent.API_KEY_EXPIRED if has_expired else AuditEvent.API_KEY_EXPIRING,
        "api_key",
        str(notice.key_id),
        before=None,
        after={"name": name, "expiresAt": notice.at} | ({} if has_expired else {"days": notice.days}),
        knows_before=False,
    )
    expiries.record_notice(notice, audit.put(notice.organization_id, ACTOR, None, change, clock.now()))
    return _Outcome.EXPIRED if has_expired else _Outcome.EXPIRING


def _is_late() -> bool:
    return deadline.remaining_seconds() < LEAST_SECONDS
