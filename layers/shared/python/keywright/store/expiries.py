"""Expiries of API keys, in one partition, sorted by time: what is due for a notice is found without a scan.

Each key with `expires_at` has one item. It is written, replaced and deleted in the transaction that gives the key its
expiry, changes it, or deletes the key. Its attribute `noticed` is the smallest number of days of which notice was
given, or whose notice was due already when the item was written; it is missing before the first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keywright.clock import rfc3339, stored
from keywright.immutable import immutable
from keywright.store import layout, table
from keywright.store.table import Conflict, Expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.layout import Item, Key
    from keywright.store.table import Step

NOTICE_DAYS = (30, 7, 1)
"""How many days before its expiry a key is announced, the earliest first."""
EXPIRED = 0
"""The number of days of the last notice: the key has expired."""


@immutable
class DueNotice:
    """The most urgent notice of a key's expiry that is due and was not given.

    Attributes:
        at: when the key expires, RFC 3339, exactly as its item has it.
        noticed: the days of the last notice; None before the first.
        days: how long before the expiry the notice is due; EXPIRED at the expiry.
    """

    organization_id: UUID
    key_id: UUID
    at: str
    noticed: int | None
    days: int

    @property
    def primary_key(self) -> Key:
        """The primary key of the expiry's item."""
        return layout.expiry_key(self.organization_id, self.key_id, self.at)

    @property
    def primary_key_of_api_key(self) -> Key:
        """The primary key of the key's item."""
        return layout.in_organization(self.organization_id, layout.api_key_sort_key(self.key_id))

    @property
    def is_as_read(self) -> Expression:
        """The condition that the expiry's item is as it was read."""
        if self.noticed is None:
            return Expression("attribute_exists(pk) AND attribute_not_exists(noticed)")
        return Expression("noticed = :as_read", {":as_read": {"N": str(self.noticed)}})


def _begun(at: datetime, now: datetime, notices: Iterable[int]) -> int | None:
    """Return the smallest number of days whose notice is due; None before the first."""
    return min((days for days in notices if at - timedelta(days=days) <= now), default=None)


def steps(before: ApiKeyRecord | None, after: ApiKeyRecord | None) -> list[Step]:
    """Return the steps of a change of a key's expiry; none if it stays.

    Args:
        before: the key as it was read; None if it is new.
        after: the key as it is written; None if it is deleted.
    """
    old = None if before is None or before.expires_at is None else rfc3339(before.expires_at)
    new = None if after is None or after.expires_at is None else rfc3339(after.expires_at)
    if old == new:
        return []
    changes = []
    if before is not None and old is not None:
        changes.append(delete(before.organization_id, before.key_id, old))
    if after is not None and new is not None:
        changes.append(_put(after, new))
    return changes


def _put(record: ApiKeyRecord, at: str) -> Step:
    # Not EXPIRED: a key can expire while it is being made, and is announced then.
    noticed = _begun(stored(at), record.updated_at, NOTICE_DAYS)
    item: Item = {
        **layout.expiry_key(record.organization_id, record.key_id, at),
        # Notices that had begun before are not given: a key made for ten days is not announced at once.
        **({} if noticed is None else {"noticed": {"N": str(noticed)}}),
    }
    return table.put(item)


def delete(organization_id: UUID, key_id: UUID, at: str) -> Step:
    """Delete the expiry of a key that is deleted, or expires at another time or never."""
    return table.delete(layout.expiry_key(organization_id, key_id, at))


def due(now: datetime) -> Iterator[DueNotice]:
    """Read the notices that are due, those of the earliest expiries first, strongly consistent, as they are taken.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    request = {
        "KeyConditionExpression": "pk = :pk AND sk < :end",
        "ExpressionAttributeValues": {
            ":pk": {"S": layout.EXPIRIES},
            ":end": {"S": layout.scheduled_after(rfc3339(now + timedelta(days=max(NOTICE_DAYS))))},
        },
    }
    for item in table.query(request):
        organization_id, key_id, at = layout.expiry_of(item)
        noticed = int(item["noticed"]["N"]) if "noticed" in item else None
        days = _begun(stored(at), now, (*NOTICE_DAYS, EXPIRED))
        if days is not None and (noticed is None or days < noticed):
            yield DueNotice(organization_id, key_id, at, noticed, days)


def record_notice(notice: DueNotice, record: Step) -> None:
    """Record a notice, once: write its audit record, and note it. The item of a key that has expired is deleted.

    The key needs no condition: its expiry is deleted with it, and with every change of `expires_at`.

    Args:
        notice: as it was read.
        record: the audit record's.

    Raises:
        Conflict: the expiry is gone, or another run gave a notice.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    if notice.days == EXPIRED:
        noted = table.delete(notice.primary_key, notice.is_as_read, _conflict)
    else:
        change = Expression("SET noticed = :days", {":days": {"N": str(notice.days)}})
        noted = table.update(notice.primary_key, change, notice.is_as_read, _conflict)
    table.commit([noted], record)


def forget(notice: DueNotice) -> None:
    """Delete an expiry that is not on the key's item (any more).

    Raises:
        Conflict: it is.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    is_not_on_key = Expression("attribute_not_exists(expires_at) OR expires_at <> :at", {":at": {"S": notice.at}})
    table.commit(
        [table.check(notice.primary_key_of_api_key, is_not_on_key, _conflict)],
        delete(notice.organization_id, notice.key_id, notice.at),
    )


def _conflict(_: Item | None) -> Conflict:
    return Conflict()
