"""Purges: the scheduled deletions that are due, what is left of an organization, and the record of a purge."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from keywright.aws.retries import dynamodb, require_genuine, with_retries
from keywright.clock import rfc3339, stored
from keywright.immutable import immutable, replace
from keywright.settings import table_settings
from keywright.store import expiries, imported_texts, layout, limits
from keywright.store.table import (
    EXISTS,
    Conflict,
    Expression,
    Step,
    check,
    commit,
    delete,
    put_new,
    query,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.domain.principals import Actor
    from keywright.store.layout import Item

BATCH_ITEMS = 49
"""The largest batch. A transaction takes 100 operations: the record, and two for a key with limits, whose second item
is in a separate partition. More are for a key that was imported or expires; a batch of those is smaller. It takes 4 MB;
an item has at most 45 KB, an audit record of much metadata. A batch of those needs 4,410 write units, twice what a
plain write takes, where a partition has 1,000 a second: so a batch that is throttled has to become smaller.
"""

_BATCH_OPERATIONS = 99
"""Besides that on the record."""

LEAST_RECORD_DAYS = 30
"""Longer than any event can be on its way: a day with EventBridge, and 14 days in each of the two queues."""


class NotDueError(Exception):
    """The deletion was canceled, or is scheduled for another time."""


class HasBegunError(Exception):
    """The purge has begun already."""


class IsOverError(Exception):
    """Another invocation completed the purge."""


class StoppedError(Exception):
    """There is no record of the purge: it has not begun, or an operator deleted the record."""


@immutable
class ScheduledDeletion:
    """An organization that is to be deleted.

    Attributes:
        at: when, RFC 3339, exactly as the organization's item has it.
    """

    organization_id: UUID
    at: str

    @property
    def is_on_organization(self) -> Expression:
        """The condition that the organization's item has this very time."""
        return Expression("pending_deletion_at = :at", {":at": {"S": self.at}})

    @property
    def is_not_on_organization(self) -> Expression:
        """The opposite, also without such an item."""
        return Expression(
            "attribute_not_exists(pending_deletion_at) OR pending_deletion_at <> :at", {":at": {"S": self.at}}
        )


@immutable
class RemainingItem:
    """An item of an organization that is being purged.

    Attributes:
        elsewhere: the deletions of a key's items outside of the organization's partition.
    """

    sort_key: str
    elsewhere: tuple[Step, ...] = ()


def due(now: datetime) -> Iterator[ScheduledDeletion]:
    """Read the scheduled deletions whose time has come, the earliest first, strongly consistent, as they are taken.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    request = {
        "KeyConditionExpression": "pk = :pk AND sk < :end",
        "ExpressionAttributeValues": {
            ":pk": {"S": layout.DELETIONS},
            ":end": {"S": layout.scheduled_after(rfc3339(now))},
        },
    }
    return (ScheduledDeletion(*layout.scheduled_deletion_of(item)) for item in query(request))


def begin(scheduled: ScheduledDeletion, requested_by: Actor | None, request_id: str, now: datetime) -> None:
    """Begin the purge, provided that the deletion is still scheduled for that time.

    From here on it cannot be canceled, and nothing can be written to the organization.

    Args:
        scheduled: a deletion that is due.
        requested_by: who requested it, if known.
        request_id: of the invocation.
        now: when the purge begins.

    Raises:
        NotDueError: the deletion is not scheduled for that time.
        HasBegunError: the purge has begun before.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    item: dict[str, AttributeValueTypeDef] = {
        **layout.purge_key(scheduled.organization_id),
        "event": {"S": "organization.purged"},
        "actor_type": {"S": "system"},
        "actor_id": {"S": "purge_organizations"},
        "target_type": {"S": "organization"},
        "target_id": {"S": str(scheduled.organization_id)},
        "request_id": {"S": request_id},
        "pending_deletion_at": {"S": scheduled.at},
        "created_at": {"S": rfc3339(now)},
        **{_counter(kind): {"N": "0"} for kind in layout.KINDS},
    }
    if requested_by is not None:
        item |= {"requested_by_type": {"S": requested_by.type}, "requested_by_id": {"S": requested_by.id}}
    organization = layout.organization_key(scheduled.organization_id)
    commit(
        [check(organization, scheduled.is_on_organization, lambda _: NotDueError())],
        replace(put_new(item), refused=lambda _: HasBegunError()),
    )


def began_at(organization_id: UUID) -> datetime | None:
    """Return when the purge of an organization began; None if it has not.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    request = {
        "TableName": table_settings().table_name,
        "Key": layout.purge_key(organization_id),
        "ConsistentRead": True,
    }

    def attempt() -> Mapping[str, Any]:
        answer = dynamodb().call("GetItem", request)
        require_genuine(answer)
        return answer.content

    answer = with_retries(attempt)
    return stored(answer["Item"]["created_at"]["S"]) if "Item" in answer else None


def forget(scheduled: ScheduledDeletion) -> None:
    """Delete a scheduled deletion that is not on the organization's item (any more).

    Raises:
        Conflict: it is.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    organization = layout.organization_key(scheduled.organization_id)
    commit([check(organization, scheduled.is_not_on_organization, lambda _: Conflict())], _unschedule(scheduled))


def remaining(organization_id: UUID, batch_items: int) -> list[RemainingItem]:
    """Read what is left of an organization besides its own item, at most `batch_items`.

    From the last to the first: audit records sort first, and every change that is made meanwhile writes one. So if
    nothing is found, nothing is there. No key is given limits or an expiry any more, since the organization is frozen.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    at_most = batch_items + 1  # one of them may be the organization's own
    request = {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": layout.organization_partition(organization_id)}},
        "ProjectionExpression": "sk, rate_limit, #quota, imported_as, expires_at",
        "ExpressionAttributeNames": {"#quota": "quota"},
        "ScanIndexForward": False,
        "Limit": at_most,
    }
    items = [item for item in islice(query(request), at_most) if layout.sort_key_of(item) != layout.ORGANIZATION]
    left = [
        RemainingItem(layout.sort_key_of(item), tuple(_elsewhere(organization_id, item)))
        for item in items[:batch_items]
    ]
    operations = accumulate(1 + len(item.elsewhere) for item in left)
    return [item for item, count in zip(left, operations, strict=True) if count <= _BATCH_OPERATIONS]


def _elsewhere(organization_id: UUID, item: Item) -> Iterator[Step]:
    if "rate_limit" in item or "quota" in item:
        yield limits.delete(layout.key_id_of(item))
    if "imported_as" in item:
        yield imported_texts.delete(item["imported_as"]["S"])
    if "expires_at" in item:
        yield expiries.delete(organization_id, layout.key_id_of(item), item["expires_at"]["S"])


def delete_batch(organization_id: UUID, items: Sequence[RemainingItem]) -> None:
    """Delete items and count them in the record of the purge, all or nothing. Items of keys elsewhere are not counted.

    Raises:
        Conflict: one of them is gone; read again what is left.
        IsOverError, StoppedError: nothing more can be counted.
        ServiceError: SERVICE_UNAVAILABLE.
        ThrottledError: the same, where a smaller batch may pass.
    """
    counts = Counter(layout.kind_of(item.sort_key) for item in items)
    count = Expression(
        "ADD " + ", ".join(f"{_counter(kind)} :{kind}" for kind in counts),
        {f":{kind}": {"N": str(number)} for kind, number in counts.items()},
    )
    keys = [layout.in_organization(organization_id, item.sort_key) for item in items]
    elsewhere = [step for item in items for step in item.elsewhere]
    commit(
        [*(delete(key, EXISTS, lambda _: Conflict()) for key in keys), *elsewhere],
        _update_record(organization_id, count),
    )


def finish(scheduled: ScheduledDeletion, now: datetime) -> None:
    """Delete the organization's own item, its limits' and its scheduled deletion, and complete the purge's record.

    Raises:
        IsOverError, StoppedError: as `delete_batch`.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    complete = Expression("SET #completed_at = :now", {":now": {"S": rfc3339(now)}})
    days = table_settings().audit_retention_days
    if days:
        kept_until = now + timedelta(days=max(days, LEAST_RECORD_DAYS))
        complete = Expression(
            f"{complete.text}, #ttl = :ttl",
            {**complete.values, ":ttl": {"N": str(int(kept_until.timestamp()))}},
            {"#ttl": "ttl"},  # a reserved word
        )
    organization_id = scheduled.organization_id
    steps = [delete(layout.organization_key(organization_id)), limits.delete(organization_id), _unschedule(scheduled)]
    commit(steps, _update_record(organization_id, complete))


def _unschedule(scheduled: ScheduledDeletion) -> Step:
    return delete(layout.scheduled_deletion_key(scheduled.organization_id, scheduled.at))


def _update_record(organization_id: UUID, change: Expression) -> Step:
    is_open = Expression(
        "attribute_exists(pk) AND attribute_not_exists(#completed_at)", names={"#completed_at": "completed_at"}
    )

    def refused(record: Item | None) -> Exception:
        return IsOverError() if record else StoppedError()

    return update(layout.purge_key(organization_id), change, is_open, refused)


def _counter(kind: str) -> str:
    return f"deleted_{kind}"
