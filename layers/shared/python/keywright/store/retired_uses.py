"""Uses of rotated-out secrets: counted beside the other uses of the key, and reported in its organization's audit log.

Attributes of the usage's item. It exists exactly as long as the key does, so neither rotations nor deletions have to
care for a separate item, and a purge, which deletes audit records last, finds every one:

| attribute | |
| --- | --- |
| retired | uses that are not in an audit record yet |
| retired_on | day of the last audit record (UTC), such as 2026-06-01 |

The item still has less than 1 KB, so that adding uses stays one write unit.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING

from keywright import clock
from keywright.clock import rfc3339
from keywright.domain import ip_addresses
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import Actor, ActorType
from keywright.immutable import immutable, replace
from keywright.store import audit, layout, table
from keywright.store.table import EXISTS, Conflict, Expression, text_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.store.layout import Key

VERIFICATION = Actor(ActorType.SYSTEM, "verification")
"""The actor of the audit records."""


@immutable
class RetiredUses:
    """Uses of rotated-out secrets of one key that are not written yet.

    Attributes:
        count: number of uses; 0 only to report those that are written.
        generation: of the secret of the latest use.
        last_used_at: the time of the latest use.
        last_used_ip: the client's address of the latest use, in any spelling; None if it was not known.
    """

    organization_id: UUID
    key_id: UUID
    count: int
    generation: int
    last_used_at: datetime
    last_used_ip: str | None = None

    def plus(self, later: RetiredUses) -> RetiredUses:
        """Return these uses and those that were counted later, by a clock that may have been set back."""
        latest = later if later.last_used_at >= self.last_used_at else self
        return replace(latest, count=self.count + later.count)


@immutable
class Unreported:
    """Uses that are written and in no audit record, on a day that has none.

    Attributes:
        latest: the uses that were written last.
        count: number of uses that no record has.
        reported_on: day of the last record; None if there is none.
        today: day of the next record.
    """

    latest: RetiredUses
    count: int
    reported_on: str | None
    today: str


# Two containers on one day, and one on the next:
#
#     container A                            container B                          retired    retired_on
#     ----------------------------------     --------------------------------     -------    ----------
#     add 1: is 1, not reported today                                             1
#                                            add 1: is 2, not reported today      2
#     report 1, if not reported today                                             1          today
#                                            report 2, if not reported today:
#                                            refused, dropped
#     add 5: reported today                                                       6          today
#                                            add 1: is 7, not reported today      7          yesterday
#                                            report 7, if as read                 0          today
#
# A report subtracts the number that it has written into the record, so uses that are added meanwhile wait for the next.


def add(uses: RetiredUses) -> Unreported | None:
    """Add uses to those that no audit record has: 1 write unit. Those of a deleted key are dropped.

    Returns:
        What is to be reported; None if there is a record of today, or nothing to report.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt. If only the answer was lost, the uses are added already.
    """
    change = Expression("ADD retired :count", {":count": {"N": str(uses.count)}})
    updated = table.update_item(_key(uses), change, EXISTS, attempts=1)
    if updated.item is None or not updated.is_done:
        return None
    count, reported_on = int(updated.item["retired"]["N"]), text_of(updated.item, "retired_on")
    today = clock.now().astimezone(UTC).date().isoformat()
    if not count or (reported_on is not None and reported_on >= today):
        return None
    return Unreported(uses, count, reported_on, today)


def report(unreported: Unreported) -> None:
    """Write the audit record of a day, unless another container has, or the key was deleted: 4 write units.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt. If only the answer was lost, the record is there.
    """
    uses, before = unreported.latest, unreported.reported_on
    values: dict[str, AttributeValueTypeDef] = {
        ":count": {"N": str(unreported.count)},
        ":today": {"S": unreported.today},
    }
    change = Expression("SET retired = retired - :count, retired_on = :today", values)
    is_as_read = Expression("attribute_exists(pk) AND attribute_not_exists(retired_on)")
    if before is not None:
        is_as_read = Expression("retired_on = :before", {":before": {"S": before}})
    after = {
        "count": unreported.count,
        "generation": uses.generation,
        "lastUsedAt": rfc3339(uses.last_used_at),
        "lastUsedIp": _normalized(uses.last_used_ip),
    }
    use = audit.Change(
        AuditEvent.API_KEY_RETIRED_SECRET_USED,
        "api_key",
        str(uses.key_id),
        before=None,
        after=after,
        knows_before=False,
    )
    with suppress(Conflict):
        table.commit(
            [table.update(_key(uses), change, is_as_read, lambda _: Conflict())],
            audit.put(uses.organization_id, VERIFICATION, None, use, clock.now()),
            attempts=1,
        )


def _normalized(address: str | None) -> str | None:
    """Return the one way to write an address; None if it is none."""
    try:
        return None if address is None else ip_addresses.normalized(address)
    except ValueError:
        return None


def _key(uses: RetiredUses) -> Key:
    return layout.in_organization(uses.organization_id, layout.usage_sort_key(uses.key_id))
