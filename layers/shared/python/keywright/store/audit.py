"""Audit records: who did what to what, when and from where. Written in the transaction of the change itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from keywright import clock
from keywright.clock import rfc3339
from keywright.ids import uuid7, uuid7_bounds
from keywright.settings import table_settings
from keywright.store.table import Condition, Step, key, newest_first, put_new

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.domain.audit_event import AuditEvent
    from keywright.domain.principals import Actor, Origin
    from keywright.store.table import Item

AUDIT = "AUDIT#"
_HIGHEST = AUDIT + "g"  # ids are hexadecimal


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one thing.

    Attributes:
        target_type: "api_key", "organization" or "member".
        before: the fields that changed, as they were; None if the thing is new.
        after: the same fields, as they are now; None if the thing is gone.
        knows_before: false for what was heard of and may be late: what was before it depends on what came first.
    """

    event: AuditEvent
    target_type: str
    target_id: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    knows_before: bool = True


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One record as it was written.

    Attributes:
        created_at: when the change was made, RFC 3339; for an event of the identity provider, there.
        received_at: when the record was written, RFC 3339.
    """

    record_id: str
    event: str
    actor_type: str
    actor_id: str
    target_type: str
    target_id: str
    changes: dict[str, object]
    source_ip: str | None
    request_id: str | None
    created_at: str
    received_at: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are wanted, all conditions together; empty and None mean all.

    Attributes:
        created_from, created_to: both included.
    """

    events: Sequence[AuditEvent] = ()
    actor_user_id: str | None = None
    actor_api_key_id: str | None = None
    target_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def put(  # noqa: PLR0913 - what a record says
    organization_id: UUID,
    actor: Actor,
    origin: Origin | None,
    change: Change,
    at: datetime,
    *,
    record_id: UUID | None = None,
) -> Step:
    """Write the record of a change; refused if there is one with this id.

    It is kept for the retention from now on, however long ago the change was: no event is recorded unseen.

    Args:
        organization_id: in whose log.
        actor: who made the change.
        origin: where the request for it came from, if there was one.
        change: what was done.
        at: when.
        record_id: one of `new_id` or `id_of_event` for the same time; a new one by default.
    """
    changes = {"before": change.before} if change.knows_before else {}
    received_at = clock.now()
    item: dict[str, AttributeValueTypeDef] = {
        **key(organization_id, sort_key(record_id or new_id(at))),
        "event": {"S": change.event},
        "actor_type": {"S": actor.type},
        "actor_id": {"S": actor.id},
        "target_type": {"S": change.target_type},
        "target_id": {"S": change.target_id},
        "changes": {"S": json.dumps({**changes, "after": change.after}, ensure_ascii=False)},
        "created_at": {"S": rfc3339(at)},
        "received_at": {"S": rfc3339(received_at)},
    }
    if origin is not None:
        item |= {"source_ip": {"S": origin.source_ip}, "request_id": {"S": origin.request_id}}
    days = table_settings().audit_retention_days
    if days:
        item["ttl"] = {"N": str(int((received_at + timedelta(days=days)).timestamp()))}
    return put_new(item)


def sort_key(record_id: UUID) -> str:
    """Return the sort key of a record."""
    return f"{AUDIT}{record_id}"


def new_id(at: datetime) -> UUID:
    """Draw a record's id of the time of the change, to the microsecond, so that records sort as the changes did."""
    return uuid7(_nanoseconds(at))


def id_of_event(at: datetime, *parts: str) -> UUID:
    """Derive a record's id of the time of an event and of what tells it from others: always the same.

    So an event that comes twice finds its own record.
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return uuid7(_nanoseconds(at), int.from_bytes(digest) >> 256 - 62)


def newest(
    organization_id: UUID, starting_after: UUID | None, wanted: AuditFilter, page_size: int, now: datetime
) -> Iterator[AuditRecord]:
    """Read an organization's records, newest first, as they are taken; none whose retention is over."""
    lowest, highest = AUDIT, _HIGHEST
    if wanted.created_from is not None:
        lowest = f"{AUDIT}{uuid7_bounds(_nanoseconds(wanted.created_from))[0]}"
    if wanted.created_to is not None:
        highest = f"{AUDIT}{uuid7_bounds(_nanoseconds(wanted.created_to))[1]}"
    after = None if starting_after is None else f"{AUDIT}{starting_after}"
    if after is not None and after > highest:
        after = None
    # DynamoDB refuses a query whose start leaves nothing to be read.
    if lowest > highest or (after is not None and after <= lowest):
        return iter(())
    items = newest_first(organization_id, (lowest, highest), after, _conditions(wanted, now), page_size)
    return (parse(item) for item in items)


def parse(item: Item) -> AuditRecord:
    """Read a record's item."""
    source_ip, request_id = item.get("source_ip"), item.get("request_id")
    return AuditRecord(
        record_id=item["sk"]["S"].removeprefix(AUDIT),
        event=item["event"]["S"],
        actor_type=item["actor_type"]["S"],
        actor_id=item["actor_id"]["S"],
        target_type=item["target_type"]["S"],
        target_id=item["target_id"]["S"],
        changes=json.loads(item["changes"]["S"]),
        source_ip=source_ip["S"] if source_ip else None,
        request_id=request_id["S"] if request_id else None,
        created_at=item["created_at"]["S"],
        received_at=item["received_at"]["S"],
    )


def _conditions(wanted: AuditFilter, now: datetime) -> list[Condition]:
    # DynamoDB deletes expired items within days, not at once.
    conditions = [
        Condition(
            "(attribute_not_exists(#ttl) OR #ttl > :now)", {":now": {"N": str(int(now.timestamp()))}}, {"#ttl": "ttl"}
        )
    ]
    if wanted.events:
        values: dict[str, AttributeValueTypeDef] = {
            f":event{index}": {"S": event} for index, event in enumerate(wanted.events)
        }
        conditions.append(Condition(f"#event IN ({', '.join(values)})", values, {"#event": "event"}))
    actors = (("user", wanted.actor_user_id), ("api_key", wanted.actor_api_key_id))
    for kind, actor_id in actors:
        if actor_id is not None:
            conditions.append(
                Condition(
                    f"(actor_type = :{kind}_type AND actor_id = :{kind}_id)",
                    {f":{kind}_type": {"S": kind}, f":{kind}_id": {"S": actor_id}},
                )
            )
    if wanted.target_id is not None:
        conditions.append(Condition("target_id = :target_id", {":target_id": {"S": wanted.target_id}}))
    return conditions


def _nanoseconds(moment: datetime) -> int:
    return max(0, (moment - _EPOCH) // _MICROSECOND) * 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
